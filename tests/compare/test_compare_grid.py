"""The grid: every image is in the cell that its request says, once, and a page is not too large."""

import io
import json
import random
import re
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kling_nb.compare.arrange import arrange, sides
from kling_nb.compare.design import Cell, Design
from kling_nb.compare.grid import Grid
from kling_nb.compare.gridhtml import Pictures
from kling_nb.compare.levels import Axis, Level
from kling_nb.compare.pages import MOST_CELLS, MOST_IMAGES, pages, size_of
from kling_nb.compare.records import ComparisonRecord, Filled
from kling_nb.compare.states import state
from kling_nb.display import thumbnail
from kling_nb.errors import InvalidRequest
from kling_nb.records import Failure, ImageRecord, Reference, TaskRecord


class Reader(HTMLParser):
    """Reads a page's table as a person does: a picture stands below its column's labels and beside its row's."""

    def __init__(self, text):
        super().__init__()
        self.images, self._spans, self._row, self._heads = [], {}, -1, []
        self._labels, self._in_head, self._column, self._bold = {}, False, 0, False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "thead":
            self._in_head = True
        elif tag == "tr":
            self._row += 1
            self._column = 0
        elif tag in ("th", "td"):
            while (self._row, self._column) in self._spans:
                self._column += 1
            self._at = self._column
            self._here = []
            for down in range(int(attrs.get("rowspan", 1))):
                for right in range(int(attrs.get("colspan", 1))):
                    self._spans[self._row + down, self._column + right] = self._here
        elif tag == "b":
            self._bold = True
        elif tag == "a":
            self._title = attrs.get("title", "")
        elif tag == "img" and not self._in_head:
            self.images.append((self._row, self._at, attrs["alt"], self._title))
            self._title = ""

    _title = ""

    def handle_endtag(self, tag):
        if tag == "thead":
            self._in_head = False
            self._head_rows = self._row + 1
        self._bold = self._bold and tag != "b"

    def handle_data(self, data):
        if self._bold:
            self._here.append(data)

    def labels(self, row, column, row_axes):
        """The labels that stand above and beside a place."""
        above = ["".join(self._spans[head, column]) for head in range(self._head_rows)]
        beside = ["".join(self._spans[row, left]) for left in range(row_axes)]
        return [label for label in above if label], beside


def read(html):
    return Reader(html[html.index('<table border="1"') :])


@pytest.fixture
def study(kling, cat, pictures):
    made = kling.compare(
        subject_images=cat,
        vary={
            "prompt": ["a cat", "[sandbox: fail] a hat", "a <b>bold</b> dog"],
            "style_image": {"none": None, "wave": pictures(2)},
            "model_name": ["kling-v2", "kling-v2-1"],
            "n": [1, 3],
        },
        samples=2,
        where=lambda cell: not (cell["style_image"] == "wave" and cell["n"] == "3"),
        name="study",
    )
    return made.run(yes=True)


WISHES = [
    ({}, ("prompt", "style_image", "n"), ("model_name",)),
    ({"rows": "n"}, ("n", "prompt", "style_image"), ("model_name",)),
    ({"columns": "prompt"}, ("style_image", "model_name", "n"), ("prompt",)),
    ({"columns": ["prompt", "n"], "rows": ["style_image"]}, ("style_image", "model_name"), ("prompt", "n")),
    ({"columns": [], "rows": []}, ("prompt", "style_image", "model_name", "n"), ()),
    ({"columns": ["prompt", "n", "style_image", "model_name"]}, (), ("prompt", "n", "style_image", "model_name")),
]


def test_every_image_is_in_the_cell_that_its_request_says(study):
    for wish, rows, columns in WISHES:
        assert sides(study.design, **wish) == (rows, columns)
        check_every_image(study, study.grid(**wish), rows, columns)


def check_every_image(study, grid, rows, columns):
    by_id = {task.id: task for task in study.tasks}
    styles = {cell.references[-1].sha256 for cell in study.cells if cell.coordinates["style_image"] == "wave"}
    seen = []
    for number in range(1, len(grid) + 1):
        page = read(grid.page(number).bundle()[0]["text/html"])
        for row, column, alt, title in page.images:
            if not title:
                continue
            task = by_id[re.search(r"task (\S+)", title)[1]]
            above, beside = page.labels(row, column, len(rows))
            found = dict(zip((*columns, *rows), (*above, *beside), strict=True))
            assert found["prompt"] == task.prompt
            assert found["n"] == str(task.n)
            assert found["model_name"] == task.model_name
            assert (found["style_image"] == "wave") == bool(styles & {each.sha256 for each in task.references})
            for axis, label in found.items():
                assert f"{axis}: {label}" in alt
            seen.append((task.id, int(re.search(r"image (\d+)", alt)[1]) - 1))
    assert sorted(seen) == sorted((image._record.id, image.index) for image in study.images)
    assert len(seen) == 2 * 2 * (2 * (1 + 3) + 2)


