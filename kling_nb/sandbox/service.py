"""What the API does once a request is understood: create, query one, query many, and images.

Nothing here knows HTTP beyond the status of an answer.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from kling_nb.sandbox import protocol
from kling_nb.sandbox.constant import constant_image
from kling_nb.sandbox.ledger import DuplicateIdError, NoSlotsError
from kling_nb.sandbox.protocol import Answer, Refusal, success
from kling_nb.sandbox.tasks import BAD_PIXELS, RISK_CONTROL, Task, created_object, task_object
from kling_nb.sandbox.validation import Wish, parse_json, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kling_nb.sandbox.ledger import Ledger
    from kling_nb.sandbox.store import Store

SLOW: Final = 10.0  # times as long, for [sandbox: slow]
_REMEMBERED: Final = 4_096  # references whose pixels were looked at


@dataclass(frozen=True, slots=True)
class Terms:
    """How the account is set up.

    Parameters
    ----------
    slots : int
        Images in parallel, for each model.
    seconds : float
        How long a task takes.
    units_per_image : float
        Units deducted for an image.
    unique_external_ids : bool
        Whether a repeated `external_task_id` is refused.
    images : {"painted", "constant"}
        What results look like.
    """

    slots: int
    seconds: float
    units_per_image: float
    unique_external_ids: bool
    images: Literal["painted", "constant"]


class Service:
    """The API's behaviour over a ledger and a store.

    Parameters
    ----------
    ledger : Ledger
        Where tasks are written down.
    store : Store
        Where files are kept.
    terms : Terms
        How the account is set up.
    clock : callable
        Returns the time in seconds since the epoch.
    image_origin : callable
        Returns where images are served, such as ``http://127.0.0.1:8001``.
    """

    def __init__(
        self,
        ledger: Ledger,
        store: Store,
        terms: Terms,
        clock: Callable[[], float],
        image_origin: Callable[[], str],
    ) -> None:
        self.ledger = ledger
        self._held = ""  # the status that new tasks are held in
        self._holding = threading.Lock()
        self._store = store
        self._terms = terms
        self._clock = clock
        self._image_origin = image_origin
        self._secret = ledger.secret()
        self._decodable: dict[str, bool] = {}
        self._decodable_lock = threading.Lock()

    def create(self, body: bytes) -> tuple[Answer, Task]:
        """Take a request: check it, write it down, bill it.

        Parameters
        ----------
        body : bytes
            The JSON text.

        Returns
        -------
        Answer, Task
            The answer, and the task that now exists.

        Raises
        ------
        Refusal
            Nothing was made.
        """
        wish = validate(parse_json(body))
        _refuse_by_switch(wish.switches)
        failure = RISK_CONTROL if "fail" in wish.switches else ""
        for digest, data in wish.files.items():
            self._store.keep_reference(digest, data)
            if not self._is_decodable(digest, data):
                failure = failure or BAD_PIXELS
        try:
            with self._holding:
                task = self.ledger.add(
                    self._draft(wish, failure),
                    slots=self._terms.slots,
                    unique=self._terms.unique_external_ids,
                )
        except DuplicateIdError:
            raise protocol.invalid("external_task_id: this account has used it before") from None
        except NoSlotsError:
            raise _no_slots() from None
        return success(created_object(task), lost="lost" in wish.switches), task

    def _draft(self, wish: Wish, failure: str) -> Task:
        now = self._clock()
        seconds = self._terms.seconds * (SLOW if "slow" in wish.switches else 1.0)
        return Task(
            task_id=_new_task_id(now),
            external_task_id=wish.external_task_id,
            model_name=wish.model_name,
            prompt=wish.prompt,
            aspect_ratio=wish.aspect_ratio,
            n=wish.n,
            watermark=wish.watermark,
            references=wish.references,
            callback_url=wish.callback_url,
            digest=wish.digest,
            sample=0,
            created_at=now,
            seconds=seconds,
            ends_at=now + seconds,
            failure=failure,
            held=self._held,
        )

    def hold(self, status: str) -> None:
        """Keep unfinished tasks, and new ones, in a status until `release`."""
        with self._holding:
            self._held = status
            self.ledger.hold(status)

    def release(self) -> None:
        """Let time decide again; no task that is just being made stays held."""
        with self._holding:
            self._held = ""
            self.ledger.release()

    def _is_decodable(self, digest: str, data: bytes) -> bool:
        with self._decodable_lock:
            known = self._decodable.get(digest)
        if known is None:
            from kling_nb.sandbox.canvas import is_decodable

            known = is_decodable(data)
            with self._decodable_lock:
                if len(self._decodable) >= _REMEMBERED:
                    self._decodable.clear()
                self._decodable[digest] = known
        return known

    def query(self, name: str) -> Answer:
        """Answer for one task, by `task_id` or `external_task_id`."""
        task = self.ledger.find(name)
        if task is None:
            raise protocol.not_found(f"task not found: {name[:200]}")
        return success(self.describe(task))

    def list(self, arguments: Mapping[str, str]) -> Answer:
        """Answer with a page of tasks, newest first."""
        unknown = sorted(arguments.keys() - {"pageNum", "pageSize"})
        if unknown:
            raise protocol.invalid(f"unknown parameter {unknown[0][:80]!r}")
        number = _count(arguments, "pageNum", 1, protocol.MAX_PAGE)
        size = _count(arguments, "pageSize", protocol.DEFAULT_PAGE_SIZE, protocol.MAX_PAGE_SIZE)
        return success([self.describe(task) for task in self.ledger.page(number, size)])

    def describe(self, task: Task) -> dict[str, Any]:
        """Make the object of a query, a list and a callback."""
        return task_object(task, self._clock(), self._image_url, self._terms.units_per_image)

    def _image_url(self, task: Task, index: int, watermarked: bool) -> str:
        suffix = "jpg" if self._terms.images == "constant" else "png"
        name = _image_name(task.task_id, index, watermarked)
        return f"{self._image_origin()}/{name}-{self._token(name)}.{suffix}"

    def _token(self, name: str) -> str:
        return hmac.new(self._secret, name.encode(), hashlib.sha256).hexdigest()[:32]

    def image(self, address: ImageAddress) -> tuple[bytes, str]:
        """Return an image and its content type; raise `Refusal` if there is none.

        The token in the address was published with a result, so it alone proves that the image
        exists: the constant images are served without a look at the ledger.
        """
        name = _image_name(address.task_id, address.index, address.watermarked)
        if not hmac.compare_digest(address.token.encode(), self._token(name).encode()):
            raise protocol.not_found("no such image")
        if address.suffix == "jpg":
            return constant_image(name), "image/jpeg"
        file_name = f"{name.replace('/', '-')}.png"
        return self._store.image(file_name, lambda: self._paint(address)), "image/png"

    def _paint(self, address: ImageAddress) -> bytes:
        from kling_nb.sandbox.painter import Commission, paint

        task = self.ledger.find(address.task_id)
        if task is None:
            raise protocol.not_found("no such image")
        return paint(
            Commission(
                seed=f"{task.digest}/{task.sample}",
                index=address.index,
                n=task.n,
                size=protocol.SIZES[task.aspect_ratio],
                prompt=task.prompt,
                model_name=task.model_name,
                references=tuple(
                    (item.role, self._store.reference(item.digest) if item.digest else item.url)
                    for item in task.references
                ),
                watermarked=address.watermarked,
            )
        )


@dataclass(frozen=True, slots=True)
class ImageAddress:
    """The parts of an image's path: `task_id`, `index`, `watermarked`, `token` and `suffix`."""

    task_id: str
    index: int
    watermarked: bool
    token: str
    suffix: str


def _image_name(task_id: str, index: int, watermarked: bool) -> str:
    return f"{task_id}/{index}{'w' if watermarked else ''}"


def _new_task_id(now: float) -> str:
    # Like the vendor's: a long number that grows with time and that nobody can guess.
    return str((int(now * 1000) << 40) | secrets.randbits(40))


def _no_slots() -> Refusal:
    return Refusal(429, 1303, "parallel task over resource pack limit")


def _refuse_by_switch(switches: frozenset[str]) -> None:
    if "refuse" in switches:
        raise Refusal(400, 1301, "Content security policy triggered (asked for by [sandbox: refuse])")
    if "broke" in switches:
        raise Refusal(429, 1102, "Account balance not enough (asked for by [sandbox: broke])")
    if "busy" in switches:
        raise _no_slots()


def _count(arguments: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = arguments.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= most):
        raise protocol.invalid(f"{name}: must be an integer from 1 to {most}")
    return int(text)
