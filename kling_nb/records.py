"""What the rooms hand to one another: frozen facts about references, images and tasks.

Times are seconds since the epoch (UTC) as floats, sizes are bytes, widths and heights are pixels.
Paths are POSIX text relative to the workspace, so that the folder can be moved.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["subject", "scene", "style"]
State = Literal["fine", "note", "problem"]
TaskStatus = Literal[
    "planned",
    "sending",
    "submitted",
    "processing",
    "succeeded",
    "failed",
    "uncertain",
    "cancelled",
]

ASPECT_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9")
MODEL_NAMES = ("kling-v2", "kling-v2-1")
REFERENCE_FIELDS = ("subject_images", "scene_image", "style_image")
FIELDS = ("prompt", "model_name", *REFERENCE_FIELDS, "aspect_ratio", "n")
"""What a comparison can vary, by the API's names."""
MAX_PROMPT = 2500
MAX_SUBJECTS = 4
MAX_N = 9

SANDBOX_GATEWAY = "sandbox"

URLS_LIVE = 30 * 86_400.0
"""Seconds after which the vendor's image URLs are dead; resellers' often sooner."""

ENDED: frozenset[TaskStatus] = frozenset({"succeeded", "failed", "cancelled"})
UNDER_WAY: frozenset[TaskStatus] = frozenset({"submitted", "processing"})

OF_THE_ACCOUNT = ("AuthenticationFailed", "OutOfBalance", "NotPermitted", "ConfigurationError")
"""Kinds of failures that say nothing of a request: no task was made, and the same may be asked for again."""


@dataclass(frozen=True, slots=True)
class Reference:
    """An input image with its role, exactly as it is sent.

    Parameters
    ----------
    role : {"subject", "scene", "style"}
        What the image is for.
    name : str
        What the user called it: a variable, a file, a URL.
    sha256 : str
        Hexadecimal hash of the bytes as sent; for a URL, of its text.
    url : str, optional
        Set when the reference is sent as a URL; then there are no bytes.
    media_type : str, optional
        ``image/jpeg`` or ``image/png``.
    width, height : int, optional
        Pixels.
    size : int, optional
        Bytes.
    changes : tuple of str
        What was done to make it fit to send, in words; empty when it goes out bit for bit.
    origin : str, optional
        For an image of an earlier task: that task's id and the image's index.
    data : bytes, optional
        The bytes as sent; left out when a record is read back from the journal.
    """

    role: Role
    name: str
    sha256: str
    url: str | None = None
    media_type: str | None = None
    width: int | None = None
    height: int | None = None
    size: int | None = None
    changes: tuple[str, ...] = ()
    origin: str | None = None
    data: bytes | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task did not go well, as it can be stored and raised again.

    Parameters
    ----------
    kind : str
        The name of a class in `kling_nb.errors`.
    message : str
        What happened, in one sentence.
    http_status : int, optional
        The status of the HTTP answer.
    code : str, optional
        The API's error code.
    request_id : str, optional
        The gateway's id of its answer.
    advice : str, optional
        What to do next, where that is not what is always done about failures of this kind.
    """

    kind: str
    message: str
    http_status: int | None = None
    code: str | None = None
    request_id: str | None = None
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image of a task: where it is served, and where it is saved.

    Parameters
    ----------
    index : int
        The API's own index within the task, from 0.
    url, watermark_url : str, optional
        Where the gateway serves it; these die after days.
    path : str, optional
        The saved file, relative to the workspace. None until it is on disk, whole and hashed.
    sha256, media_type, width, height, size
        Of the saved bytes.
    problem : str, optional
        Why it is not saved, in words.
    """

    index: int
    url: str | None = None
    watermark_url: str | None = None
    path: str | None = None
    sha256: str | None = None
    media_type: str | None = None
    width: int | None = None
    height: int | None = None
    size: int | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class TaskState:
    """What the gateway says of a task, whichever envelope it came in.

    Parameters
    ----------
    task_id : str
        The API's id.
    task_status : {"submitted", "processing", "succeeded", "failed"}
        In this project's spelling.
    message : str
        ``task_status_msg``: why it failed.
    external_task_id : str, optional
        The caller's id, where the gateway repeats it.
    created_at, updated_at : float, optional
        The gateway's clock.
    images : tuple of ImageRecord
        With URLs only.
    units : str, optional
        ``final_unit_deduction``, as sent.
    request_id : str, optional
        Of the answer that this was read from.
    """

    task_id: str
    task_status: TaskStatus
    message: str = ""
    external_task_id: str | None = None
    created_at: float | None = None
    updated_at: float | None = None
    images: tuple[ImageRecord, ...] = ()
    units: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One paid request, from plan to saved images.

    Parameters
    ----------
    id : str
        Ours; sorts by time.
    gateway : str
        The base URL that it was sent to, or ``sandbox``.
    request : mapping
        The body as sent, with each picture's bytes replaced by ``sha256:…``.
    digest : str
        Of the request by content (see `kling_nb.request`).
    references : tuple of Reference
        Subjects in order, then scene, then style.
    external_task_id : str
        The handle on a create whose answer was lost.
    task_id : str, optional
        The API's id, once known.
    task_status : TaskStatus
        See the module's list.
    created_at : float
        When it was planned.
    sent_at, submitted_at, processing_at, finished_at, saved_at : float, optional
        When the create was sent and answered, when the task was first seen to be processed and
        seen to have ended, and when the last image was saved.
    images : tuple of ImageRecord
        Empty until the task has succeeded.
    units : str, optional
        What the API says it deducted.
    request_id : str, optional
        Of the create's answer.
    failure : Failure, optional
        Why it failed, or why some image is missing.
    warnings : tuple of str
        What the user should know although it was sent.
    owner : str
        The process that has it in hand (see `kling_nb.workspace.owners`); empty when one let go of it.
    account : str
        Tells the keys that tasks were sent with apart, and gives none of them away; empty before sending.
    sends : int
        How often its create was sent.
    """

    id: str
    gateway: str
    request: Mapping[str, Any]
    digest: str
    references: tuple[Reference, ...]
    external_task_id: str
    created_at: float
    task_status: TaskStatus = "planned"
    task_id: str | None = None
    sent_at: float | None = None
    submitted_at: float | None = None
    processing_at: float | None = None
    finished_at: float | None = None
    saved_at: float | None = None
    images: tuple[ImageRecord, ...] = ()
    units: str | None = None
    request_id: str | None = None
    failure: Failure | None = None
    warnings: tuple[str, ...] = ()
    owner: str = ""
    account: str = ""
    sends: int = 0

    @property
    def sandbox(self) -> bool:
        """Whether the task went to the local sandbox, and so cost nothing."""
        return self.gateway == SANDBOX_GATEWAY

    @property
    def n(self) -> int:
        """How many images were asked for, which is also how many slots the task occupies."""
        return int(self.request["n"])

    @property
    def model_name(self) -> str:
        """The model that was asked."""
        return str(self.request["model_name"])

    @property
    def prompt(self) -> str:
        """The prompt as sent; empty when there was none."""
        return str(self.request.get("prompt", ""))

    @property
    def missing(self) -> int:
        """How many of the images asked for are not on disk."""
        return self.n - sum(image.path is not None for image in self.images)

    @property
    def unmade(self) -> bool:
        """Whether the gateway never made it, for no fault of the request's: it may be asked for again."""
        of_account = self.failure is not None and self.failure.kind in OF_THE_ACCOUNT
        return self.task_status == "cancelled" or (self.task_status == "failed" and of_account)

    @property
    def complete(self) -> bool:
        """Whether nothing remains to be done for this task."""
        if self.task_status == "succeeded":
            return self.saved_at is not None
        return self.task_status in ENDED


