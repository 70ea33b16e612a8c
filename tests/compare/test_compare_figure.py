"""`Comparison.figure`: from a real run in the sandbox to files that a paper can use."""

import io
import re
import subprocess
import sys
import zlib

import matplotlib as mpl
import pytest
from matplotlib.text import Text
from PIL import Image, ImageChops

from kling_nb import Kling
from kling_nb.compare import figure as figure_module
from kling_nb.compare import figuredrawing
from kling_nb.compare.figurefiles import smaller_svg
from kling_nb.errors import ConfigurationError, InvalidRequest, WorkspaceError
from kling_nb.sandbox import Sandbox
from kling_nb.session import gateway

PROMPTS = ["A cat in $5_000 of {light} \\alpha_1", "Кот и γάτα, café"]
QUICK = {"dpi": 60}


@pytest.fixture(scope="module")
def study(tmp_path_factory, pictures):
    """A finished comparison of painted images: one cell fails, one is refused, one is not in the design."""
    folder = tmp_path_factory.mktemp("study")
    kling = Kling(sandbox=True, workspace=folder, poll_interval=0.01, timeout=60)
    where = kling.session.settings.workspace
    gateway._sandboxes[where] = Sandbox(where / "gateway", seconds=0, images="painted").start()
    prompts = {PROMPTS[0]: PROMPTS[0], PROMPTS[1]: PROMPTS[1]} | {
        "failing": "a cat [sandbox: fail]",
        "refused": "a cat [sandbox: refuse]",
    }
    made = kling.compare(
        subject_images=[pictures(1)],
        n=2,
        aspect_ratio="4:3",
        name="A $tudy_1",
        vary={
            "prompt": prompts,
            "model_name": ["kling-v2", "kling-v2-1"],
            "style_image": {"none": None, "red": pictures(2)},
        },
        where=lambda cell: (
            cell["style_image"] == "none" or (cell["prompt"] != "failing" and cell["model_name"] == "kling-v2")
        ),
    )
    made.run(yes=True, quiet=True)
    yield made
    gateway.close_all()
    kling.session.workspace.close()


def texts(figure):
    return [each.get_text() for each in figure.findobj(Text) if each.get_text()]


def images(figure):
    return [each for each in figure.axes[0].get_children() if type(each).__name__ == "AxesImage"]


def opened(path):
    return Image.open(io.BytesIO(path.read_bytes()))


def streams(pdf):
    """Return each object of a PDF with its stream unpacked, found by the cross-references."""
    start = int(pdf[pdf.rindex(b"startxref") + 9 :].split()[0])
    assert pdf[start:].startswith(b"xref")
    found = []
    for line in pdf[start:].split(b"trailer")[0].splitlines()[2:]:
        if not line.rstrip().endswith(b"n"):
            continue
        offset = int(line.split()[0])
        assert re.match(rb"\d+ 0 obj", pdf[offset : offset + 20])
        head, _, _ = pdf[offset:].partition(b"endobj")[0].partition(b"stream\n")
        length = re.search(rb"/Length (\d+)", head)
        data = pdf[offset + len(head) + 7 :][: int(length[1])] if length and b"/Filter" in head else b""
        found.append((head, zlib.decompress(data) if b"/FlateDecode" in head else data))
    return found


# ---- what is on it -----------------------------------------------------------------------------------


def test_methods_are_columns_prompts_are_rows_and_references_come_first(study):
    figure = study.figure(**QUICK)
    said = texts(figure)
    places = {each.get_text(): each.get_position() for each in figure.findobj(Text)}
    assert places["kling-v2"][1] == places["kling-v2-1"][1] < places["failing"][1]
    assert places["References"][0] < places["prompt"][0] < places["kling-v2"][0]
    assert said.count("subject") == 1
    assert said.count("style") == 3  # beside each row that uses it
    assert "none" in said
    assert "style_image" in said


def test_what_is_not_there_says_why(study):
    said = texts(study.figure(**QUICK))
    assert said.count("refused") == 2 + 2 + 1 + 1  # two cells failed under risk control, three refused, one label
    assert "–" in said  # not in the design


def test_text_comes_out_literally(study):
    said = "".join(texts(study.figure(**QUICK, width=10)))
    assert all(word in said for word in ("$5_000", "{light}", "\\alpha_1", "Кот", "γάτα", "café"))
    assert not any(each.get_parse_math() for each in study.figure(**QUICK).findobj(Text) if each.get_text())


def test_the_sandbox_is_said(study):
    assert any(text.startswith("SANDBOX") for text in texts(study.figure(**QUICK)))


