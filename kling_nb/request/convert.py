"""Pixels as every server sees them alike: one frame, upright, 8 bits, grey or RGB, with or without alpha.

Nothing here touches a disk. Pillow is imported by whoever holds an image already.
"""

import io
import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from kling_nb import imagedata
from kling_nb.request.problems import Unsuitable

if TYPE_CHECKING:
    from PIL import Image

ORIENTATION = 0x0112
"""The EXIF tag that says how a camera was held."""

MAX_PROFILE = 1_000_000
"""A colour profile of more bytes than this is not carried along: it would eat the file's limit."""

FLOAT_TOLERANCE = 1e-5
"""How far floats may miss 0..1: what resizing and other arithmetic in single precision leaves."""

_FORMATS = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "WEBP": "WebP", "JPEG2000": "JPEG 2000"}


class Picture(NamedTuple):
    """Pixels ready to be encoded, and what was done to them.

    Parameters
    ----------
    image : PIL.Image.Image
        Mode L, LA, RGB or RGBA, upright, without any metadata.
    source : str, optional
        The format of the file that it came from, ``WebP`` for example; None for pixels in memory.
    changes : tuple of str
        In words, in the order they were made.
    profile : bytes, optional
        The ICC profile that belongs to the pixels.
    """

    image: "Image.Image"
    source: str | None = None
    changes: tuple[str, ...] = ()
    profile: bytes | None = None


def source_format(image: "Image.Image") -> str:
    """Return what to call the format of an opened file."""
    name = image.format or "unknown"
    return _FORMATS.get(name, name)


def orientation(image: "Image.Image") -> int:
    """Read the EXIF orientation of an opened file: 1 is upright, as is anything that cannot be read."""
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - damaged EXIF raises anything, and is not worth refusing a picture for
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def is_sendable(image: "Image.Image", data: bytes) -> bool:
    """Whether a server sees this file just as the user does, so that its bytes can go out untouched.

    Parameters
    ----------
    image : PIL.Image.Image
        The opened file. A PNG must be decoded already: its EXIF may come after the pixels.
    data : bytes
        The file.
    """
    kind = source_format(image)
    if kind == "JPEG":
        plain = image.mode in {"L", "RGB"}
    elif kind == "PNG":
        deep = data[24:25] == b"\x10"  # the bit depth in IHDR, always the first chunk
        plain = image.mode in {"1", "L", "LA", "RGB", "RGBA"} and not deep and frames(image) == 1
    else:
        plain = False
    return plain and orientation(image) == 1


def frames(image: "Image.Image") -> int:
    """Return how many frames or pages an opened file has."""
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # noqa: BLE001 - a file that ends within a later frame may still have a good first one
        return 1


def normalise(image: "Image.Image", data: bytes | None = None) -> Picture:
    """Decode an image and bring it into a form that needs no metadata to be seen as it is meant.

    Parameters
    ----------
    image : PIL.Image.Image
        An opened file, or an image in memory. It is decoded and otherwise left alone.
    data : bytes, optional
        The file, where there is one.

    Returns
    -------
    Picture
        8 bits a channel, mode L, LA, RGB or RGBA.

    Raises
    ------
    kling_nb.imagedata.NotAnImage
        The pixels cannot be decoded.
    Unsuitable
        The pixels are numbers of which no image can be made.
    """
    source = source_format(image) if data is not None else None
    # A derived image keeps the EXIF of its file although its pixels may have been turned since.
    is_file = data is not None or bool(image.format)
    changes = _frame_chosen(image)
    # Some formats are turned upright by Pillow while they are decoded, and lose the tag by that;
    # asking a PNG before would decode it, and lose what is wrong with it.
    rotated = is_file and image.format != "PNG" and orientation(image) != 1
    deep = _is_deep(image, data)
    imagedata.decode(image)
    turns = orientation(image) if is_file else 1
    if rotated or turns != 1:
        changes.append("rotated upright as its EXIF says")
    # A profile of inks, or of Lab, says nothing about the RGB that is made of them.
    profile = None if image.mode in {"CMYK", "LAB"} else image.info.get("icc_profile")
    plain, words = _plain(image)
    if deep and not words:
        words = ["16-bit reduced to 8-bit"]
    plain = _upright(plain, turns)
    plain = plain.copy() if plain is image else plain
    plain.info = {}
    return Picture(plain, source, (*changes, *words), _fitting_profile(profile, plain.mode))


