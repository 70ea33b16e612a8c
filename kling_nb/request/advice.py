"""What is worth saying about a request that is valid and is sent as it is."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from kling_nb import imagedata
from kling_nb.records import MODEL_NAMES, Reference
from kling_nb.request import urls
from kling_nb.request.problems import near, quoted

if TYPE_CHECKING:
    from PIL import Image

_GPS_IFD = 0x8825
_GPS_LATITUDE = 2
_REMEMBERED = 4_096
_places: dict[str, bool] = {}


def warnings(model_name: str, references: Sequence[Reference], callback_url: str | None) -> tuple[str, ...]:
    """Collect the warnings on a request.

    Parameters
    ----------
    model_name : str
        As it is sent.
    references : sequence of Reference
        Subjects, scene and style.
    callback_url : str, optional
        As it is sent.

    Returns
    -------
    tuple of str
        One line each; empty when there is nothing to say.
    """
    found = [*_on_model(model_name), *_on_repeats(references), *_on_places(references), *_on_urls(references)]
    if callback_url and urls.is_local(callback_url):
        found.append(f"callback_url {quoted(callback_url)} is on a private network, which the server cannot reach")
    return tuple(found)


def has_place(data: bytes) -> bool:
    """Whether an image file says where it was taken, in its EXIF or XMP.

    Parameters
    ----------
    data : bytes
        A whole file; its pixels are not decoded.
    """
    try:
        image = imagedata.open_image(data)
        xmp: Any = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
        if (b"GPSLatitude" if isinstance(xmp, bytes) else "GPSLatitude") in xmp:
            return True
        exif = _exif_of_png(data) if image.format == "PNG" else image.getexif()
        return _GPS_LATITUDE in exif.get_ifd(_GPS_IFD)
    except Exception:  # noqa: BLE001 - damaged metadata raises anything, and then says no place
        return False


def _has_place(sha256: str, data: bytes) -> bool:
    # One picture is the reference of many tasks.
    if sha256 not in _places:
        if len(_places) >= _REMEMBERED:
            _places.clear()
        _places[sha256] = has_place(data)
    return _places[sha256]


def _exif_of_png(data: bytes) -> "Image.Exif":
    """Find the EXIF of a PNG wherever it stands: Pillow would decode the pixels to get behind them."""
    from PIL import Image

    exif = Image.Exif()
    at = data.find(b"eXIf")
    if at > 0:
        length = int.from_bytes(data[at - 4 : at], "big")
        exif.load(data[at + 4 : at + 4 + length])
    return exif


def _on_model(model_name: str) -> Iterator[str]:
    if model_name not in MODEL_NAMES:
        meant = near(model_name, MODEL_NAMES, 1)
        hint = f" (did you mean {quoted(meant[0])}?)" if meant else ""
        yield f"model_name {quoted(model_name)} is not one of {', '.join(MODEL_NAMES)}; it is sent as it is{hint}"


def _on_repeats(references: Sequence[Reference]) -> Iterator[str]:
    seen: dict[tuple[str, str], Reference] = {}
    for image in references:
        first = seen.setdefault((image.role, image.sha256), image)
        if first is not image:
            yield f"{quoted(first.name)} and {quoted(image.name)} are the same picture"


def _on_places(references: Sequence[Reference]) -> Iterator[str]:
    for image in references:
        # Whatever was converted has lost its metadata.
        if image.data is not None and not image.changes and _has_place(image.sha256, image.data):
            yield f"{quoted(image.name)} carries GPS coordinates in its metadata; it is sent as it is"


def _on_urls(references: Sequence[Reference]) -> Iterator[str]:
    for image in references:
        if image.url and urls.is_local(image.url):
            yield f"{quoted(image.name)} is on a private network, which the server cannot reach"
