"""Files of figures made small: photographs as JPEG, wherever that is smaller; everything else compressed losslessly.

matplotlib embeds pictures losslessly, which makes a figure of photographs five to ten times larger than a journal or
arXiv likes. Its PDFs are written uncompressed and put together anew here: the same objects, each stream compressed.
"""

import base64
import io
import re
import zlib

QUALITY = 92
"""Of JPEGs, with full colour resolution: on paper it cannot be told from the original."""

_OBJECT = re.compile(rb"\s*(\d+) 0 obj\r?\n(.*)", re.DOTALL)
_STREAM = re.compile(rb"(<<.*?>>)\r?\nstream\r?\n", re.DOTALL)
_LENGTH = re.compile(rb"/Length (\d+)( 0 R)?")
_PICTURE = re.compile(rb"/Subtype\s+/Image")
_PNG = re.compile(rb"data:image/png;base64,\s*([A-Za-z0-9+/=\s]+)")


def smaller_pdf(pdf: bytes) -> bytes:
    """Return a PDF of matplotlib's, written without compression, as a small one.

    Parameters
    ----------
    pdf : bytes
        With one section of cross-references, and streams without filters.

    Returns
    -------
    bytes
        The same page.
    """
    start = int(pdf[pdf.rindex(b"startxref") + 9 :].split()[0])
    table, _, trailer = pdf[start:].partition(b"trailer")
    offsets = [int(line.split()[0]) for line in table.splitlines()[2:] if line.rstrip().endswith(b"n")]
    ends = dict(zip(sorted(offsets), [*sorted(offsets)[1:], start], strict=True))
    objects = {}
    for begin, end in ends.items():
        found = _OBJECT.match(pdf[begin:end])
        if found is not None:
            objects[int(found[1])] = found[2]
    out = io.BytesIO()
    out.write(pdf[: min(offsets)])
    places = {}
    lengths = {int(found[1]) for content in objects.values() for found in _LENGTH.finditer(_head(content)) if found[2]}
    for number, content in objects.items():
        if number in lengths:
            continue
        places[number] = out.tell()
        out.write(b"%d 0 obj\n%s" % (number, _compressed(content, objects)))
    begin = out.tell()
    count = max(objects) + 1
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % count)
    for number in range(1, count):
        out.write(b"%010d 00000 n \n" % places[number] if number in places else b"0000000000 65535 f \n")
    out.write(b"trailer" + trailer[: trailer.index(b"startxref")] + b"startxref\n%d\n%%%%EOF\n" % begin)
    return out.getvalue()


def _head(content: bytes) -> bytes:
    found = _STREAM.match(content)
    return found[1] if found else b""


def _compressed(content: bytes, objects: dict[int, bytes]) -> bytes:
    found = _STREAM.match(content)
    length = _LENGTH.search(found[1]) if found else None
    if found is None or length is None or b"/Filter" in found[1]:
        return content
    size = int(objects[int(length[1])].split()[0] if length[2] else length[1])
    data = content[found.end() : found.end() + size]
    small, name = zlib.compress(data), b"FlateDecode"
    jpeg = _photograph(found[1], data) if _PICTURE.search(found[1]) else None
    if jpeg is not None and len(jpeg) < len(small):
        small, name = jpeg, b"DCTDecode"
    head = found[1].replace(length[0], b"/Length %d /Filter /%s" % (len(small), name))
    return head + b"\nstream\n" + small + b"\nendstream\nendobj\n"


def _photograph(head: bytes, pixels: bytes) -> bytes | None:
    """Return the pixels of a picture as a JPEG; None for one that is not plain RGB."""
    from PIL import Image

    sides = [re.search(rb"/%s (\d+)" % name, head) for name in (b"Width", b"Height")]
    if b"/DeviceRGB" not in head or None in sides:
        return None
    width, height = (int(each[1]) for each in sides if each is not None)
    return jpeg(Image.frombytes("RGB", (width, height), pixels)) if len(pixels) == 3 * width * height else None


def smaller_svg(svg: bytes) -> bytes:
    """Return an SVG with its PNGs as JPEGs, where these are smaller."""
    from PIL import Image

    def replace(found: re.Match[bytes]) -> bytes:
        png = base64.b64decode(found[1])
        small = jpeg(Image.open(io.BytesIO(png)).convert("RGB"))
        return found[0] if len(small) >= len(png) else b"data:image/jpeg;base64," + base64.b64encode(small)

    return _PNG.sub(replace, svg)


def jpeg(image: object, **options: object) -> bytes:
    """Return an image of Pillow's as a JPEG of `QUALITY`."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, subsampling=0, optimize=True, **options)  # type: ignore[attr-defined]
    return buffer.getvalue()
