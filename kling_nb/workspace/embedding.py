"""Metadata inside a copy of an image: XMP for everyone, one JSON text for us. Pure, bytes to bytes.

The metadata is put between the parts of the file, and the pixels are not encoded again. XMP carries the
fields of IPTC Photo Metadata 2025.1 for generated images; ``DigitalSourceType`` is the IPTC term
``trainedAlgorithmicMedia``. Writing any of it into a file with content credentials would break their
signature, which is why only copies get it.
"""

import io
import json
import struct
import zlib
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from kling_nb._version import __version__
from kling_nb.errors import InvalidRequest
from kling_nb.imagedata import decode, facts, open_image
from kling_nb.workspace.rows import to_json
from kling_nb.workspace.sidecar import SCHEMA

if TYPE_CHECKING:
    from PIL import Image

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
KEYWORD = "kling_nb"
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {},
    # What nobody sees behind transparent pixels is kept, too.
    "WEBP": {"lossless": True, "exact": True},
    "JPEG": {"quality": 95, "subsampling": 0},
}
_COLOURS = {b"RGB ": ("RGB", "RGBA", "P"), b"GRAY": ("L", "LA", "1")}
_XMP_IN_JPEG = b"http://ns.adobe.com/xap/1.0/\x00"
_XMP_IN_PNG = "XML:com.adobe.xmp"
_BEGINS = f'{{"schema":"{SCHEMA}'.encode()
_JPEG_SEGMENT = 65_533


def in_format(data: bytes, media_type: str, suffix: str) -> bytes:
    """Return an image in the format of a file name's ending.

    Parameters
    ----------
    data : bytes
        The image.
    media_type : str
        What it is now.
    suffix : str
        For example ``.png``; upper or lower case.

    Returns
    -------
    bytes
        The very same when it has that format already; otherwise PNG and WebP without loss, JPEG at
        quality 95 on white.

    Raises
    ------
    InvalidRequest
        The ending is none of ``.png``, ``.jpg``, ``.jpeg`` and ``.webp``.
    """
    name = FORMATS.get(suffix.lower())
    if name is None:
        raise InvalidRequest(
            f"A copy cannot be saved as {repr(suffix) if suffix else 'a file without an ending'}.",
            money="",
            advice="End the name in .png, .jpg or .webp.",
        )
    if _MEDIA_TYPES[name] == media_type:
        return data
    image = open_image(data)
    decode(image)
    profile, exif = image.info.get("icc_profile"), image.getexif()
    changed = _in_colours_for(name, image)
    kept: dict[str, Any] = {}
    # A profile describes the numbers of one kind of colours only.
    if profile and changed.mode in _COLOURS.get(profile[16:20], ()):
        kept["icc_profile"] = profile
    # What a TIFF says there is how its own bytes lie.
    if len(exif) and image.format != "TIFF":
        kept["exif"] = exif
    out = io.BytesIO()
    changed.save(out, name, **kept, **_OPTIONS[name])
    return out.getvalue()


def _in_colours_for(name: str, image: "Image.Image") -> "Image.Image":
    from PIL import Image

    # Without Pillow's remains of the old format, some of which it would write into the new one.
    image = image.copy()
    image.info = {key: value for key, value in image.info.items() if key == "transparency"}
    if image.mode.startswith("I"):
        # 16 bits: Pillow's own conversion cuts off everything above 255.
        image = image.convert("I").point(lambda value: value / 257).convert("L")
    elif image.mode in ("CMYK", "YCbCr", "LAB", "HSV", "F"):
        image = image.convert("L" if image.mode == "F" else "RGB")
    if name == "JPEG" and image.mode not in ("RGB", "L"):
        rgba = image.convert("RGBA")
        image = Image.new("RGB", image.size, "white")
        image.paste(rgba, mask=rgba.getchannel("A"))
    return image


def embed(data: bytes, metadata: dict[str, Any]) -> bytes:
    """Return an image with metadata in it, its pixels untouched.

    Parameters
    ----------
    data : bytes
        PNG, JPEG or WebP.
    metadata : dict
        As `kling_nb.workspace.sidecar.describe` makes it.

    Returns
    -------
    bytes
        With XMP and a JSON text: an ``iTXt`` chunk with the keyword ``kling_nb`` in PNG, a comment in
        JPEG; in WebP, which has no text, XMP alone carries it.
    """
    note = to_json(metadata)
    media_type = facts(data).media_type
    if media_type == "image/png":
        return _into_png(data, xmp(metadata), note)
    if media_type == "image/jpeg":
        return _into_jpeg(data, xmp(metadata), note)
    # Escaped, because XML has no place for some characters.
    return _into_webp(data, xmp(metadata, json.dumps(metadata, separators=(",", ":"))))


