"""A task in the hands of this process, and what the engine asks of the rooms around it."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from kling_nb import errors
from kling_nb.key import Secret
from kling_nb.records import ENDED, UNDER_WAY, Failure, ImageRecord, SlotLimit, TaskRecord, TaskState
from kling_nb.remote.envelopes import one_line
from kling_nb.remote.pieces import Sent


class Store(Protocol):
    """What the engine needs of a workspace."""

    @property
    def journal(self) -> "JournalLike": ...  # noqa: D102 - the protocol's docstring says it
    def save_image(self, record: TaskRecord, image: ImageRecord, data: bytes) -> ImageRecord: ...  # noqa: D102
    def saved_before(self, record: TaskRecord, image: ImageRecord) -> ImageRecord | None: ...  # noqa: D102
    def thumbnail(self, name: str) -> bytes | None: ...  # noqa: D102
    def keep_thumbnail(self, name: str, jpeg: bytes) -> None: ...  # noqa: D102


class JournalLike(Protocol):
    """What the engine needs of a journal."""

    @property
    def leases(self) -> "LeasesLike": ...  # noqa: D102
    @property
    def slots(self) -> "SlotMemoryLike": ...  # noqa: D102
    def update(self, *records: TaskRecord) -> bool: ...  # noqa: D102
    def known(self, record: TaskRecord) -> list[TaskRecord]: ...  # noqa: D102


class LeasesLike(Protocol):
    """What the engine needs of the leases."""

    def begin(self, record: TaskRecord, mine: int, limit: int) -> Any: ...  # noqa: D102
    def acknowledge(self, record: TaskRecord) -> bool: ...  # noqa: D102
    def is_sending(self, some_id: str) -> bool: ...  # noqa: D102
    def theirs(self, record: TaskRecord) -> int: ...  # noqa: D102
    def ghosts(self, record: TaskRecord) -> int: ...  # noqa: D102
    def release(self, ids: Iterable[str]) -> None: ...  # noqa: D102
    def beat(self) -> None: ...  # noqa: D102


class SlotMemoryLike(Protocol):
    """What the engine needs of the memory of learned slots."""

    def read(self, gateway: str, model_name: str) -> SlotLimit | None: ...  # noqa: D102
    def write(self, gateway: str, model_name: str, limit: SlotLimit) -> None: ...  # noqa: D102


class Remote(Protocol):
    """What the engine needs of the API client."""

    @property
    def time_there(self) -> float | None: ...  # noqa: D102
    def key_now(self) -> Secret: ...  # noqa: D102
    def create(self, body: Sent, key: Secret) -> TaskState: ...  # noqa: D102
    def query(self, some_id: str) -> TaskState: ...  # noqa: D102
    def query_many(self, page: int = 1, size: int = 500) -> list[TaskState]: ...  # noqa: D102


class Pictures(Protocol):
    """What the engine needs of the image downloader."""

    def fetch(self, url: str) -> Any: ...  # noqa: D102


@dataclass(slots=True, eq=False)
class Job:
    """A task that this process sends, follows or collects.

    Only the engine's threads change it, under the runner's lock; everyone else reads ``record``, which
    is replaced whole.

    Parameters
    ----------
    record : TaskRecord
        As it is now.
    store : Store
        Where it is journalled and its images go.
    body : callable
        Returns the body of the create; called in a sender's thread, once for every time that it is sent.
    limit : int
        Slots to begin with, until more is known.
    poll_interval : float, optional
        The user's own polling interval, in seconds.
    grace : float
        Seconds after sending before a task that is not found may be called absent.
    when_absent : {"send", "ask", "nothing"}
        What to do with a task that provably never reached the gateway: send it again, leave it planned
        for the user to send, or leave it uncertain.
    insist : bool
        Send it again also where its absence cannot be proven: the user has decided.
    unwanted : bool
        Do not send it any more, should what is under way come to nothing: the user has interrupted.
    over : bool
        The gateway has said that it has ended: its slots are free, also before that is written down.
    aside : bool
        Leave it alone: it waits for the user's word, or another kernel has it now.
    unwritten : callable, optional
        Writes what the journal could not take; held under ``writing`` while it is done.
    """

    record: TaskRecord
    store: Store
    body: Callable[[], Sent]
    limit: int
    poll_interval: float | None = None
    grace: float = 120.0
    when_absent: Literal["send", "ask", "nothing"] = "send"
    insist: bool = False
    order: int = 0
    allowed: int = 0
    passed: int = 0
    refused_alone: int = 0
    claimed: bool = False
    sought: bool = False
    over: bool = False
    aside: bool = False
    unwanted: bool = False
    began: float = field(default_factory=time.monotonic)
    looked: float | None = None
    unfinished_at: float = 0.0
    listed: int = 0
    listed_since: float = 0.0
    unlisted: bool = False
    number: int = 0
    asked_in_vain: int = 0
    unknown_since: float = 0.0
    collecting: int = 0
    collected: bool = False
    telling: int = 0
    speaking: threading.RLock = field(default_factory=threading.RLock, repr=False)
    note: str = ""
    unwritten: Callable[[], bool] | None = None
    writing: threading.Lock = field(default_factory=threading.Lock, repr=False)
    troubled: bool = False
    error: BaseException | None = None
    listeners: list[Callable[["Job"], None]] = field(default_factory=list)

    @property
    def settled(self) -> bool:
        """Whether this process has nothing more to do for it, and every listener knows.

        A cell that waits must not end before the display of another has its last update: what comes
        after the last cell is in no saved notebook.
        """
        return self.ended and not self.telling

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to do for it but to say so."""
        status = self.record.task_status
        if self.aside:
            return True
        if status == "succeeded":
            return self.collected
        return status in ENDED or (status == "uncertain" and not self.sought)

    def let_go_of_bytes(self) -> None:
        """Forget the references' bytes when they will not be sent again; they are in the workspace."""
        self.body = _sent
        if any(reference.data is not None for reference in self.record.references):
            light = tuple(replace(reference, data=None) for reference in self.record.references)
            self.record = replace(self.record, references=light)

    @property
    def occupies(self) -> int:
        """Slots of the account that it holds now."""
        holds = self.record.task_status in ("sending", "submitted", "processing") and not (self.over or self.aside)
        return self.record.n if holds else 0


