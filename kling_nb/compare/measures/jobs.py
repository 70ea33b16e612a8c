"""What is sent to a worker, and what it does there. Everything in a job can be pickled where its pictures are bytes.

A worker on another machine needs this package, and sees neither our disk nor our journal.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from kling_nb.compare.measures.values import Failure, NotAValue, Outcome, value_of
from kling_nb.display.words import one_line
from kling_nb.errors import KlingError, place_of

if TYPE_CHECKING:
    from PIL import Image

Source = bytes | Callable[[], bytes]
"""The bytes of a picture file, or what reads them."""

_LONGEST = 400


class ReferenceImage:
    """An input image as a measure sees it.

    Two of the same role and bytes are equal, so that a function can cache what it finds of one.

    Parameters
    ----------
    role : {"subject", "scene", "style"}
        What it was for.
    name : str
        What the user called it.
    sha256 : str
        Hexadecimal hash of the bytes as sent; for a URL, of its text.
    source : bytes, callable or None
        Where its bytes are.
    missing : str
        Why there are none, as a sentence.
    """

    __slots__ = ("_missing", "_source", "name", "role", "sha256")

    def __init__(self, role: str, name: str, sha256: str, source: Source | None, missing: str = "") -> None:
        self.role = role
        self.name = name
        self.sha256 = sha256
        self._source = source
        self._missing = missing

    @property
    def has_image(self) -> bool:
        """Whether there are bytes; of what was sent as a URL there are none."""
        return self._source is not None

    @property
    def image(self) -> "Image.Image":
        """A `PIL.Image.Image`, opened anew at every look and decoded when its pixels are needed.

        Raises
        ------
        ValueError
            There are no bytes of it here, or they are no image.
        """
        if self._source is None:
            raise ValueError(self._missing)
        return _open(self._source)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReferenceImage) and (self.role, self.sha256) == (other.role, other.sha256)

    def __hash__(self) -> int:
        return hash((self.role, self.sha256))

    def __repr__(self) -> str:
        return f"<ReferenceImage {self.role}: {self.name}>"


class Images(Sequence["Image.Image"]):
    """Images of a task or cell, each opened when it is looked at, so that a large cell needs little memory.

    Parameters
    ----------
    sources : sequence of bytes or callables
        Where their bytes are.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = tuple(sources)

    def __len__(self) -> int:
        return len(self._sources)

    @overload
    def __getitem__(self, key: int) -> "Image.Image": ...
    @overload
    def __getitem__(self, key: slice) -> "Images": ...
    def __getitem__(self, key: int | slice) -> "Image.Image | Images":
        if isinstance(key, slice):
            return Images(self._sources[key])
        return _open(self._sources[key])


@dataclass(frozen=True, slots=True)
class Job:
    """Some calls of one function with the same references and request.

    Parameters
    ----------
    function : callable
        Takes an image or `Images`, references and a request.
    single : bool
        Whether it takes one image.
    calls : tuple of tuple of (bytes or callable)
        The pictures of each call.
    references : tuple of ReferenceImage
        Subjects in order, then scene, then style.
    request : dict
        The API's fields, each picture by its hash.
    """

    function: Callable[..., Any]
    single: bool
    calls: tuple[tuple[Source, ...], ...]
    references: tuple[ReferenceImage, ...]
    request: dict[str, Any]


def outcomes(job: Job) -> Iterator[Outcome]:
    """Yield what each call of a job comes to; what the function raises is an outcome."""
    for sources in job.calls:
        try:
            images = _open(sources[0]) if job.single else Images(sources)
            # A function may change what it is given.
            outcome = Outcome(value_of(job.function(images, job.references, copy.deepcopy(job.request))))
        except NotAValue as error:
            outcome = Outcome(None, Failure(NotAValue.__name__, str(error)))
        except Exception as error:  # noqa: BLE001 - it is the user's, and may raise anything
            outcome = Outcome(None, Failure(type(error).__name__, _said(error)))
        yield outcome


def _said(error: Exception) -> str:
    where = place_of(error)
    try:
        text = error.message if isinstance(error, KlingError) else str(error)
    except Exception:  # noqa: BLE001 - the text of an error may be made by anything
        text = ""
    return one_line(f"{text} ({where})" if where else text, _LONGEST)


def work(job: Job) -> list[Outcome]:
    """Do a job; this is what an executor is given."""
    return list(outcomes(job))


def _open(source: Source) -> "Image.Image":
    from kling_nb.imagedata import open_image

    return open_image(source if isinstance(source, bytes) else source())
