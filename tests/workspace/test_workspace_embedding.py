"""Copies that say how they were made: the pixels untouched, the metadata where readers look for it."""

import io
import json
import struct
import zlib
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from kling_nb.errors import InvalidRequest
from kling_nb.workspace.embedding import embed, in_format, xmp
from kling_nb.workspace.sidecar import describe

IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
XMP = "{http://ns.adobe.com/xap/1.0/}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
OURS = "{urn:kling_nb:1}"
TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
HARD_PROMPTS = [
    "",
    "a cat wearing the hat",
    "quotes \" and ' and <tags/> & ]]> <![CDATA[ ]]> <?xml?> &amp; &#0;",
    "control \x00\x01\x08\x0b\x0c\x1b\x1f\x7f\x85\u2028\ufeff\ufffe\uffff characters",
    "lines\nand\rother\r\nlines\tand  spaces ",
    "🐱‍👤🎩 \U0010ffff",
    "猫" * 2500,
    "🐱" * 2500,
    "&<>" * 833,
]


@pytest.fixture(scope="module")
def metadata(record, fetched):
    def make(prompt="a cat wearing the hat", **changes):
        some = record(task_id="T-1", finished_at=1_795_325_430.5, request={"prompt": prompt}, **changes)
        return describe(some, fetched())

    return make


@pytest.fixture(params=["png", "jpeg", "progressive", "webp", "webp-lossless", "webp-alpha"])
def original(request, encoded, pixels):
    kinds = {
        "png": ("RGBA", "PNG", {}),
        "jpeg": ("RGB", "JPEG", {"quality": 80}),
        "progressive": ("RGB", "JPEG", {"quality": 80, "progressive": True}),
        "webp": ("RGB", "WEBP", {"quality": 70}),
        "webp-lossless": ("RGB", "WEBP", {"lossless": True}),
        "webp-alpha": ("RGBA", "WEBP", {"lossless": True, "exact": True}),
    }
    mode, kind, options = kinds[request.param]
    return encoded(pixels(67, 45, mode), kind, **options)


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def packet_of(data):
    image = opened(data)
    found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    return found.encode() if isinstance(found, str) else found


def fields_of(packet):
    (description,) = ET.fromstring(packet).iter(f"{RDF}Description")
    return {child.tag: child.text for child in description}


def note_of(data):
    """The JSON, as someone with Pillow and without us would read it."""
    image = opened(data)
    if image.format == "PNG":
        return json.loads(image.text["kling_nb"])
    if image.format == "JPEG":
        return json.loads(image.info["comment"])
    return json.loads(fields_of(packet_of(data))[f"{OURS}metadata"])


# ---- what is in it -------------------------------------------------------------------------------


def test_the_pixels_stay_and_the_metadata_is_there(original, metadata):
    copy = embed(original, metadata())
    before, after = opened(original), opened(copy)
    assert (before.format, before.mode, before.size) == (after.format, after.mode, after.size)
    assert before.tobytes() == after.tobytes()
    assert fields_of(packet_of(copy))[f"{IPTC}DigitalSourceType"] == TRAINED
    assert note_of(copy) == metadata()


def test_no_byte_of_the_picture_itself_is_changed(original, metadata):
    copy = embed(original, metadata())
    if original[:4] == b"\x89PNG":
        kept = b"".join(raw for name, raw in chunks_of(copy) if name != b"iTXt")
        assert original[8:] == kept
    elif original[:2] == b"\xff\xd8":
        start = original.index(b"\xff\xdb")
        assert copy.endswith(original[start:])
    else:
        assert len(original) > 100
        image = original[original.index(b"VP8") : original.index(b"VP8") + 60]
        assert image[:4] == b"VP8X" or image in copy