def test_which_images(study):
    done = study.counts["done"]
    references = 1 + 3
    count = {choice: len(images(study.figure(**QUICK, images=choice))) - references for choice in ("first", 1, "all")}
    assert count == {"first": done, 1: done, "all": 2 * done}
    first, second = (pixels(study.figure(**QUICK, images=choice)) for choice in (0, 1))
    assert first == pixels(study.figure(**QUICK, images="first"))
    assert first != second


def pixels(figure):
    return [each.get_array().tobytes() for each in images(figure)]


def test_every_image_is_the_one_of_its_cell(study):
    figure = study.figure(dpi=60)
    heads = {
        each.get_text(): each.get_position()[0] for each in figure.findobj(Text) if each.get_text().startswith("kling")
    }
    wanted = {}
    for each in study.filled():
        for record in each.samples:
            if record is not None and record.task_status == "succeeded":
                data = study.session.workspace.read_image(record.images[0])
                wanted[record.id] = (each.cell.coordinates["model_name"], Image.open(io.BytesIO(data)).convert("RGB"))
    for artist in images(figure):
        left, right, *_ = artist.get_extent()
        if left < min(heads.values()) - 100:
            continue
        shown = Image.fromarray(artist.get_array())
        same = [model for model, whole in wanted.values() if _alike(shown, whole)]
        nearest = min(heads, key=lambda head: abs(heads[head] - (left + right) / 2))
        assert nearest in same


def _alike(small, whole):
    other = whole.resize(small.size, Image.Resampling.LANCZOS)
    return ImageChops.difference(small, other).getbbox() is None


def test_references_can_be_left_out(study):
    said = texts(study.figure(**QUICK, references=False))
    assert "References" not in said
    assert "subject" not in said


def test_labels_rename_what_is_written(study):
    said = texts(
        study.figure(
            **QUICK, labels={PROMPTS[0]: "light", "kling-v2": "Baseline", "style_image": "Style", "refused": "n/a"}
        )
    )
    assert {"light", "Baseline", "Style"} <= set(said)
    assert not any("5_000" in text for text in said)
    assert "kling-v2" not in said


def test_any_axis_on_rows_or_columns(study):
    said = texts(study.figure(**QUICK, rows="prompt", columns=["model_name", "style_image"], width=12))
    assert said.count("kling-v2") == 1  # spans two columns
    assert said.count("none") == 2


def test_a_file_that_someone_deleted_is_said_to_be_missing(study):
    record = next(record for each in study.filled() for record in each.samples if record and record.images)
    path = study.session.workspace.folder / record.images[0].path
    aside = path.rename(path.with_suffix(".aside"))
    try:
        assert "file missing" in texts(study.figure(**QUICK))
    finally:
        aside.rename(path)


def test_what_was_not_run_yet_is_planned(new_kling, cat):
    planned = new_kling().compare("a cat", subject_images=[cat], vary={"n": [1, 2]})
    assert texts(planned.figure(**QUICK)).count("planned") == 2


def test_repeats_of_one_request_are_a_figure_too(new_kling, cat):
    made = new_kling().compare("a cat", subject_images=[cat], samples=4).run(quiet=True)
    figure = made.figure(**QUICK, images="all")
    assert len(images(figure)) == 1 + 4
    assert "References" in texts(figure)


# ---- files -------------------------------------------------------------------------------------------


def test_a_png_has_the_pixels_that_were_asked_for(study, tmp_path):
    path = study.figure(tmp_path / "new" / "fig.png", width=5.01, dpi=72)
    image = opened(path)
    assert path == tmp_path / "new" / "fig.png"
    assert image.width == round(5.01 * 72)
    assert image.info["dpi"][0] == pytest.approx(72, abs=0.1)
    assert image.info["Title"] == "A $tudy_1"
    jpeg = opened(study.figure(tmp_path / "fig.jpg", width=5.01, dpi=72))
    assert (jpeg.format, jpeg.size, jpeg.info["dpi"]) == ("JPEG", image.size, (72, 72))


def test_images_are_drawn_pixel_by_pixel(study, tmp_path):
    figure = study.figure(width=5, dpi=90)
    page = opened(study.figure(tmp_path / "fig.png", width=5, dpi=90))
    for artist in images(figure):
        left, right, bottom, top = (round(each) for each in artist.get_extent())
        shown = page.crop((left, top, right, bottom))
        assert ImageChops.difference(shown, Image.fromarray(artist.get_array())).getbbox() is None


