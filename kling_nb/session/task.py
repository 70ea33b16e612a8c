"""A task as the user holds it."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kling_nb import errors
from kling_nb.display import Bundle, task_bundle
from kling_nb.engine.jobs import Job
from kling_nb.records import UNDER_WAY, Reference, TaskRecord, TaskStatus
from kling_nb.session.echo import ShownOnce
from kling_nb.session.image import ImageList, images_of
from kling_nb.session.outcome import error_of, how_to_collect, in_no_hands, still_going_on
from kling_nb.session.screen import Screen, screen
from kling_nb.session.views import view_of
from kling_nb.session.watching import interrupted, keep_current, seconds_of, watch, watch_elsewhere

if TYPE_CHECKING:
    from kling_nb.session.session import Session


class Task(ShownOnce):
    """One paid request and its images.

    In a notebook it shows itself as a grid. It can be a reference of the next request: all its images are.

    Parameters
    ----------
    session : Session
        Where it was made or found.
    record : TaskRecord
        As it was then.
    job : Job, optional
        When this process sends, follows or collects it.
    """

    def __init__(self, session: "Session", record: TaskRecord, job: Job | None = None) -> None:
        self._session = session
        self._record = record
        self._job = job

    @property
    def job(self) -> Job | None:
        """The task in the engine's hands, if this process has it there."""
        job = self._job
        # The threads of a closed session do nothing more, and what is missing may have been fetched since:
        # the journal knows.
        if job is not None and not self._session.has_in_hand(job) and not (job.settled and job.record.complete):
            self._record, self._job = job.record, None
        return self._job

    @property
    def record(self) -> TaskRecord:
        """All facts, as they are now."""
        job = self.job
        if job is not None:
            return job.record
        if not self._record.complete:
            self._record = self._session.stored(self._record.id) or self._record
        return self._record

    @property
    def id(self) -> str:
        """Ours; sorts by time and names the task in every command."""
        return self._record.id

    @property
    def task_id(self) -> str | None:
        """The API's, once known."""
        return self.record.task_id

    @property
    def external_task_id(self) -> str:
        """The caller's id that was sent along."""
        return self._record.external_task_id

    @property
    def task_status(self) -> TaskStatus:
        """One of planned, sending, submitted, processing, succeeded, failed, uncertain, cancelled."""
        return self.record.task_status

    @property
    def model_name(self) -> str:
        """The model that was asked."""
        return self._record.model_name

    @property
    def prompt(self) -> str:
        """As sent."""
        return self._record.prompt

    @property
    def n(self) -> int:
        """How many images were asked for."""
        return self._record.n

    @property
    def aspect_ratio(self) -> str | None:
        """As sent; None left it to the API."""
        return self._record.request.get("aspect_ratio")

    @property
    def request(self) -> Mapping[str, Any]:
        """The body as sent, with ``sha256:…`` in place of each picture's bytes."""
        return dict(self._record.request)

    @property
    def references(self) -> tuple[Reference, ...]:
        """Subjects in order, then scene, then style."""
        return self._record.references

    @property
    def images(self) -> ImageList:
        """Those that are saved so far."""
        return images_of(self.record, self._session.workspace)

    @property
    def error(self) -> errors.KlingError | None:
        """Why it did not go well; None when it did, or has not ended."""
        return error_of(self.record, self)

    @property
    def done(self) -> bool:
        """Whether there is nothing more to wait for in this process."""
        job = self.job
        return job.settled if job is not None else self.record.task_status not in UNDER_WAY

    def wait(self, timeout: float | None = None, *, quiet: bool = False) -> "Task":
        """Wait until the images are saved.

        Parameters
        ----------
        timeout : float, optional
            Seconds; the setting of that name where not given.
        quiet : bool
            Show no progress.

        Returns
        -------
        Task
            This one.

        Raises
        ------
        WaitTimeout
            The task goes on, and is followed.
        TaskFailed, ImagesMissing, APIError, ConnectionFailed
            What became of it instead.
        """
        where = screen(quiet=quiet)
        try:
            self.watch(where, timeout)
        finally:
            where.progress([self.record], now=time.time(), expected=None, notes=[])
            where.done()
        return self

    def watch(self, where: Screen, timeout: float | None = None) -> None:
        """Wait, with progress on a screen of the caller's; raises as `wait`.

        Parameters
        ----------
        where : Screen
            Shows progress; the caller shows the result.
        timeout : float, optional
            Seconds; the setting of that name where not given.
        """
        seconds = seconds_of(timeout, self._session.settings.timeout)
        deadline = time.monotonic() + seconds
        job = self._watch_here(where, seconds, deadline)
        while job is not None and job.aside and self._session.in_other_hands(self.record):
            # Another kernel has taken it over, and may end before it is done.
            job = self._watch_here(where, seconds, deadline)
        found = self.error
        if found is not None:
            raise found from (job.error if job is not None else None)
        if (job is None or job.aside) and not self.record.complete:
            raise in_no_hands(self.record, self)

    def _watch_here(self, where: Screen, seconds: float, deadline: float) -> Job | None:
        left = max(0.0, deadline - time.monotonic())
        if self.job is None and not self.record.complete and not self._session.take_over(self):
            left = watch_elsewhere(self._session, self, where, left)
        job = self._job
        if job is not None and not watch(self._session.gateway.runner, [job], where, left):
            raise still_going_on(self.record, seconds, job.note, self)
        return job

    def cancel(self) -> bool:
        """Cancel the task while it is unsent.

        Returns
        -------
        bool
            Whether that was so; a task that has been sent cannot be cancelled at the API.
        """
        job = self.job
        return job is not None and bool(self._session.gateway.runner.cancel([job]))

    def interrupted(self) -> errors.WaitInterrupted:
        """Cancel the task if it is unsent; return the interrupt that says whether it is under way."""
        # Not `job`: the interrupt may have come before the engine has it.
        if self._job is None:
            return errors.WaitInterrupted("Interrupted.")
        return interrupted(self._session.gateway.runner, [self._job])

    def keep_current(self, where: Screen) -> None:
        """Keep a screen up to date in the background, until the task is settled.

        Parameters
        ----------
        where : Screen
            Shows progress, then the result.
        """
        job = self.job
        if job is None or job.settled:
            where.bundle(self.bundle())
        elif where.in_background:
            keep_current(self, job, where)
        else:
            where.done()

    def join(self, job: Job) -> None:
        """Be the job that the engine has of this task."""
        self._job = job

    @property
    def live(self) -> bool:
        """Whether this process is still sending, following or collecting it."""
        job = self.job
        return job is not None and not job.settled

    def bundle(self) -> Bundle:
        """Return what a front end shows: data by MIME type, and metadata."""
        record = self.record
        view = view_of(record, self._session.workspace, price=self._session.price(record.n, record))
        return task_bundle(view, now=time.time())

    def __kling_reference__(self) -> Any:
        if not self.images:
            raise errors.InvalidRequest(
                f"Task {self.id} has no images yet, so it cannot be a reference ({self.task_status}).",
                advice=how_to_collect(self.record),
            )
        return list(self.images)

    def __repr__(self) -> str:
        record = self.record
        saved = f", {len(self.images)} of {record.n} images" if record.task_status == "succeeded" else ""
        return f"<Task {record.id}: {record.task_status}{saved}, {record.model_name}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:  # noqa: ARG002 - IPython's signature
        return self.bundle()
