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
from typing import Any
from xml.sax.saxutils import escape

from kling_nb._version import __version__
from kling_nb.errors import InvalidRequest
from kling_nb.imagedata import facts, open_image

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
KEYWORD = "kling_nb"
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "WEBP": {"lossless": True},
    "JPEG": {"quality": 95, "subsampling": 0},
}
_XMP_IN_JPEG = b"http://ns.adobe.com/xap/1.0/\x00"
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
            f"A copy cannot be saved as {suffix or 'a file without an ending'!r}.",
            money="",
            advice="End the name in .png, .jpg or .webp.",
        )
    if _MEDIA_TYPES[name] == media_type:
        return data
    from PIL import Image

    image = open_image(data)
    profile = image.info.get("icc_profile")
    if name == "JPEG" and image.mode not in ("RGB", "L"):
        flat = Image.new("RGB", image.size, "white")
        rgba = image.convert("RGBA")
        flat.paste(rgba, mask=rgba.getchannel("A"))
        image = flat
    out = io.BytesIO()
    image.save(out, name, icc_profile=profile, **_OPTIONS[name])
    return out.getvalue()


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
    note = json.dumps(metadata, ensure_ascii=False, separators=(",", ":"))
    media_type = facts(data).media_type
    if media_type == "image/png":
        return _into_png(data, xmp(metadata), note)
    if media_type == "image/jpeg":
        return _into_jpeg(data, xmp(metadata), note)
    return _into_webp(data, xmp(metadata, note))


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
    return escape("".join(allowed))


def _into_png(data: bytes, packet: bytes, note: str) -> bytes:
    # Behind the 8 bytes of signature and the IHDR chunk: 4 length, 4 type, 13 data, 4 checksum.
    place = 8 + 25
    chunks = _itxt("XML:com.adobe.xmp", packet) + _itxt(KEYWORD, note.encode())
    return data[:place] + chunks + data[place:]


def _itxt(keyword: str, text: bytes) -> bytes:
    # Keyword, not compressed, no language, no translated keyword.
    body = b"iTXt" + keyword.encode("latin-1") + b"\x00\x00\x00\x00\x00" + text
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def _into_jpeg(data: bytes, packet: bytes, note: str) -> bytes:
    # XMP comes behind the JFIF and EXIF segments, which some readers want first.
    place = 2
    while data[place : place + 2] in (b"\xff\xe0", b"\xff\xe1"):
        place += 2 + struct.unpack(">H", data[place + 2 : place + 4])[0]
    segments = b""
    for marker, body in ((b"\xff\xe1", _XMP_IN_JPEG + packet), (b"\xff\xfe", note.encode())):
        # A segment that is too long is left out rather than cut: half a JSON helps nobody.
        if len(body) <= _JPEG_SEGMENT:
            segments += marker + struct.pack(">H", len(body) + 2) + body
    return data[:place] + segments + data[place:]


def _into_webp(data: bytes, packet: bytes) -> bytes:
    chunks, place = [], 12
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
