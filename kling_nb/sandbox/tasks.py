"""A task, and what the clock makes of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from kling_nb.sandbox.protocol import FAILED, PROCESSING, SUBMITTED, SUCCEED

if TYPE_CHECKING:
    from collections.abc import Callable

    from kling_nb.sandbox.imagefile import Reference

STARTS_AFTER: Final = 0.15  # of a task's time: then `submitted` becomes `processing`

RISK_CONTROL: Final = "Failure to pass the risk control system (asked for by [sandbox: fail])"
BAD_PIXELS: Final = "Image pixel is invalid"


@dataclass(frozen=True, slots=True)
class Task:
    """A task as the ledger keeps it: facts only, no status.

    Parameters
    ----------
    task_id, external_task_id, model_name, prompt, aspect_ratio, callback_url : str
        As in the API.
    n : int
        Images asked for.
    watermark : bool
        Whether watermarked copies are made as well.
    references : tuple of Reference
        The input images.
    digest : str
        Digest of the request, without `external_task_id` and `callback_url`.
    sample : int
        How many tasks with the same digest came before.
    created_at : float
        Seconds since the epoch.
    seconds : float
        How long the task takes.
    ends_at : float
        When it ends, unless held: seconds since the epoch.
    failure : str
        Why it will fail; empty if it will succeed.
    held : str
        The status it stays in until released; empty if time decides.
    """

    task_id: str
    external_task_id: str
    model_name: str
    prompt: str
    aspect_ratio: str
    n: int
    watermark: bool
    references: tuple[Reference, ...]
    callback_url: str
    digest: str
    sample: int
    created_at: float
    seconds: float
    ends_at: float
    failure: str = ""
    held: str = ""

    def status(self, now: float) -> str:
        """Return the `task_status` at a time.

        Parameters
        ----------
        now : float
            Seconds since the epoch.

        Returns
        -------
        {"submitted", "processing", "succeed", "failed"}
            The vendor's spelling.
        """
        if self.held:
            return self.held
        if now >= self.ends_at:
            return FAILED if self.failure else SUCCEED
        return PROCESSING if now >= self._starts_at else SUBMITTED

    @property
    def _starts_at(self) -> float:
        return self.created_at + STARTS_AFTER * self.seconds

    def billed(self, now: float) -> int:
        """Return how many images are charged: `n`, or 0 once the task has failed."""
        return 0 if self.status(now) == FAILED else self.n

    def updated_at(self, now: float) -> float:
        """Return when the status last changed, in seconds since the epoch."""
        status = self.status(now)
        if status == SUBMITTED:
            return self.created_at
        if status == PROCESSING:
            return min(now, self._starts_at)
        return self.ends_at


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger, for people and tests.

    Parameters
    ----------
    task_id, external_task_id : str
        The two ids; the second is empty if the caller gave none.
    created_at : float
        Seconds since the epoch.
    model_name, prompt, aspect_ratio : str
        As requested.
    n : int
        Images asked for.
    billed : int
        Images charged.
    status : {"submitted", "processing", "succeed", "failed"}
        The status when the entry was read.
    subjects : int
        Number of subjects.
    has_scene, has_style, watermark : bool
        What else was asked for.
    digest : str
        Digest of the request; equal requests have equal digests.
    sample : int
        How many tasks with the same digest came before.
    """

    task_id: str
    external_task_id: str
    created_at: float
    model_name: str
    n: int
    billed: int
    status: str
    prompt: str = field(repr=False)
    aspect_ratio: str
    subjects: int
    has_scene: bool
    has_style: bool
    watermark: bool
    digest: str = field(repr=False)
    sample: int


def summarise(task: Task, now: float) -> Entry:
    """Make the ledger's line of a task."""
    roles = [item.role for item in task.references]
    return Entry(
        task_id=task.task_id,
        external_task_id=task.external_task_id,
        created_at=task.created_at,
        model_name=task.model_name,
        n=task.n,
        billed=task.billed(now),
        status=task.status(now),
        prompt=task.prompt,
        aspect_ratio=task.aspect_ratio,
        subjects=roles.count("subject"),
        has_scene="scene" in roles,
        has_style="style" in roles,
        watermark=task.watermark,
        digest=task.digest,
        sample=task.sample,
    )


def created_object(task: Task) -> dict[str, Any]:
    """Make the `data` of the answer to a create: always `submitted`, whatever the clock says."""
    created = round(task.created_at * 1000)
    return {
        "task_id": task.task_id,
        "task_status": SUBMITTED,
        "task_info": {"external_task_id": task.external_task_id},
        "created_at": created,
        "updated_at": created,
    }


def task_object(
    task: Task,
    now: float,
    image_url: Callable[[Task, int, bool], str],
    units_per_image: float = 1.0,
) -> dict[str, Any]:
    """Make the object of a query, of a list and of a callback.

    Parameters
    ----------
    task : Task
        The task.
    now : float
        Seconds since the epoch.
    image_url : callable
        Gives the address of an image from the task, its index and whether it is the watermarked copy.
    units_per_image : float
        Units deducted for an image.

    Returns
    -------
    dict
        The object, as JSON holds it.
    """
    status = task.status(now)
    data = created_object(task) | {
        "task_status": status,
        "task_status_msg": task.failure if status == FAILED else "",
        "watermark_info": {"enabled": task.watermark},
        "updated_at": round(task.updated_at(now) * 1000),
    }
    if status in (SUCCEED, FAILED):
        data["final_unit_deduction"] = f"{task.billed(now) * units_per_image:g}"
    if status == SUCCEED:
        images = [_image(task, index, image_url) for index in range(task.n)]
        data["task_result"] = {"images": images}
    return data


def _image(task: Task, index: int, image_url: Callable[[Task, int, bool], str]) -> dict[str, Any]:
    image: dict[str, Any] = {"index": index, "url": image_url(task, index, False)}
    if task.watermark:
        image["watermark_url"] = image_url(task, index, True)
    return image