def test_a_pdf_has_its_size_its_fonts_and_its_text(study, tmp_path):
    data = study.figure(tmp_path / "fig.pdf", width=6, dpi=60).read_bytes()
    objects = streams(data)
    heads = b"".join(head for head, _ in objects)
    width, height = (float(each) for each in re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", heads).groups())
    assert width == pytest.approx(432, abs=0.01)
    assert height == pytest.approx(opened(study.figure(tmp_path / "fig.png", width=6, dpi=60)).height * 1.2, abs=0.1)
    assert heads.count(b"/Length") == heads.count(b"/Filter") + heads.count(b"/Length1")  # all is compressed
    assert b"/FontFile2" in heads
    assert b"/Type3" not in heads
    assert b"DejaVuSans" in heads
    written = "".join(
        chr(int(each, 16)) for each in re.findall(rb"<([0-9a-f]{4})>(?=[ \]])", b"".join(d for _, d in objects))
    )
    assert set("kling-v21$_{}\\Котγ") <= set(written)


def test_photographs_in_a_pdf_are_jpegs_and_no_larger_than_print_needs(study, tmp_path):
    data = study.figure(tmp_path / "fig.pdf", dpi=100).read_bytes()
    pictures = [(head, stream) for head, stream in streams(data) if b"/DCTDecode" in head]
    assert len(pictures) == study.counts["done"]  # the references are of one colour, and smaller without loss
    for head, stream in pictures:
        image = Image.open(io.BytesIO(stream))
        assert image.size == tuple(int(re.search(rb"/%s (\d+)" % side, head)[1]) for side in (b"Width", b"Height"))
        assert image.width < 700
    small = study.figure(tmp_path / "high.pdf", dpi=1200).read_bytes()
    for head, _ in streams(small):
        if b"/Subtype /Image" in head:
            assert int(re.search(rb"/Width (\d+)", head)[1]) <= 2400  # never more than the original has


def test_an_svg_keeps_text_as_text(study, tmp_path):
    text = study.figure(tmp_path / "fig.svg", **QUICK).read_text()
    assert "kling-v2-1</text>" in text
    assert "data:image/jpeg;base64," in text
    assert "$5_000" in text
    assert smaller_svg(b"<svg/>") == b"<svg/>"


@pytest.mark.parametrize("ending", ["pdf", "svg", "png", "jpg"])
def test_two_calls_give_the_same_bytes_which_name_no_place_and_no_time(study, tmp_path, ending):
    one, other = (study.figure(tmp_path / f"{name}.{ending}", **QUICK).read_bytes() for name in ("one", "other"))
    assert one == other
    plain = one + b"".join(data for _, data in streams(one)) if ending == "pdf" else one
    for secret in (str(tmp_path), str(study.session.workspace.folder), "CreationDate", "dc:date", "/root", "/home"):
        assert secret.encode() not in plain
    if ending in ("pdf", "svg", "png"):
        assert b"kling_nb" in one
        assert b"tudy_1" in one


def test_the_style_of_the_notebook_changes_neither_the_figure_nor_is_it_changed(study, tmp_path):
    plain = study.figure(tmp_path / "plain.pdf", **QUICK).read_bytes()
    mine = {
        "font.size": 31,
        "font.family": ["serif"],
        "savefig.bbox": "tight",
        "figure.facecolor": "red",
        "text.usetex": False,
        "axes.linewidth": 9,
        "pdf.fonttype": 3,
        "savefig.dpi": 7,
        "text.parse_math": True,
    }
    with mpl.rc_context(mine):
        before = dict(mpl.rcParams)
        assert study.figure(tmp_path / "styled.pdf", **QUICK).read_bytes() == plain
        assert dict(mpl.rcParams) == before
        with pytest.raises(InvalidRequest):
            study.figure(tmp_path / "styled.pdf", images=99)
        assert dict(mpl.rcParams) == before


def test_pyplot_stays_unloaded(repository):
    code = (
        "import sys; from kling_nb.compare import figure, figuredrawing, fonts; "
        "assert 'matplotlib' not in sys.modules; "
        "figuredrawing.own_style().__enter__(); fonts.installed(); figuredrawing.measure(['DejaVu Sans'], 72.0)('a', 10.0); "
        "figuredrawing._figure_class()(); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=repository)


def test_without_a_path_it_is_a_figure_that_shows_itself_small_and_saves_as_it_is(study, tmp_path, shell, monkeypatch):
    from IPython.core import display_functions

    sent = []
    monkeypatch.setattr(display_functions, "publish_display_data", lambda data, metadata=None, **_: sent.append(data))
    figure = study.figure(dpi=300)
    figure._ipython_display_()
    assert len(sent) == 1
    assert len(sent[0]["image/jpeg"]) < 450_000
    assert Image.open(io.BytesIO(sent[0]["image/jpeg"])).width <= 1400
    with mpl.rc_context({"savefig.bbox": "tight", "pdf.fonttype": 3}):
        figure.savefig(tmp_path / "own.pdf")
    assert b"/FontFile2" in (tmp_path / "own.pdf").read_bytes()


# ---- fonts -------------------------------------------------------------------------------------------


def test_a_script_without_a_font_is_one_clear_error_and_labels_help(new_kling, cat, tmp_path, monkeypatch):
    prompt = "猫 \U00012000"
    made = new_kling().compare(subject_images=[cat], vary={"prompt": [prompt, "a cat"]})
    with pytest.raises(ConfigurationError, match=r"U\+12000.*Cuneiform") as caught:
        made.figure(tmp_path / "fig.pdf")
    assert caught.value.money == ""
    assert not (tmp_path / "fig.pdf").exists()
    assert "cuneiform cat" in texts(made.figure(**QUICK, labels={prompt: "cuneiform cat"}))


def test_outlines_that_cannot_be_embedded_as_truetype_are_drawn(study, tmp_path, monkeypatch):
    monkeypatch.setattr(figuredrawing.fonts, "is_postscript", lambda family: True)
    data = study.figure(tmp_path / "fig.pdf", **QUICK).read_bytes()
    assert b"/Type3" in data
    assert b"/FontFile2" not in data


def test_text_that_goes_leftwards_is_written_or_refused_by_what_matplotlib_can(new_kling, cat, monkeypatch):
    made = new_kling().compare(subject_images=[cat], vary={"prompt": ["שלום", "a cat"]})
    if figuredrawing.shapes():
        assert "שלום" in texts(made.figure(**QUICK))
    monkeypatch.setattr(figure_module, "shapes", lambda: False)
    with pytest.raises(ConfigurationError, match="Hebrew"):
        made.figure(**QUICK)
    assert "םולש" in texts(made.figure(**QUICK, labels={"שלום": "םולש"}))


def test_without_matplotlib_it_says_what_to_install(study, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigurationError, match="needs matplotlib") as caught:
        study.figure()
    assert "kling_nb[compare]" in caught.value.advice


# ---- bad input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"path": "fig.eps"}, r"\.pdf, \.svg, \.png, \.jpg"),
        ({"path": "fig"}, "does not end in a format"),
        ({"path": 3}, "path is 3"),
        ({"path": " "}, "path is"),
        ({"width": 0}, "width is 0; it can be 1 to 40 inches"),
        ({"width": "wide"}, "width is"),
        ({"width": float("nan")}, "width is nan"),
        ({"height": True}, "height is True"),
        ({"dpi": 1e9}, "dpi is"),
        ({"images": "last"}, 'images is "last"; it can be "first", "all" or a number'),
        ({"images": -1}, "the cells have images 0 to 1"),
        ({"images": 2}, "the cells have images 0 to 1"),
        ({"images": True}, "images is True"),
        ({"images": ["first"]}, "images is"),
        ({"references": 1}, "references is 1"),
        ({"overwrite": "yes"}, "overwrite is"),
        ({"labels": ["a"]}, "labels is"),
        ({"labels": {"kling-v2": 2}}, "labels is"),
        ({"labels": {"kling-v22": "Ours"}}, "did you mean 'kling-v2'"),
        ({"rows": "colour"}, "there is no axis"),
        ({"width": 1, "columns": ["model_name", "prompt", "style_image"]}, "inches wide or high"),
        ({"width": 40, "height": 200, "dpi": 2400}, "The figure would have"),
    ],
)
def test_bad_input_is_one_clear_message(study, given, said):
    with pytest.raises(InvalidRequest, match=said) as caught:
        study.figure(**given)
    assert len(caught.value.message.splitlines()) == 1
    assert "sent" not in str(caught.value)


def test_a_file_that_exists_stays_unless_it_may_be_replaced(study, tmp_path):
    path = tmp_path / "fig.png"
    path.write_bytes(b"mine")
    with pytest.raises(InvalidRequest, match="exists"):
        study.figure(path, **QUICK)
    assert path.read_bytes() == b"mine"
    study.figure(path, **QUICK, overwrite=True)
    assert path.read_bytes().startswith(b"\x89PNG")
    (tmp_path / "a.pdf").mkdir()
    with pytest.raises(InvalidRequest, match="is a folder"):
        study.figure(tmp_path / "a.pdf", overwrite=True)


def test_a_folder_that_cannot_be_made_is_said(study, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        study.figure(tmp_path / "file" / "fig.png", **QUICK)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