def test_what_is_not_there_is_said(study):
    data = study.bundle()[0]
    assert "risk control" in data["text/html"]
    crossed = study.grid(rows=["n", "prompt"], columns=["style_image", "model_name"])
    said = "".join(crossed.page(number).bundle()[0]["text/html"] for number in range(1, len(crossed) + 1))
    assert said.count("not in the design") == 3 * 2
    assert "⊘⊘" in data["text/plain"]
    assert "In every cell:" in data["text/html"]


def test_the_metadata_names_cells_and_tasks(study):
    account = study.grid().bundle()[1]["kling_nb"]["comparison"]
    assert (account["name"], account["gateway"], account["seed"]) == ("study", "sandbox", study.seed)
    known = {(cell.digest, tuple(cell.coordinates.items())) for cell in study.cells}
    assert {(each["digest"], tuple(each["coordinates"].items())) for each in account["cells"]} <= known
    json.dumps(account)


def test_nothing_from_outside_is_markup(study):
    html = study.bundle()[0]["text/html"]
    assert "<b>bold</b>" not in html
    assert "a &lt;b&gt;bold" in html


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"rows": "colour"}, "rows: there is no axis"),
        ({"columns": ["axis0", "seed"]}, "columns: there is no axis"),
        ({"rows": 3}, "rows: there is no axis 3"),
        ({"rows": "axis0", "columns": "axis0"}, "axis0 is given twice"),
        ({"rows": ["axis1", "axis1"]}, "axis1 is given twice"),
        ({"page": 0}, "page is 0"),
        ({"page": 99}, "page is 99"),
        ({"page": "2"}, "page is"),
        ({"page": True}, "page is True"),
    ],
)
def test_what_cannot_be_shown_is_said(wish, said):
    record, filled = made_up((2, 3), 1, 1)
    with pytest.raises(InvalidRequest, match=said):
        Grid(
            record,
            arrange(record.design, filled, wish.get("rows"), wish.get("columns")),
            lambda part: Pictures({}, {}, {}),
            wish.get("page", 1),
        )


def test_a_picture_that_someone_deleted_is_said(study):
    image = study.images[0]
    for path in (image.path, study.session.workspace.folder / "thumbnails" / f"{image.sha256}.jpg"):
        path.unlink()
    html = study.bundle()[0]["text/html"]
    assert "the file is not there any more" in html
    assert len(read(html).images) > 10


# ---- designs of any shape, without a gateway -----------------------------------------------------------


def made_up(shape, samples, n, left_out=0.0, seed=0):
    """A comparison of any shape with all its tasks done."""
    rng = random.Random(seed)
    axes = tuple(
        Axis(f"axis{i}", tuple(Level(f"level {i}.{j}", {}) for j in range(size))) for i, size in enumerate(shape)
    )
    subject = Reference("subject", "cat.png", "0" * 64)
    cells, filled = [], []
    combinations = [[]]
    for axis in axes:
        combinations = [[*each, level.label] for each in combinations for level in axis.levels]
    for number, labels in enumerate(combinations):
        if number and rng.random() < left_out:
            continue
        coordinates = {axis.name: label for axis, label in zip(axes, labels, strict=True)}
        request = {"model_name": "kling-v2-1", "n": n, "prompt": f"cell {number}"}
        cells.append(Cell(coordinates, request, f"digest{number}", (subject,)))
        tasks = []
        for sample in range(samples):
            images = tuple(ImageRecord(i, path=f"images/{number}_{sample}_{i}.png", sha256="1" * 64) for i in range(n))
            task = TaskRecord(f"task-{number}-{sample}", "sandbox", request, f"digest{number}", (subject,), "x", 1.0)
            tasks.append(replace(task, task_status="succeeded", images=images, saved_at=2.0, finished_at=2.0))
        filled.append(Filled(cells[-1], tuple(tasks)))
    design = Design(axes, tuple(cells), samples)
    return ComparisonRecord("an-id", "made up", "sandbox", 0.0, "seed", design), tuple(filled)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.integers(1, 4),
    st.integers(1, 9),
    st.sampled_from([0.0, 0.3]),
    st.randoms(use_true_random=False),
)
def test_pages_hold_every_cell_once_and_not_too_much(shape, samples, n, left_out, rng):
    record, filled = made_up(shape, samples, n, left_out)
    names = [axis.name for axis in record.design.axes]
    rng.shuffle(names)
    cut = rng.randint(0, len(names))
    table = arrange(record.design, filled, names[:cut], names[cut:])
    parts = pages(table)
    shown = [each.cell.digest for part in parts for row in part.cells for each in row if each is not None]
    assert sorted(shown) == sorted(each.cell.digest for each in filled)
    for part in parts:
        cells = [each for row in part.cells for each in row]
        assert len(cells) == 1 or sum(map(size_of, cells)) <= MOST_IMAGES
        assert len(cells) <= MOST_CELLS or len(part.rows) == 1
        for row, line in zip(part.cells, part.rows, strict=True):
            for each, column in zip(row, part.columns, strict=True):
                if each is not None:
                    at = each.cell.coordinates
                    assert tuple(at[axis] for axis in part.row_axes) == line.labels
                    assert tuple(at[axis] for axis in part.column_axes) == column.labels


