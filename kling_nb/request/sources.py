"""What a notebook may hold as a reference, and how each kind becomes bytes, pixels or a URL.

One table, tried from the top. A kind whose library is not loaded cannot be met, so no library is imported.
"""

import io
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from kling_nb import imagedata
from kling_nb.request import arrays, prepare, text
from kling_nb.request.convert import Picture
from kling_nb.request.places import Leaf, NamedSource, Place
from kling_nb.request.problems import Unsuitable, kind, quoted, shown

_WANTED = (
    "give a file, a glob, an http(s) URL, image bytes, a PIL image, an array or tensor, a figure, an upload,"
    " or a list of these"
)


_EMPTY = "is empty; it holds no image"


def leaves(value: Any, place: Place = Place()) -> Iterator[Leaf]:  # noqa: B008 - an immutable value
    """Find every reference that a value stands for, in order.

    Parameters
    ----------
    value : object
        Anything.
    place : Place, optional
        Its name, and what it lies in.

    Yields
    ------
    Leaf
        Files are read and pixels taken as each is asked for.

    Raises
    ------
    Unsuitable
        With the name of what does not suit, as far as one is known.
    """
    try:
        for fits, expand in _KINDS:
            if fits(value):
                yield from expand(value, place)
                return
    except imagedata.NotAnImage as error:
        raise Unsuitable(str(error), place.name) from None
    except Unsuitable as problem:
        problem.name = problem.name or place.name or _own_name(value)
        raise