def xmp(metadata: dict[str, Any], note: str = "") -> bytes:
    """Return the XMP packet of an image.

    Parameters
    ----------
    metadata : dict
        As `kling_nb.workspace.sidecar.describe` makes it.
    note : str, optional
        The same as JSON, for formats without a place for text.

    Returns
    -------
    bytes
        UTF-8. Source of the fields: IPTC Photo Metadata Standard 2025.1, Extension schema.
    """
    request, times = metadata["request"], metadata["times"]
    fields = {
        "Iptc4xmpExt:DigitalSourceType": SOURCE_TYPE,
        "Iptc4xmpExt:AISystemUsed": "kling_nb sandbox" if metadata["sandbox"] else "Kling",
        "Iptc4xmpExt:AISystemVersionUsed": request["model_name"],
        "Iptc4xmpExt:AIPromptInformation": request.get("prompt", ""),
        "xmp:CreatorTool": f"kling_nb {__version__}",
        "xmp:CreateDate": times["finished"] or times["planned"],
        "kling_nb:task_id": metadata["task"]["task_id"] or "",
        "kling_nb:metadata": note,
    }
    lines = "".join(f"<{name}>{_xml(str(value))}</{name}>\n" for name, value in fields.items() if value)
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        'xmlns:kling_nb="urn:kling_nb:1">\n'
        f'{lines}</rdf:Description></rdf:RDF></x:xmpmeta>\n<?xpacket end="w"?>'
    ).encode()


def _xml(text: str) -> str:
    """Escape text for XML 1.0, which has no control characters at all."""
    allowed = (c for c in text if c in "\t\n\r" or (c >= " " and not 0xD800 <= ord(c) <= 0xDFFF and c not in "￾￿"))
    # A parser would read a bare return as a line feed.
    return escape("".join(allowed), {"\r": "&#13;"})


def _into_png(data: bytes, packet: bytes, note: str) -> bytes:
    ours = tuple(keyword.encode() + b"\x00" for keyword in (_XMP_IN_PNG, KEYWORD))
    place, chunks = 8, []
    while place + 12 <= len(data):
        # A chunk is 4 bytes of length, 4 of type, the content and 4 of checksum.
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        if not (data[place + 4 : place + 8] == b"iTXt" and data.startswith(ours, place + 8)):
            chunks.append(data[place:end])
        place = end
    header, *others = chunks
    new = _itxt(_XMP_IN_PNG, packet) + _itxt(KEYWORD, note.encode())
    return b"".join((data[:8], header, new, *others, data[place:]))


def _itxt(keyword: str, text: bytes) -> bytes:
    # Keyword, not compressed, no language, no translated keyword.
    body = b"iTXt" + keyword.encode("latin-1") + b"\x00\x00\x00\x00\x00" + text
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def _into_jpeg(data: bytes, packet: bytes, note: str) -> bytes:
    place, first, others = 2, b"", b""
    while data[place] == 0xFF and (0xE0 <= data[place + 1] <= 0xEF or data[place + 1] == 0xFE):
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        segment = data[place:end]
        place = end
        if segment[4:].startswith((_XMP_IN_JPEG, _BEGINS)):
            continue
        # XMP comes behind the JFIF and EXIF segments, which some readers want first.
        if segment[1] in (0xE0, 0xE1) and not others:
            first += segment
        else:
            others += segment
    # The comment comes last, because readers keep the last of several.
    head = first + _segment(0xE1, _XMP_IN_JPEG + packet) + others + _segment(0xFE, note.encode())
    return data[:2] + head + data[place:]


def _segment(marker: int, body: bytes) -> bytes:
    # One that is too long is left out rather than cut: half a JSON helps nobody.
    return b"\xff" + struct.pack(">BH", marker, len(body) + 2) + body if len(body) <= _JPEG_SEGMENT else b""


def _into_webp(data: bytes, packet: bytes) -> bytes:
    chunks, place = [], 12
    data = data[: 8 + struct.unpack("<I", data[4:8])[0]]
    while place + 8 <= len(data):
        name, size = data[place : place + 4], struct.unpack("<I", data[place + 4 : place + 8])[0]
        chunks.append((name, data[place + 8 : place + 8 + size]))
        place += 8 + size + size % 2
    if chunks[0][0] == b"VP8X":
        header = bytearray(chunks.pop(0)[1])
    else:
        # The simple form has no room for metadata; the extended one begins with flags and the canvas.
        image = open_image(data)
        alpha = 0x10 if image.mode == "RGBA" else 0
        header = bytearray(
            struct.pack("<I", alpha)
            + (image.width - 1).to_bytes(3, "little")
            + (image.height - 1).to_bytes(3, "little")
        )
    header[0] |= 0x04
    chunks = [(b"VP8X", bytes(header)), *(c for c in chunks if c[0] != b"XMP "), (b"XMP ", packet)]
    body = b"WEBP" + b"".join(
        name + struct.pack("<I", len(content)) + content + b"\x00" * (len(content) % 2) for name, content in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body