def test_the_iptc_fields_are_those_of_the_standard(metadata):
    fields = fields_of(xmp(metadata("a cat")))
    assert fields == {
        f"{IPTC}DigitalSourceType": TRAINED,
        f"{IPTC}AISystemUsed": "Kling",
        f"{IPTC}AISystemVersionUsed": "kling-v2-1",
        f"{IPTC}AIPromptInformation": "a cat",
        f"{XMP}CreatorTool": fields[f"{XMP}CreatorTool"],
        f"{XMP}CreateDate": "2026-11-22T05:30:30.500Z",
        f"{OURS}task_id": "T-1",
    }
    assert fields[f"{XMP}CreatorTool"].startswith("kling_nb ")


def test_the_sandbox_does_not_pass_for_kling(metadata):
    fields = fields_of(xmp(metadata(gateway="sandbox")))
    assert fields[f"{IPTC}AISystemUsed"] == "kling_nb sandbox"


def test_no_prompt_is_no_field(metadata):
    assert f"{IPTC}AIPromptInformation" not in fields_of(xmp(metadata("")))


def in_xml(text):
    """What XML 1.0 can hold of a text."""
    return "".join(
        letter
        for letter in text
        if letter in "\t\n\r" or (letter >= " " and letter not in "\ufffe\uffff" and not "\ud800" <= letter <= "\udfff")
    )


@pytest.mark.parametrize("prompt", HARD_PROMPTS, ids=lambda prompt: ascii(prompt[:12]))
def test_any_prompt_comes_back(original, metadata, prompt):
    copy = embed(original, metadata(prompt))
    assert opened(copy).tobytes() == opened(original).tobytes()
    assert fields_of(packet_of(copy)).get(f"{IPTC}AIPromptInformation", "") == in_xml(prompt)
    assert note_of(copy)["request"]["prompt"] == prompt


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=60))
@example(" ")
@example("\r")
def test_xmp_is_xml_for_any_prompt(metadata, prompt):
    fields = fields_of(xmp(metadata(prompt)))
    assert (fields.get(f"{IPTC}AIPromptInformation") or "") == in_xml(prompt)


def test_a_name_that_is_no_text_does_not_hinder(original, metadata, record):
    from dataclasses import replace

    odd = replace(record().references[0], name="caf\udce9.png")
    note = metadata(references=(odd,))
    assert note_of(embed(original, note))["references"][0]["name"] == "caf\udce9.png"