def _own_name(value: Any) -> str | None:
    """Return what to call a value that does not suit, when the user gave it no name."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        return value if len(value) <= 200 else None
    filename = getattr(value, "filename", None) or getattr(value, "name", None)
    if isinstance(filename, str):
        return filename
    return type(value).__name__ if arrays.is_array(value) else None


def _article(word: str) -> str:
    return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"


def _is(module: str, *names: str) -> Callable[[Any], bool]:
    """Make a test for instances of classes of a module, true only when that is loaded."""

    def test(value: Any) -> bool:
        loaded = sys.modules.get(module)
        classes = tuple(getattr(loaded, name, ()) for name in names) if loaded else ()
        return isinstance(value, classes)

    return test


def _of(*types: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, types)


def _is_missing(value: Any) -> bool:
    """Whether a value is what data frames put where there is none."""
    return (isinstance(value, float) and math.isnan(value)) or type(value).__name__ in {"NaTType", "NAType"}


def _refused(clause: str) -> Callable[[Any, Place], Iterator[Leaf]]:
    def refuse(_value: Any, _place: Place) -> Iterator[Leaf]:
        raise Unsuitable(clause)

    return refuse


# Kinds that hold others.


def _own(value: Any, place: Place) -> Iterator[Leaf]:
    yield from leaves(value.__kling_reference__(), place.inside(value))


def _named(value: NamedSource, place: Place) -> Iterator[Leaf]:
    inner = place.inside(value)
    yield from leaves(value.value, inner._replace(name=place.name or value.name, origin=value.origin or place.origin))


def _each(pairs: Iterable[tuple[object, Any]], place: Place) -> Iterator[Leaf]:
    count = 0
    for key, item in pairs:
        count += 1
        yield from leaves(item, place.at(key))
    if not count:
        raise Unsuitable(_EMPTY)


def _sequence(value: Iterable[Any], place: Place) -> Iterator[Leaf]:
    yield from _each(enumerate(value), place.inside(value))


def _mapping(value: Mapping[Any, Any], place: Place) -> Iterator[Leaf]:
    inner = place.inside(value)
    for key, item in value.items():
        # Version 7 of FileUpload keys its files by name; what they are called says more.
        own = key if isinstance(key, str) and not _is_upload(item) else None
        yield from leaves(item, inner.at(_label(key)) if place.name else inner._replace(name=own))
    if not value:
        raise Unsuitable(_EMPTY)


def _series(value: Any, place: Place) -> Iterator[Leaf]:
    if not place.name and isinstance(value.name, str):
        place = place._replace(name=value.name)
    yield from _each(((_label(key), item) for key, item in value.items()), place.inside(value))


def _label(key: Any) -> Any:
    """Return an index label as plain Python, so that its repr reads as one would type it."""
    return key.item() if hasattr(key, "item") else key


def _array(value: Any, place: Place) -> Iterator[Leaf]:
    array = arrays.to_array(value)
    if array.dtype.kind in "OUST":
        yield from leaves(array.item(), place) if not array.ndim else _sequence(array.ravel().tolist(), place)
        return
    batch = arrays.as_batch(array)
    if batch is not None and len(batch) != 1:
        yield from _sequence(batch, place)
        return
    picture = arrays.to_picture(array if batch is None else batch[0])
    word = "tensor" if arrays.is_tensor(value) else "array"
    yield _pixels(picture, word, place)


# Kinds that are one image, or name some.


def _text(value: Any, place: Place) -> Iterator[Leaf]:
    typed = os.fsdecode(os.fspath(value)) if isinstance(value, os.PathLike) else str(value)
    try:
        for found in text.find(typed):
            # The files of one glob are told apart by their own names.
            name = found.name if found.is_match or not place.name else place.name
            yield Leaf(name, data=found.data, url=found.url, origin=place.origin)
    except Unsuitable as problem:
        if problem.name is None and place.name and place.name != typed:
            raise Unsuitable(f"({quoted(typed)}) {problem.clause}", place.name) from None
        raise


def _bytes(value: Any, place: Place, described: str = "") -> Iterator[Leaf]:
    data = value if type(value) is bytes else bytes(value)
    # b64encode() returns bytes; no image format begins with as much plain text.
    if data[:64].isascii():
        data = text.decode_base64(data.decode("ascii", "replace")) or data
    yield Leaf(place.name or described or f"bytes ({len(data):,})", data=data, origin=place.origin)


def _pillow(value: Any, place: Place) -> Iterator[Leaf]:
    picture = prepare.from_pillow(value)
    filename = getattr(value, "filename", "")
    yield _pixels(picture, "image", place, filename if isinstance(filename, str) else "")


def _pixels(picture: Picture, word: str, place: Place, described: str = "") -> Leaf:
    described = described or f"{word} {picture.image.width}×{picture.image.height}"
    return Leaf(place.name or described, picture=picture, origin=place.origin)


def _is_upload(value: Any) -> bool:
    """Whether a value is one file of a FileUpload: version 8 has its name beside, version 7 below."""
    if not isinstance(value, Mapping) or "content" not in value:
        return False
    return "name" in value or "metadata" in value


def _upload(value: Mapping[str, Any], place: Place) -> Iterator[Leaf]:
    metadata = value.get("metadata") or value
    yield from _bytes(value["content"], place, f"upload {metadata.get('name', '')}".strip())


def _upload_widget(value: Any, place: Place) -> Iterator[Leaf]:
    if not value.value:
        raise Unsuitable("is an upload without a file yet")
    yield from leaves(value.value, place.inside(value))


def _image_widget(value: Any, place: Place) -> Iterator[Leaf]:
    content = bytes(value.value)
    if value.format == "url":
        yield from _text(content.decode("utf-8", "replace"), place)
    else:
        yield from _bytes(content, place, "image widget")


def _display_image(value: Any, place: Place) -> Iterator[Leaf]:
    inner = place.inside(value)
    filename = value.filename if isinstance(value.filename, str) else None
    if value.data:
        yield from leaves(value.data, inner._replace(name=place.name or filename))
    else:
        yield from leaves(value.url or filename, inner)


def _has_figure(value: Any) -> bool:
    test = _is("matplotlib.figure", "FigureBase")
    # Axes and what is drawn on them belong to a figure, and so do the grids of other plot libraries.
    return test(value) or ("matplotlib.figure" in sys.modules and test(getattr(value, "figure", None)))


def _figure(value: Any, place: Place) -> Iterator[Leaf]:
    figure = value
    while (parent := figure.figure) is not figure:
        figure = parent
    buffer = io.BytesIO()
    # Without the version of matplotlib in it, the same drawing gives the same bytes.
    figure.savefig(buffer, format="png", dpi="figure", metadata={"Software": None})
    yield Leaf(place.name or "figure", data=buffer.getvalue(), origin=place.origin)


def _file(value: Any, place: Place) -> Iterator[Leaf]:
    filename = getattr(value, "name", None)
    described = filename if isinstance(filename, str) else "open file"
    if isinstance(value, io.BytesIO):
        data: Any = value.getvalue()
    else:
        data = _read_open(value)
    if isinstance(data, str):
        raise Unsuitable('was opened as text; open it with "rb"')
    if not isinstance(data, bytes | bytearray | memoryview):
        raise Unsuitable(f"gives {_article(kind(data))} when it is read, not bytes")
    yield from _bytes(data, place, described)


def _read_open(file: Any) -> Any:
    """Read an open file, from its start when it has been read to its end before."""
    try:
        data = file.read()
        if not data and hasattr(file, "seek"):
            file.seek(0)
            data = file.read()
    except UnicodeDecodeError:
        raise Unsuitable('was opened as text; open it with "rb"') from None
    except (OSError, ValueError) as error:
        raise Unsuitable(f"cannot be read ({error})") from None
    return data


def _rich(value: Any, place: Place) -> Iterator[Leaf]:
    for method in ("_repr_png_", "_repr_jpeg_"):
        shows = getattr(value, method, None)
        data = shows() if callable(shows) else None
        data = data[0] if isinstance(data, tuple) else data
        if data:
            inner = place.inside(value)
            yield from leaves(data, inner._replace(name=place.name or kind(value)))
            return
    raise Unsuitable(f"is {_article(kind(value))}, which gives no image of itself; {_WANTED}")


def _unsuitable(value: Any, _place: Place) -> Iterator[Leaf]:
    raise Unsuitable(f"is {_article(kind(value))} ({shown(value)}); {_WANTED}")


def _is_rich(value: Any) -> bool:
    return any(callable(getattr(type(value), name, None)) for name in ("_repr_png_", "_repr_jpeg_"))


_KINDS: tuple[tuple[Callable[[Any], bool], Callable[[Any, Place], Iterator[Leaf]]], ...] = (
    (lambda value: value is None, _refused(f"is None; {_WANTED}")),
    (_of(type), _refused(f"is a class, not an object of it; {_WANTED}")),
    (_is_missing, _refused("is missing (NaN)")),
    (lambda value: hasattr(type(value), "__kling_reference__"), _own),
    (_of(NamedSource), _named),
    (_of(str, os.PathLike), _text),
    (_of(bytes, bytearray, memoryview), _bytes),
    (_is("PIL.Image", "Image"), _pillow),
    (_is_upload, _upload),
    (_of(Mapping), _mapping),
    (_of(set, frozenset), _refused("is a set, which has no order; give a list")),
    (_of(list, tuple), _sequence),
    (_is("pandas", "DataFrame"), _refused('is a table; choose a column of images, such as df["image"]')),
    (_is("pandas", "Series"), _series),
    (_has_figure, _figure),
    (_is("matplotlib.artist", "Artist"), _refused("is part of no figure")),
    (_is("IPython.core.display", "Image"), _display_image),
    (_is("ipywidgets", "FileUpload"), _upload_widget),
    (_is("ipywidgets", "Image"), _image_widget),
    (arrays.is_array, _array),
    (lambda value: callable(getattr(value, "read", None)), _file),
    (_is_rich, _rich),
    (_of(Iterator), _sequence),
    (lambda _value: True, _unsuitable),
)