def _sent() -> Sent:
    message = "a request is sent once"
    raise AssertionError(message)


def failure_of(error: BaseException) -> Failure:
    """Return an error as a fact that can be stored and raised again."""
    if not isinstance(error, errors.KlingError):
        return Failure("KlingError", one_line(f"{type(error).__name__}: {error}"))
    advice = error.advice if error.advice != error.default_advice else None
    known = Failure(type(error).__name__, error.message, advice=advice)
    if isinstance(error, errors.APIError):
        return replace(known, http_status=error.http_status, code=error.code, request_id=error.request_id)
    return known


def after_create(record: TaskRecord, state: TaskState, now: float) -> TaskRecord:
    """Return a task as its create's answer makes it. Pure."""
    return replace(
        record,
        task_status="submitted",
        task_id=state.task_id,
        submitted_at=now,
        request_id=record.request_id or state.request_id,
        failure=None,
    )


def after_loss(record: TaskRecord, failure: Failure) -> TaskRecord:
    """Return a task whose create's answer was lost: it may exist, and may be billed. Pure."""
    message = f"The answer to the request was lost. {failure.message}"
    return replace(record, task_status="uncertain", failure=replace(failure, message=message))


def still_uncertain(record: TaskRecord, failure: Failure | None = None) -> TaskRecord:
    """Return a task that the user would have sent again without proof, and that was not sent. Pure.

    That nothing came of it this time says nothing of the first time.
    """
    known = failure or Failure("ConnectionFailed", "It was sent before, and whether it exists is not known.")
    return replace(record, task_status="uncertain", sent_at=record.sent_at or record.created_at, failure=known)