# ---- what is there already -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def profile():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def with_extras(image, kind, encoded, profile, **options):
    exif = Image.Exif()
    exif[0x0112] = 1
    exif[0x010E] = "a description"
    return encoded(image, kind, exif=exif, icc_profile=profile, dpi=(72, 72), **options)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_exif_and_profile_stay(kind, pixels, encoded, profile, metadata):
    data = with_extras(pixels(), kind, encoded, profile)
    copy = embed(data, metadata())
    assert opened(copy).info["icc_profile"] == profile
    assert opened(copy).getexif()[0x010E] == "a description"
    assert opened(copy).tobytes() == opened(data).tobytes()
    assert note_of(copy) == metadata()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_an_earlier_packet_does_not_hide_ours(kind, pixels, encoded, metadata):
    image = pixels()
    if kind == "PNG":
        from PIL.PngImagePlugin import PngInfo

        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta xmlns:x='adobe:ns:meta/'>old</x:xmpmeta>")
        data = encoded(image, kind, pnginfo=info)
    else:
        data = encoded(image, kind, xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>old</x:xmpmeta>")
    assert b"old" in packet_of(data)
    copy = embed(data, metadata())
    assert fields_of(packet_of(copy))[f"{IPTC}DigitalSourceType"] == TRAINED
    assert b">old<" not in copy
    assert opened(copy).tobytes() == opened(data).tobytes()


def test_embedding_twice_leaves_one_packet(original, metadata):
    twice = embed(embed(original, metadata("first")), metadata("second"))
    assert twice.count(b"DigitalSourceType>http") == 1
    assert fields_of(packet_of(twice))[f"{IPTC}AIPromptInformation"] == "second"
    assert note_of(twice)["request"]["prompt"] == "second"
    assert opened(twice).tobytes() == opened(original).tobytes()


def test_a_comment_of_the_gateway_does_not_hide_ours(pixels, encoded, metadata):
    data = encoded(pixels(), "JPEG", comment=b"made by the gateway")
    assert opened(data).info["comment"] == b"made by the gateway"
    copy = embed(data, metadata())
    assert note_of(copy) == metadata()
    assert b"made by the gateway" in copy


def test_a_jpeg_without_a_header_segment(pixels, encoded, metadata):
    data = encoded(pixels(), "JPEG")
    assert data[2:4] == b"\xff\xe0"
    bare = data[:2] + data[4 + struct.unpack(">H", data[4:6])[0] :]
    assert bare[2:4] == b"\xff\xdb"
    copy = embed(bare, metadata())
    assert opened(copy).tobytes() == opened(bare).tobytes()
    assert note_of(copy) == metadata()


def test_exif_stays_the_first_segment_of_a_jpeg(pixels, encoded, profile, metadata):
    copy = embed(with_extras(pixels(), "JPEG", encoded, profile), metadata())
    names = [(marker, body[:4]) for marker, body in segments_of(copy)]
    assert names.index((0xE1, b"Exif")) < names.index((0xE1, b"http"))


def test_what_does_not_fit_into_a_jpeg_segment_is_left_out_whole(pixels, encoded, metadata, record):
    from dataclasses import replace

    long = replace(record().references[0], changes=("x" * 70_000,))
    copy = embed(encoded(pixels(), "JPEG"), metadata(references=(long,)))
    assert fields_of(packet_of(copy))[f"{IPTC}DigitalSourceType"] == TRAINED
    assert "comment" not in opened(copy).info


def chunks_of(png):
    place, found = 8, []
    while place < len(png):
        size = struct.unpack(">I", png[place : place + 4])[0]
        found.append((png[place + 4 : place + 8], png[place : place + 12 + size]))
        assert zlib.crc32(png[place + 4 : place + 8 + size]) == struct.unpack(">I", found[-1][1][-4:])[0]
        place += 12 + size
    return found


def segments_of(jpeg):
    place, found = 2, []
    while jpeg[place + 1] != 0xDA:
        size = struct.unpack(">H", jpeg[place + 2 : place + 4])[0]
        found.append((jpeg[place + 1], jpeg[place + 4 : place + 2 + size]))
        place += 2 + size
    return found


def test_an_animation_stays_one(pixels, encoded, metadata):
    frames = [pixels(seed=seed) for seed in range(3)]
    for kind in ("PNG", "WEBP"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100, lossless=True)
        copy = Image.open(io.BytesIO(embed(data, metadata())))
        assert copy.n_frames == 3
        before = Image.open(io.BytesIO(data))
        for number in range(3):
            copy.seek(number)
            before.seek(number)
            assert copy.convert("RGB").tobytes() == before.convert("RGB").tobytes()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "RGB", "RGBA"])
def test_odd_kinds_of_png(mode, encoded, metadata):
    image = odd_image(mode)
    data = encoded(image, "PNG", **({"transparency": 3} if mode == "P" else {}))
    copy = embed(data, metadata())
    assert opened(copy).mode == opened(data).mode
    assert opened(copy).tobytes() == opened(data).tobytes()
    assert next(name for name, _ in chunks_of(copy)) == b"IHDR"
    assert note_of(copy) == metadata()


def odd_image(mode):
    grey = Image.linear_gradient("L").resize((40, 30))
    if mode == "I;16":
        return Image.frombytes("I;16", (40, 30), b"".join(struct.pack("<H", 257 * value) for value in grey.tobytes()))
    if mode == "LA":
        return Image.merge("LA", (grey, grey.transpose(Image.Transpose.ROTATE_180)))
    return grey.convert("RGB").convert(mode)


def test_bytes_behind_the_end_of_a_webp_are_no_part_of_it(pixels, encoded, metadata):
    data = encoded(pixels(), "WEBP", lossless=True)
    copy = embed(data + b"JUNK\xff\xff\xff\x7f", metadata())
    assert opened(copy).tobytes() == opened(data).tobytes()
    assert struct.unpack("<I", copy[4:8])[0] == len(copy) - 8
    assert note_of(copy) == metadata()