@pytest.fixture(scope="module")
def noise():
    """A thumbnail of what compresses worst."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", (512, 512), random.Random(1).randbytes(512 * 512 * 3)).save(buffer, "PNG")
    return thumbnail(buffer.getvalue())


@pytest.mark.parametrize(
    ("shape", "samples", "n"), [((2, 2, 12), 1, 1), ((3, 4), 1, 9), ((1, 1), 10, 9), ((2, 30), 1, 1), ((6, 20), 1, 1)]
)
def test_a_page_stays_below_what_one_output_may_add(noise, shape, samples, n):
    record, filled = made_up(shape, samples, n)
    table = arrange(record.design, filled)

    def look(part):
        tasks = [task for row in part.cells for each in row for task in each.samples]
        return Pictures({(task.id, i): noise for task in tasks for i in range(n)}, {"0" * 64: noise[:2000]}, {})

    grid = Grid(record, table, look)
    for number in range(1, len(grid) + 1):
        bundle = grid.page(number).bundle()
        assert len(json.dumps(bundle)) <= 400_000


def test_states():
    request = {"model_name": "kling-v2-1", "n": 2}
    task = TaskRecord("id", "sandbox", request, "d", (), "x", 1.0)
    image = ImageRecord(0, path="images/a.png")
    assert state(None) == state(task) == state(replace(task, task_status="cancelled")) == "planned"
    assert state(replace(task, task_status="sending")) == "under way"
    assert state(replace(task, task_status="processing")) == "under way"
    assert state(replace(task, task_status="uncertain")) == "uncertain"
    done = replace(task, task_status="succeeded", images=(image, replace(image, index=1)))
    assert state(done) == "under way"
    assert state(replace(done, saved_at=2.0)) == "done"
    assert state(replace(done, saved_at=2.0, images=(image,))) == "images missing"
    assert state(replace(done, failure=Failure("ImagesMissing", "gone"), images=(image,))) == "images missing"
    failed = replace(task, task_status="failed", failure=Failure("TaskFailed", "Image pixel is invalid"))
    assert state(failed) == "failed"
    for failure in (Failure("ContentRefused", "no"), Failure("TaskFailed", "Failure to pass the Risk Control system")):
        assert state(replace(failed, failure=failure)) == "refused"


def test_a_picture_stands_in_where_html_does_not_reach(study):
    data, metadata = study.bundle()
    sheet = Image.open(io.BytesIO(b64decode(data["image/jpeg"])))
    assert len(b64decode(data["image/jpeg"])) <= 60_000
    assert sheet.size == (metadata["image/jpeg"]["width"], metadata["image/jpeg"]["height"])
    assert "study" in metadata["image/jpeg"]["alt"]
    # Columns and rows of pictures, and words on white between them.
    assert len(set(sheet.convert("L").tobytes())) > 8


def test_there_is_no_picture_without_pictures():
    record, filled = made_up((2, 2), 1, 1)
    grid = Grid(record, arrange(record.design, filled), lambda part: Pictures({}, {}, {}))
    assert "image/jpeg" not in grid.bundle()[0]


def test_the_picture_of_a_large_page_stays_small(noise):
    record, filled = made_up((4, 15), 1, 1)
    grid = Grid(
        record,
        arrange(record.design, filled),
        lambda part: Pictures({(t.id, 0): noise for row in part.cells for each in row for t in each.samples}, {}, {}),
    )
    assert len(b64decode(grid.bundle()[0]["image/jpeg"])) <= 60_000