def after_cancel(job: Job, now: float, failure: Failure | None = None) -> TaskRecord:
    """Return a job's task as one that is not sent, or not sent again. Pure."""
    record = job.record
    if job.insist:
        return still_uncertain(record, failure)
    # Begun, and never left: then that time does not count.
    sends = record.sends - (record.sent_at is not None)
    return replace(record, task_status="cancelled", sent_at=None, sends=sends, finished_at=now, failure=failure)


def before_sending(record: TaskRecord) -> TaskRecord:
    """Return a task that is known not to exist at the gateway as one that was never sent. Pure."""
    return replace(record, task_status="planned", task_id=None, sent_at=None, submitted_at=None, failure=None)


def after_look(record: TaskRecord, state: TaskState, now: float, unfinished_at: float = 0.0) -> TaskRecord:
    """Return a task as a look at it makes it. Pure.

    Parameters
    ----------
    record : TaskRecord
        As it was.
    state : TaskState
        What the gateway says now.
    now : float
        The time.
    unfinished_at : float
        When it was last seen not to have ended.

    Returns
    -------
    TaskRecord
        A task that has begun to be processed does not go back to waiting, and one that has succeeded is
        paid for and stays so, whatever a reseller says.
    """
    status = state.task_status
    if status == "submitted" and record.task_status == "processing":
        status = "processing"
    if record.task_status == "succeeded" != status:
        return replace(record, images=merge_images(record, state), failure=None)
    if status in UNDER_WAY and status == record.task_status and record.task_id:
        # As it was, which is what most looks find.
        return record if status == "submitted" or record.processing_at else replace(record, processing_at=now)
    record = replace(record, task_status=status, task_id=record.task_id or state.task_id)
    if status == "processing" and record.processing_at is None:
        record = replace(record, processing_at=now)
    if status in ENDED:
        record = replace(
            record,
            finished_at=record.finished_at or _ended_at(record, state, now, unfinished_at),
            units=state.units or record.units,
        )
    if status == "failed":
        message = state.message or "The API gives no reason."
        return replace(record, failure=Failure("TaskFailed", f"The task failed: {message}"))
    if status == "succeeded":
        return replace(record, images=merge_images(record, state), failure=None)
    return record


def ended_since(record: TaskRecord, state: TaskState, unfinished_at: float) -> bool:
    """Tell whether one that has ended did so, by the gateway's clock, after it was seen not to have ended. Pure."""
    at = _changed_at(record, state)
    return at is not None and at > unfinished_at


def _ended_at(record: TaskRecord, state: TaskState, now: float, unfinished_at: float) -> float:
    """Return when a task ended: as the gateway's clock has it where that can be so, for it is noticed later."""
    at = _changed_at(record, state)
    return now if at is None or not max(record.submitted_at or 0.0, unfinished_at) < at < now else at


def _changed_at(record: TaskRecord, state: TaskState) -> float | None:
    if record.submitted_at is None or state.created_at is None or state.updated_at is None:
        return None
    return record.submitted_at + state.updated_at - state.created_at


def merge_images(record: TaskRecord, state: TaskState) -> tuple[ImageRecord, ...]:
    """Return a task's images with fresh URLs, what is saved kept, and what is not served said. Pure."""
    # An address that was known before may still be good where the gateway now gives none.
    known = {image.index: image for image in record.images if image.path is not None or image.url}
    served = {image.index: image for image in state.images if image.url}
    unserved = f"the gateway served {len(served)} of {record.n} images"
    images = []
    for index in sorted(_with_free(set(known) | set(served), record.n)):
        before, offer = known.get(index), served.get(index)
        if before is not None and (before.path is not None or offer is None):
            images.append(replace(before, url=offer.url if offer else before.url))
        else:
            images.append(offer or ImageRecord(index, problem=unserved))
    return tuple(images)


def _with_free(indices: set[int], n: int) -> set[int]:
    free = (index for index in range(n + len(indices)) if index not in indices)
    return indices | {next(free) for _ in range(n - len(indices))}