# ---- other formats -------------------------------------------------------------------------------

SAVED_AS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".PNG": "PNG", ".JPG": "JPEG"}


@pytest.mark.parametrize("suffix", SAVED_AS)
def test_a_copy_has_the_format_of_its_name(original, suffix):
    before = opened(original)
    copy = in_format(original, Image.MIME[before.format], suffix)
    after = opened(copy)
    assert after.format == SAVED_AS[suffix]
    if after.format == before.format:
        assert copy is original
    elif after.format != "JPEG":
        assert after.convert("RGBA").tobytes() == before.convert("RGBA").tobytes()
    else:
        flat = Image.new("RGB", before.size, "white")
        flat.paste(before.convert("RGB"), mask=before.convert("RGBA").getchannel("A"))
        # Noise is the worst that can happen to a JPEG; this only tells white from black behind glass.
        assert abs(mean(after) - mean(flat)) < 6


def mean(image):
    data = image.convert("L").tobytes()
    return sum(data) / len(data)


@pytest.mark.parametrize("suffix", ["", ".gif", ".tif", ".pdf", ".png.txt", ". ", ".json"])
def test_another_ending_says_which_there_are(pixels, encoded, suffix):
    with pytest.raises(InvalidRequest) as caught:
        in_format(encoded(pixels(), "PNG"), "image/png", suffix)
    assert caught.value.advice == "End the name in .png, .jpg or .webp."
    assert caught.value.money == ""
    assert caught.value.message == (
        f"A copy cannot be saved as '{suffix}'." if suffix else "A copy cannot be saved as a file without an ending."
    )


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_conversion_keeps_exif_and_profile(kind, suffix, pixels, encoded, profile):
    data = with_extras(pixels(), kind, encoded, profile)
    after = opened(in_format(data, Image.MIME[kind], suffix))
    assert after.info["icc_profile"] == profile
    assert after.getexif()[0x010E] == "a description"


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_a_turned_picture_is_still_turned(suffix, pixels, encoded):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(pixels(40, 20), "JPEG", exif=exif)
    copy = in_format(data, "image/jpeg", suffix)
    seen = ImageOps.exif_transpose(opened(copy))
    assert seen.size == (20, 40)
    assert seen.convert("RGB").tobytes() == ImageOps.exif_transpose(opened(data)).tobytes()


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_cmyk_becomes_rgb_and_does_not_keep_a_profile_of_inks(suffix, encoded):
    image = Image.new("CMYK", (32, 32), (0, 255, 255, 0))
    inks = b"\x00" * 16 + b"CMYK" + b"\x00" * 200
    copy = opened(in_format(encoded(image, "JPEG", icc_profile=inks), "image/jpeg", suffix))
    assert copy.mode == "RGB"
    assert copy.getpixel((16, 16))[0] > 200
    assert "icc_profile" not in copy.info


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "RGBA"])
def test_odd_kinds_of_png_can_be_converted(mode, suffix, encoded):
    image = odd_image(mode)
    data = encoded(image, "PNG", **({"transparency": 3} if mode == "P" else {}))
    copy = opened(in_format(data, "image/png", suffix))
    assert copy.size == image.size
    if mode not in ("LA", "RGBA", "P"):
        grey = odd_image("L" if mode == "I;16" else mode)
        assert abs(mean(copy) - mean(grey)) < 3


def test_transparent_becomes_white_in_a_jpeg(encoded):
    data = encoded(Image.new("RGBA", (16, 16), (0, 0, 0, 0)), "PNG")
    assert opened(in_format(data, "image/png", ".jpg")).getpixel((8, 8)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "AVIF"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_what_a_gateway_may_serve_one_day_can_be_converted(kind, suffix, encoded, metadata):
    data = encoded(odd_image("RGB"), kind)
    copy = embed(in_format(data, Image.MIME[kind], suffix), metadata())
    assert opened(copy).size == (40, 30)
    assert note_of(copy) == metadata()
