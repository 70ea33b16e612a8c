"""The measures that come with the package, on pictures whose values are known."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from kling_nb.compare.measures.alike import MOST_BITS, look
from kling_nb.compare.measures.asking import BUILT_IN
from kling_nb.compare.measures.builtin import MEASURES
from kling_nb.compare.measures.jobs import ReferenceImage
from kling_nb.compare.measures.pixels import lab, small


def measure(name, picture, references=(), **request):
    return MEASURES[name].function(picture, references, {"n": 1, **request})


def plain(*colour, size=(320, 240)):
    return Image.new("RGB", size, colour)


def scene(seed=0, width=640, height=480, fineness=8):
    """Soft shapes of many colours, as different for different seeds as pictures of one prompt are."""
    rough = np.random.default_rng(seed).integers(0, 256, (fineness * 3 // 4, fineness, 3), dtype=np.uint8)
    return Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC)


def style(picture, sha256="style"):
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return ReferenceImage("style", "wave", sha256, buffer.getvalue())


def encoded(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return Image.open(io.BytesIO(buffer.getvalue()))


def colour_difference(one, other):
    return np.linalg.norm(np.subtract(*lab(np.array([one, other], dtype=np.uint8))))


def test_the_names_are_those_that_there_are():
    assert set(MEASURES) == set(BUILT_IN)


# ---- what was asked for ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "asked", "off"),
    [((1024, 1024), "1:1", 0.0), ((1344, 756), "16:9", 0.0), ((1010, 1000), "1:1", 0.01), ((756, 1344), "16:9", 0.684)],
)
def test_the_ratio_served_is_held_against_the_one_asked_for(size, asked, off):
    found = measure("aspect_ratio", plain(9, 9, 9, size=size), aspect_ratio=asked)
    across, down = map(int, asked.split(":"))
    assert found == {"asked": across / down, "served": size[0] / size[1], "off": pytest.approx(off, abs=1e-3)}


def test_where_no_ratio_was_asked_for_there_is_nothing_to_compare_with():
    assert measure("aspect_ratio", plain(9, 9, 9)) == {"served": 320 / 240}


def test_a_picture_that_is_shown_turned_has_the_ratio_that_is_seen():
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(plain(9, 9, 9, size=(400, 200)), "JPEG", exif=exif)
    assert measure("aspect_ratio", turned, aspect_ratio="1:1")["served"] == 0.5


def test_images_are_counted():
    assert measure("count", [1, 2, 3], n=4) == {"asked": 4, "served": 3, "missing": 1}
    assert measure("count", [1, 2, 3], n=3) == {"asked": 3, "served": 3, "missing": 0}


# ---- sharpness ---------------------------------------------------------------------------------------


def test_a_plain_picture_has_no_sharpness():
    assert measure("sharpness", plain(120, 60, 200)) == 0


def test_stripes_have_the_variance_that_arithmetic_says():
    # Columns of 0 and 255 by turns at the working size: the Laplacian is 510 and -510 by turns.
    columns = np.tile(np.array([0, 255], dtype=np.uint8), (512, 256))
    found = measure("sharpness", Image.fromarray(columns))
    assert found == pytest.approx(510.0**2, rel=1e-6)


def test_blur_takes_sharpness_away():
    detailed = scene(1, fineness=200)
    found = [measure("sharpness", detailed.filter(ImageFilter.GaussianBlur(radius))) for radius in (0, 2, 4, 8)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 100 * found[-1]


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16"])
@pytest.mark.parametrize("name", ["sharpness", "palette_distance"])
def test_a_picture_of_any_mode_is_measured(mode, name):
    picture = scene(2).convert("L").convert(mode) if mode == "I;16" else scene(2).convert(mode)
    assert measure(name, picture, (style(scene(3)),)) > 0


def test_what_is_transparent_is_white():
    clear = Image.new("RGBA", (50, 50), (255, 0, 0, 0))
    assert (small(clear, 4, 4) == 255).all()


# ---- colours -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rgb", "wanted"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.241, 80.092, 67.203)),
        ((0, 255, 0), (87.735, -86.183, 83.179)),
        ((0, 0, 255), (32.297, 79.188, -107.860)),
        ((119, 119, 119), (50.034, 0, 0)),
    ],
)
def test_colours_are_where_the_literature_has_them(rgb, wanted):
    assert lab(np.array(rgb, dtype=np.uint8)) == pytest.approx(np.array(wanted), abs=2e-3)


def test_without_a_style_reference_there_is_no_palette_to_compare_with():
    subject = ReferenceImage("subject", "cat", "cat", b"")
    assert measure("palette_distance", scene(1), (subject,)) is None
    by_url = ReferenceImage("style", "wave", "wave", None, "sent as a URL")
    assert measure("palette_distance", scene(1), (subject, by_url)) is None


def test_the_same_colours_are_no_distance_apart_wherever_they_are():
    picture = scene(4, 480, 480)
    mirrored = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert measure("palette_distance", picture, (style(picture, "4"),)) == pytest.approx(0, abs=1e-9)
    assert measure("palette_distance", mirrored, (style(picture, "4"),)) == pytest.approx(0, abs=1e-6)


@settings(deadline=None)
@given(st.tuples(*[st.integers(0, 255)] * 3), st.tuples(*[st.integers(0, 255)] * 3))
def test_two_plain_pictures_are_as_far_apart_as_their_colours(one, other):
    reference = style(plain(*other, size=(20, 20)), f"plain {other}")
    found = measure("palette_distance", plain(*one, size=(30, 20)), (reference,))
    assert found == pytest.approx(colour_difference(one, other), rel=0.02, abs=1e-9)


def test_half_a_picture_counts_half():
    half = plain(255, 255, 255, size=(96, 96))
    half.paste((0, 0, 0), (0, 0, 48, 96))
    white = style(plain(255, 255, 255), "white")
    assert measure("palette_distance", half, (white,)) == pytest.approx(50, rel=0.02)


# ---- alike -------------------------------------------------------------------------------------------


def test_copies_are_near_duplicates_and_other_pictures_are_not():
    original = scene(5)
    cell = [
        original,
        encoded(original, "PNG"),
        encoded(original, "JPEG", quality=60),
        original.resize((320, 240)),
        original.point(lambda level: min(255, level + 8)),
        scene(6),
        scene(7),
        original.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    ]
    assert measure("near_duplicates", cell) == {"near": 5, "exact": 2}
    assert measure("near_duplicates", [scene(6), scene(7)]) == {"near": 0, "exact": 0}


def test_the_same_shapes_in_other_colours_are_no_duplicates():
    red, green, blue = scene(8).split()
    swapped = Image.merge("RGB", [blue, green, red])
    assert measure("near_duplicates", [plain(200, 0, 0), plain(0, 0, 200)]) == {"near": 0, "exact": 0}
    assert measure("near_duplicates", [plain(200, 0, 0), plain(200, 2, 0)]) == {"near": 2, "exact": 0}
    assert measure("near_duplicates", [scene(8), swapped])["exact"] == 0


def test_pictures_of_one_prompt_are_far_from_the_threshold():
    bits = np.stack([look(scene(seed)).bits for seed in range(30)])
    apart = [np.unpackbits(one ^ other).sum() for i, one in enumerate(bits) for other in bits[:i]]
    assert min(apart) > 2 * MOST_BITS


def test_real_photographs_are_no_duplicates_of_one_another(repository):
    photos = [Image.open(path) for path in sorted((repository / "notebooks" / "photos").glob("*.*g"))]
    assert len(photos) > 2
    assert measure("near_duplicates", photos) == {"near": 0, "exact": 0}
    again = [encoded(photo.convert("RGB"), "JPEG", quality=80) for photo in photos]
    assert measure("near_duplicates", [*photos, *again])["near"] == 2 * len(photos)


def test_one_image_is_like_no_other():
    assert measure("near_duplicates", [scene(1)]) is None
    assert measure("diversity", [scene(1)]) is None


def test_diversity_is_the_mean_over_all_pairs():
    black, white, grey = plain(0, 0, 0), plain(255, 255, 255), plain(119, 119, 119)
    assert measure("diversity", [black, black, black]) == 0
    assert measure("diversity", [black, white]) == pytest.approx(100)
    lightness = lab(np.array([119] * 3, dtype=np.uint8))[0]
    assert measure("diversity", [black, white, grey]) == pytest.approx((100 + lightness + (100 - lightness)) / 3)


def test_diversity_sees_where_colours_are_and_not_how_many_images_there_are():
    scenes = [scene(seed) for seed in range(4)]
    assert measure("diversity", scenes) > 20
    assert measure("diversity", [*scenes, *scenes]) < measure("diversity", scenes)
    assert measure("diversity", scenes) == pytest.approx(measure("diversity", scenes[::-1]))
    mirrored = scenes[0].transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert measure("diversity", [scenes[0], mirrored]) > 10


def test_a_large_photograph_is_measured_as_its_small_copy_nearly():
    large, little = scene(9, 2400, 1800), scene(9, 1200, 900)
    reference = style(scene(10), "10")
    for kind in ("JPEG", "PNG"):
        one, other = (measure("palette_distance", encoded(each, kind), (reference,)) for each in (large, little))
        assert one == pytest.approx(other, rel=0.02)
        assert measure("diversity", [encoded(large, kind), encoded(little, kind)]) < 1