@dataclass(frozen=True, slots=True)
class SlotLimit:
    """What is known of an account's slots for one model.

    Parameters
    ----------
    begun : int
        The setting that it was learned from.
    slots : int
        How many may be filled without further ado: the setting, or what is known to work.
    largest : int
        The largest task (its ``n``) that was ever taken.
    refusals : int
        1303s, less what was found since where none was thought to be. The more, the longer until the next try.
    refused_at : float
        When the last of them was, in seconds since the epoch; 0 when the next try need not wait.
    ceiling : int
        How many there are at most, as refusals have shown lately; 0 when none has.
    most : int
        The most that were ever held at once, as far as this workspace knows.
    """

    begun: int
    slots: int
    largest: int = 0
    refusals: int = 0
    refused_at: float = 0.0
    ceiling: int = 0
    most: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the doctor has looked at.

    Parameters
    ----------
    section, name : str
        What it is.
    text : str
        What was found, in words.
    state : {"fine", "note", "problem"}
        Whether somebody should do something about it.
    advice : str
        What.
    value : object
        The same for a program: numbers, text, lists and mappings.
    """

    section: str
    name: str
    text: str
    state: State = "fine"
    advice: str = ""
    value: Any = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What one day, model and gateway came to.

    Parameters
    ----------
    day : str
        For example ``2026-11-22``, in local time.
    model_name : str
        The model that was asked.
    gateway : str
        The base URL, or ``sandbox``.
    tasks, images : int
        Tasks that the gateway took and did not report as failed, and the images asked for with them.
    uncertain : int
        Images of tasks whose answer was lost: they may be billed, and are not among ``images``.
    price : float, optional
        Of ``images``, in the currency of the settings; None where it is not known, 0 in the sandbox.
    """

    day: str
    model_name: str
    gateway: str
    tasks: int
    images: int
    uncertain: int = 0
    price: float | None = None
