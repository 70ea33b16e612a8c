"""A reference as it is found in what a notebook holds, and the place where it was found."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from kling_nb.request.convert import Picture
from kling_nb.request.problems import Unsuitable

_MAX_DEPTH = 20


@dataclass(frozen=True, slots=True)
class NamedSource:
    """A reference that knows its own name and where it came from.

    ``__kling_reference__()`` of any object may return one, as it may return any other kind.

    Parameters
    ----------
    value : object
        Of any kind that `collect` takes.
    name : str, optional
        What to call it when the user gave no name.
    origin : str, optional
        For an image of an earlier task: that task's id and the image's index.
    """

    value: Any
    name: str | None = None
    origin: str | None = None


class Leaf(NamedTuple):
    """One reference, found: exactly one of `data`, `picture` and `url` is set.

    Parameters
    ----------
    name : str
        What to call it.
    data : bytes, optional
        A whole image file.
    picture : Picture, optional
        Pixels from memory.
    url : str, optional
        For the server to fetch.
    origin : str, optional
        As of `NamedSource`.
    """

    name: str
    data: bytes | None = None
    picture: Picture | None = None
    url: str | None = None
    origin: str | None = None


class Place(NamedTuple):
    """Where a value was found.

    Parameters
    ----------
    name : str, optional
        What the user called it.
    origin : str, optional
        As of `NamedSource`.
    trail : tuple of int
        Identities of the values that it lies in, outermost first.
    """

    name: str | None = None
    origin: str | None = None
    trail: tuple[int, ...] = ()

    def inside(self, value: Any) -> "Place":
        """Return the place of something within `value`, by the same name."""
        if id(value) in self.trail:
            raise Unsuitable("contains itself")
        if len(self.trail) >= _MAX_DEPTH:
            raise Unsuitable(f"is nested more than {_MAX_DEPTH} deep")
        return self._replace(trail=(*self.trail, id(value)))

    def at(self, key: object) -> "Place":
        """Return the place under an index or a key, which only has a name where the whole has one."""
        return self._replace(name=f"{self.name}[{key!r}]" if self.name else None)
