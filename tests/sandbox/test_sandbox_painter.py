"""The painter: sizes, sameness, difference, marks; looked at as pixels."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image, ImageCms

from kling_nb.sandbox import canvas, layout, lettering
from kling_nb.sandbox.painter import Commission, paint
from kling_nb.sandbox.protocol import SIZES


def picture(width=400, height=300, kind="JPEG", hue=30, mode="RGB"):
    ramp = Image.linear_gradient("L").resize((width, height))
    layers = [Image.new("L", ramp.size, hue), Image.new("L", ramp.size, 180), ramp]
    buffer = io.BytesIO()
    Image.merge("HSV", layers).convert("RGB").convert(mode).save(buffer, kind)
    return buffer.getvalue()


SUBJECT = picture()
SMALL = (448, 252)


def commission(index=0, ratio="", references=(("subject", SUBJECT),), **changes):
    options = {
        "seed": "seed/0",
        "index": index,
        "n": 9,
        # A ninth of a real one's pixels, but where the test names a ratio: it is all relative.
        "size": SIZES[ratio] if ratio else SMALL,
        "prompt": "a cat by the sea",
        "model_name": "kling-v2",
        "references": references,
    }
    return Commission(**(options | changes))


def pixels(data):
    """H×W×3, as floats."""
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        assert image.mode == "RGB"
        return np.asarray(image).astype(float)


def difference(first, second):
    return float(np.abs(first - second).mean())


@pytest.mark.parametrize("ratio", SIZES)
def test_sizes(ratio):
    width, height = (int(part) for part in ratio.split(":"))
    assert SIZES[ratio][0] * height == SIZES[ratio][1] * width
    assert 0.95e6 < SIZES[ratio][0] * SIZES[ratio][1] < 1.1e6


@pytest.mark.parametrize("ratio", ["1:1", "9:16", "21:9"])
def test_painted_size(ratio):
    assert pixels(paint(commission(ratio=ratio))).shape[1::-1] == SIZES[ratio]


def test_the_same_commission_gives_the_same_bytes():
    references = (("subject", SUBJECT), ("subject", "https://example.com/hat.png"), ("style", SUBJECT))
    assert paint(commission(2, references=references)) == paint(commission(2, references=references))


def test_the_images_of_a_task_differ():
    painted = [pixels(paint(commission(index))) for index in range(4)]
    pairs = [(a, b) for b in range(4) for a in range(b)]
    assert min(difference(painted[a], painted[b]) for a, b in pairs) > 12


def test_another_sample_is_another_picture():
    first, second = (pixels(paint(commission(seed=seed))) for seed in ("seed/0", "seed/1"))
    assert difference(first, second) > 8


def test_the_subject_is_in_the_picture():
    reds, blues = (
        pixels(paint(commission(references=(("subject", picture(hue=hue)), ("scene", SUBJECT))))) for hue in (0, 160)
    )
    assert reds[..., 0].mean() - blues[..., 0].mean() > 8
    assert blues[..., 2].mean() - reds[..., 2].mean() > 8


def test_the_scene_is_behind():
    dark, light = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (400, 300), (10, 20, 30)).save(dark, "PNG")
    Image.new("RGB", (400, 300), (240, 240, 235)).save(light, "PNG")
    means = [
        pixels(paint(commission(references=(("subject", SUBJECT), ("scene", scene.getvalue()))))).mean()
        for scene in (dark, light)
    ]
    assert means[1] - means[0] > 25


def test_the_style_colours_the_whole():
    plain = pixels(paint(commission()))
    styled = pixels(paint(commission(references=(("subject", SUBJECT), ("style", picture(hue=160))))))
    assert (styled[..., 2] - styled[..., 0]).mean() - (plain[..., 2] - plain[..., 0]).mean() > 10


def band(data, size):
    return pixels(data)[size[1] - lettering.band_height(size) :, :]


@pytest.mark.parametrize("ratio", SIZES)
def test_every_ratio_is_marked(ratio):
    """The word is where it should be: cream letters on a dark band, and still there at 150 pixels."""
    size = SIZES[ratio]
    image = Image.new("RGB", size, (120, 140, 160))
    marked = lettering.add_band(image, "kling-v2   1 of 1", "a cat")
    assert marked.size == size
    tall = lettering.band_height(size)
    strip = np.asarray(marked.convert("L"))[-tall:].astype(float)
    letters = strip[tall // 4 : -tall // 5, : round(0.28 * max(size))] > 200
    assert 0.12 < letters.mean() < 0.45
    runs = np.flatnonzero(np.diff(np.concatenate([[0], letters.any(axis=0).astype(int), [0]])))
    assert len(runs) // 2 >= len("SANDBOX")  # each letter stands by itself
    small = marked.copy()
    small.thumbnail((150, 150), Image.Resampling.LANCZOS)
    edge = np.asarray(small.convert("L")).astype(float)[-round(tall * 150 / max(size)) :, :45]
    assert edge.max() - edge.min() > 120
    above = np.asarray(marked)[: size[1] - tall]
    assert (above == np.asarray(image)[: size[1] - tall]).all()


@pytest.mark.parametrize("index", range(2))
def test_paintings_are_marked(index):
    data = band(paint(commission(index)), SMALL)
    left, middle = data[4:-4, 10:127], data[4:-4, 240:]
    assert (left.min(axis=2) > 220).mean() > 0.1  # the word
    assert middle.mean() < 130  # the dark of the band
    assert (middle.min(axis=2) > 220).mean() < 0.1


def test_watermarked_copies_are_the_picture_with_a_watermark():
    plain = pixels(paint(commission()))
    marked = pixels(paint(commission(watermarked=True)))
    changed = np.abs(plain - marked).max(axis=2) > 12
    assert 0.01 < changed.mean() < 0.25
    thirds = np.array_split(changed[: -lettering.band_height(SMALL)], 3)
    assert all(part.mean() > 0.01 for part in thirds)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a  cat\nby the sea", "a cat by the sea"),
        ("根据两张图", ""),
        ("", ""),
        ("Café au lait, señor", "Cafe au lait, senor"),
    ],
)
def test_captions_have_no_boxes(text, shown):
    assert lettering.drawable(text) == shown


def test_captions_are_shortened():
    assert lettering.fitted("abcdef", 6, len) == "abcdef"
    assert lettering.fitted("abcdefgh", 6, len) == "abcde…"
    assert lettering.fitted("abc", 0, len) == ""


@pytest.mark.parametrize("subjects", [1, 2, 3, 4])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_layouts_keep_every_subject_in_sight(subjects, size):
    for index in range(9):
        plan = layout.plan("seed", index, size, [1.5] * subjects, "", has_scene=False)
        assert sorted(piece.subject for piece in plan.pieces) == list(range(subjects))
        for piece in plan.pieces:
            assert 0.05 < piece.centre[0] < 0.95
            assert 0.05 < piece.centre[1] < 0.9
            assert 0.1 < piece.height < 1.2


def test_layouts_of_one_task_differ():
    plans = [layout.plan("seed", index, (1344, 756), [1.0, 1.0], "", has_scene=True) for index in range(9)]
    assert len({plan.mood for plan in plans}) == 9
    assert len({plan.pieces for plan in plans}) == 9


@pytest.mark.parametrize(
    ("prompt", "backdrop"),
    [("a cat at NIGHT", "stars"), ("surfing a wave", "waves"), ("海边", "waves"), ("in the forest", "hills")],
)
def test_words_choose_the_backdrop(prompt, backdrop):
    assert layout.plan("seed", 0, (1344, 756), [1.0], prompt, has_scene=False).backdrop == backdrop


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_odd_references_can_be_painted():
    sixteen = Image.fromarray(np.full((300, 300), 40_000, dtype=np.uint16))
    clear = Image.new("RGBA", (300, 400), (200, 30, 30, 90))
    palette = Image.new("P", (300, 300), 3)
    cases = {
        "16 bits": encoded(sixteen),
        "alpha": encoded(clear),
        "palette": encoded(palette, transparency=3),
        "one bit": encoded(Image.new("1", (300, 300), 1)),
        "grey": encoded(Image.new("L", (300, 300), 77), "JPEG"),
        "cmyk": encoded(Image.new("CMYK", (300, 300), (10, 200, 30, 0)), "JPEG"),
        "broken exif": encoded(Image.new("RGB", (300, 300)), "JPEG", exif=b"Exif\0\0MM\0*junk"),
        "profile": encoded(
            Image.new("RGB", (300, 300)), icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        ),
    }
    for name, data in cases.items():
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Corrupt EXIF data")
            assert canvas.is_decodable(data), name
            shown = canvas.picture(data, 200)
        assert shown.mode == "RGB", name
        assert min(shown.size) == 200, name
    grey = canvas.picture(cases["16 bits"], 200).getpixel((100, 100))
    assert abs(grey[0] - 156) <= 1  # 40,000 of 65,535


def test_rotated_references_are_shown_upright():
    image = Image.new("RGB", (400, 300), (200, 40, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    assert canvas.picture(encoded(image, "JPEG", exif=exif), 300).size == (300, 400)


def test_small_references_are_not_enlarged_at_once():
    assert canvas.picture(picture(300, 320), 756).size == (300, 320)


def test_url_references_become_panels():
    first, second = (canvas.picture(f"https://example.com/pics/{name}.png", 500) for name in "ab")
    assert first.size == second.size == canvas.PANEL
    assert difference(np.asarray(first).astype(float), np.asarray(second).astype(float)) > 0
    assert canvas.picture("https://例え.jp/%E7%8C%AB", 500).size == canvas.PANEL


def test_cut_files_are_not_decodable():
    assert canvas.is_decodable(SUBJECT)
    assert not canvas.is_decodable(SUBJECT[: len(SUBJECT) // 2])
    assert not canvas.is_decodable(encoded(Image.new("RGB", (300, 300)))[:-40])
    assert not canvas.is_decodable(b"GIF89a")


def test_results_come_through_the_api(start, connect, clock, tmp_path):
    caller = connect(start(clock=clock))
    task_id = caller.create(aspect_ratio="3:4", watermark_info={"enabled": True})["task_id"]
    clock.advance(2)
    (image,) = caller.images(task_id)
    answer = caller.download(image["url"])
    assert answer.headers["content-type"] == "image/png"
    plain = pixels(answer.content)
    assert plain.shape == (1184, 888, 3)
    assert pixels(caller.download(image["watermark_url"]).content).shape == plain.shape
    assert caller.download(image["url"]).content == answer.content
    assert len(list((tmp_path / "images").iterdir())) == 2


def test_equal_requests_are_other_samples(start, connect, clock, photo, tmp_path):
    """A rerun is a new sample; the same requests in a new folder give the same pictures again."""
    seen = []
    for name in ("one", "two"):
        caller = connect(start(tmp_path / name, clock=clock, seconds=0))
        tasks = [caller.create(external_task_id=f"mine-{number}")["task_id"] for number in range(2)]
        seen += [caller.download(caller.images(task)[0]["url"]).content for task in tasks[len(seen) // 2 :]]
    first, second, again = seen
    assert first != second == again


def test_constant_images_differ_by_a_comment(start, connect):
    caller = connect(start(seconds=0, images="constant"))
    task_id = caller.create(n=9, watermark_info={"enabled": True})["task_id"]
    images = caller.images(task_id)
    files = [caller.download(image[name]).content for image in images for name in ("url", "watermark_url")]
    assert len(set(files)) == 18
    with Image.open(io.BytesIO(files[0])) as first, Image.open(io.BytesIO(files[1])) as second:
        assert first.format == "JPEG"
        assert first.size == (512, 512)
        assert first.tobytes() == second.tobytes()
        assert first.info["comment"] != second.info["comment"]