def _frame_chosen(image: "Image.Image") -> list[str]:
    count = frames(image)
    # An MPO is one JPEG with a preview or a second view behind it, not an animation.
    if count == 1 or image.format == "MPO":
        return []
    what = "pages" if image.format == "TIFF" else "frames"
    at = image.tell()
    return [f"first of {count} {what}" if at == 0 else f"number {at + 1} of {count} {what}"]


def _upright(image: "Image.Image", turns: int) -> "Image.Image":
    from PIL import Image

    transpose = Image.Transpose
    method = {
        2: transpose.FLIP_LEFT_RIGHT,
        3: transpose.ROTATE_180,
        4: transpose.FLIP_TOP_BOTTOM,
        5: transpose.TRANSPOSE,
        6: transpose.ROTATE_270,
        7: transpose.TRANSVERSE,
        8: transpose.ROTATE_90,
    }.get(turns)
    return image if method is None else image.transpose(method)


def _is_deep(image: "Image.Image", data: bytes | None) -> bool:
    """Whether a file has more than 8 bits a channel that Pillow reduces silently."""
    if image.format == "PNG" and data is not None:
        return data[24:25] == b"\x10"
    if image.format == "TIFF":
        bits = getattr(image, "tag_v2", {}).get(258, 8)
        return bits == 16 or (isinstance(bits, tuple) and 16 in bits)
    return False


def _plain(image: "Image.Image") -> tuple["Image.Image", list[str]]:
    """Return the image in mode L, LA, RGB or RGBA, and what that changed, in words."""
    convert = _CONVERSIONS.get(image.mode)
    if convert is None:
        raise Unsuitable(f"has colours that cannot be converted (Pillow's mode {image.mode})")
    try:
        return convert(image)
    except Unsuitable:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged palette or profile raises anything
        raise Unsuitable(f"has colours that cannot be converted ({str(error)[:120]})") from None


def _same(image: "Image.Image") -> tuple["Image.Image", list[str]]:
    """Keep the pixels; a colour that the file declares transparent becomes an alpha channel."""
    clear = image.info.get("transparency")
    if image.mode in {"1", "L"} and isinstance(clear, int):
        return image.convert("LA"), []
    if image.mode == "RGB" and isinstance(clear, tuple) and len(clear) == 3:
        image = image.copy()
        # Of 16-bit colours Pillow reduces the pixels to their high bytes, and not this one.
        image.info["transparency"] = tuple(part >> 8 if max(clear) > 255 else part for part in clear)
        return image.convert("RGBA"), []
    return (image.convert("L"), []) if image.mode == "1" else (image, [])


def _to(mode: str, words: str = "") -> Callable[["Image.Image"], tuple["Image.Image", list[str]]]:
    """Make a conversion to one mode that says so, or says nothing where nothing is lost or changed."""

    def convert(image: "Image.Image") -> tuple["Image.Image", list[str]]:
        return image.convert(mode), [words] if words else []

    return convert


def _palette(image: "Image.Image") -> tuple["Image.Image", list[str]]:
    mode = "RGBA" if image.has_transparency_data else "RGB"
    # Of a GIF, which always has a palette, the change of format says enough.
    return image.convert(mode), [] if image.format == "GIF" else [f"palette converted to {mode}"]


def _cmyk(image: "Image.Image") -> tuple["Image.Image", list[str]]:
    from PIL import ImageCms

    profile = image.info.get("icc_profile") or b""
    if profile[16:20] == b"CMYK":
        try:
            converted = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                outputMode="RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
        except (ImageCms.PyCMSError, OSError, ValueError, ImportError):
            converted = None
        if converted is not None:
            return converted, ["CMYK converted to RGB by its colour profile"]
    return image.convert("RGB"), ["CMYK converted to RGB"]


def _lab(image: "Image.Image") -> tuple["Image.Image", list[str]]:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    if converted is None:  # pragma: no cover - only with inPlace=True
        raise Unsuitable("has Lab colours that cannot be converted")
    return converted, ["Lab converted to RGB"]


def _sixteen_bit(image: "Image.Image") -> tuple["Image.Image", list[str]]:
    """Keep the high byte of each sample, as Pillow does for 16-bit RGB; 8-bit values × 257 come back exactly."""
    from PIL import Image

    big_endian = image.mode == "I;16B" or (image.mode == "I;16N" and sys.byteorder == "big")
    high = image.tobytes()[0 if big_endian else 1 :: 2]
    reduced = Image.frombytes("L", image.size, high)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        reduced.info["transparency"] = clear >> 8
        reduced, _ = _same(reduced)
    return reduced, ["16-bit reduced to 8-bit"]


def _integers(image: "Image.Image") -> tuple["Image.Image", list[str]]:
    low, high = _extrema(image)
    if low < 0 or high > 65535:
        raise Unsuitable(f"has integer values from {low:.0f} to {high:.0f}; an image needs 0 to 255, or 0 to 65535")
    # Pillow reads 16-bit PGM and PNG into 32-bit integers; elsewhere small values mean 8 bits.
    if high <= 255 and image.format not in {"PPM", "PNG"}:
        return image.convert("L"), ["32-bit integers taken as 8-bit"]
    return _sixteen_bit(image.convert("I;16"))


def _floats(image: "Image.Image") -> tuple["Image.Image", list[str]]:
    low, high = _extrema(image)
    if not math.isfinite(sum(memoryview(image.tobytes()).cast("f"))):
        low = math.nan
    problem = float_problem(low, high)
    if problem:
        raise Unsuitable(problem)
    scaled = image.point(lambda value: value * 255 + 0.5)
    return scaled.convert("L"), [FLOATS_SCALED]


FLOATS_SCALED = "floats 0..1 scaled to 8-bit"


def float_problem(low: float, high: float) -> str | None:
    """Say why floats of this range are no image, and what the caller probably means.

    Parameters
    ----------
    low, high : float
        The smallest and the largest value; NaN where there is one among them.

    Returns
    -------
    str or None
        A clause, or None when all values lie in 0..1.
    """
    if math.isnan(low) or math.isnan(high):
        return "has NaN among its values; floats must lie between 0 and 1"
    if low >= -FLOAT_TOLERANCE and high <= 1 + FLOAT_TOLERANCE:
        return None
    problem = f"has floats from {low:.6g} to {high:.6g}; floats must lie between 0 and 1"
    if low >= 0 and high <= 255:
        return f'{problem}. If these are 0..255, divide by 255 or use .astype("uint8")'
    if low >= -1 - FLOAT_TOLERANCE and high <= 1 + FLOAT_TOLERANCE:
        return f"{problem}. If these are -1..1, use (x + 1) / 2"
    return problem


def _extrema(image: "Image.Image") -> tuple[float, float]:
    found: Any = image.getextrema()  # a pair of numbers, for an image of one channel
    return found[0], found[1]


def _fitting_profile(profile: Any, mode: str) -> bytes | None:
    """Return the profile if it is small and describes pixels of this mode."""
    wanted = b"GRAY" if mode in {"L", "LA"} else b"RGB "
    if not isinstance(profile, bytes) or len(profile) > MAX_PROFILE or profile[16:20] != wanted:
        return None
    return profile


_CONVERSIONS: dict[str, Callable[["Image.Image"], tuple["Image.Image", list[str]]]] = {
    **dict.fromkeys(("1", "L", "LA", "RGB", "RGBA"), _same),
    "La": _to("LA"),
    "RGBa": _to("RGBA"),
    "RGBX": _to("RGB"),
    "P": _palette,
    "PA": _to("RGBA", "palette converted to RGBA"),
    "YCbCr": _to("RGB", "YCbCr converted to RGB"),
    "HSV": _to("RGB", "HSV converted to RGB"),
    "LAB": _lab,
    "CMYK": _cmyk,
    **dict.fromkeys(("I;16", "I;16L", "I;16B", "I;16N"), _sixteen_bit),
    "I": _integers,
    "F": _floats,
}
