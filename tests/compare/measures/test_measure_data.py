"""What was measured as columns, as plain data and back, in a saved folder, and as it is shown."""

import itertools
import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kling_nb.compare import frames
from kling_nb.compare.measures.data import columns, from_data, to_data
from kling_nb.compare.measures.measured import Measured
from kling_nb.compare.measures.units import spread
from kling_nb.compare.measures.values import Failure
from kling_nb.errors import WorkspaceError

names = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="."), min_size=1, max_size=20)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
values = st.none() | numbers | st.dictionaries(names, numbers, min_size=1, max_size=4)
digests = st.sampled_from(["a" * 64, "b" * 64, "c" * 64])
failures = st.builds(Failure, names, st.just(""))


@st.composite
def everything_measured(draw):
    over = draw(st.sampled_from(["image", "task", "cell"]))
    parts = {"image": 2, "task": 1, "cell": 0}[over]
    places = draw(st.sets(st.tuples(digests, *[st.integers(0, 9)] * parts), max_size=12))
    failed = draw(st.sets(st.sampled_from(sorted(places)))) if places else set()
    found = {place: draw(values) for place in sorted(places - failed)}
    return Measured(draw(names), draw(names), over, found, {place: draw(failures) for place in sorted(failed)})


@settings(deadline=None)
@given(st.lists(everything_measured(), max_size=4))
def test_what_is_written_is_read(measured):
    assert from_data(json.loads(json.dumps(to_data(measured)))) == measured


def good():
    return {"name": "a", "version": "1", "over": "task", "values": {"d": [[0, 1.5]]}, "failures": {"d": [[1, "E"]]}}


@pytest.mark.parametrize(
    "change",
    [
        {"over": "axis"},
        {"name": ""},
        {"name": 3},
        {"version": None},
        {"values": {"d": [[0, "text"]]}},
        {"values": {"d": [[0, True]]}},
        {"values": {"d": [[0, math.nan]]}},
        {"values": {"d": [[0, 10**400]]}},
        {"values": {"d": [[0, {}]]}},
        {"values": {"d": [[0, {"a": []}]]}},
        {"values": {"d": [[0, {"": 1}]]}},
        {"values": {"d": [[0, 0, 1]]}},
        {"values": {"d": [[1]]}},
        {"values": {"d": [[]]}},
        {"values": {"d": [[-1, 1]]}},
        {"values": {"d": [["0", 1]]}},
        {"values": {"d": [[True, 1]]}},
        {"values": {"d": [[0, 1], [0, 2]]}},
        {"values": {"d": [[1, 1]]}},
        {"values": {"d": 7}},
        {"values": []},
        {"failures": {"d": [[1, None]]}},
    ],
)
def test_what_was_changed_is_refused(change):
    assert from_data([good()])
    with pytest.raises(WorkspaceError, match=r"^The measures cannot be read") as caught:
        from_data([good() | change])
    assert caught.value.advice == "Use the folder as it was saved."


@pytest.mark.parametrize("data", [7, None, [7], ["x"], [{}], "measures"])
def test_what_is_no_measure_is_refused(data):
    with pytest.raises(WorkspaceError):
        from_data(data)


def test_unknown_keys_are_passed_over():
    assert from_data([good() | {"unit": "px"}]) == from_data([good()])


# ---- as columns --------------------------------------------------------------------------------------


def test_columns_stand_beside_the_rows_of_the_data_frame(compare):
    made = compare(vary={"aspect_ratio": ["1:1", "16:9", "3:2"]})
    made.run()
    # A cell without its first sample's second image, and one that was never asked for.
    filled = list(made.filled())
    first = filled[0].samples[0]
    lost = replace(first, images=(first.images[0], replace(first.images[1], path=None)))
    filled[0] = replace(filled[0], samples=(lost, filled[0].samples[1]))
    filled[2] = replace(filled[2], samples=(None, None))
    made.filled = lambda: tuple(filled)
    numbers = iter(range(100))
    made.measure(lambda i, r, q: next(numbers), "single", version=1)
    made.measure(lambda i, r, q: {"n": len(i)}, "pair", version=1, over="task")
    made.measure(lambda i, r, q: len(i), "whole", version=1, over="cell")
    made.measure("palette_distance")
    found = columns(made.measures.values(), filled)
    rows = frames.rows(made.record, filled, made.session.workspace.folder)
    assert [(row["aspect_ratio"], row["sample"], row["index"]) for row in rows] == [
        ("1:1", 0, 0),
        ("1:1", 0, 1),
        ("1:1", 1, 0),
        ("1:1", 1, 1),
        ("16:9", 0, 0),
        ("16:9", 0, 1),
        ("16:9", 1, 0),
        ("16:9", 1, 1),
        ("3:2", 0, None),
        ("3:2", 1, None),
    ]
    assert found == {
        "pair.n": [1, 1, 2, 2, 2, 2, 2, 2, None, None],
        "single": [0, None, 1, 2, 3, 4, 5, 6, None, None],
        "whole": [3, 3, 3, 3, 4, 4, 4, 4, None, None],
    }
    assert columns([], filled) == {}


def test_a_data_frame_of_one_measure_has_the_axes(study, counting):
    def sometimes(number):
        if number == 1:
            raise ValueError("no face")
        return {"n": number}

    frame = study.measure(counting(sometimes), "faces", version=1).to_dataframe()
    assert list(frame.columns) == ["aspect_ratio", "digest", "sample", "index", "faces.n", "failure"]
    assert frame["aspect_ratio"].cat.categories.tolist() == ["1:1", "16:9"]
    assert frame["faces.n"].dropna().tolist() == [0, 2, 3, 4, 5, 6, 7]
    assert frame["failure"].dropna().str.startswith("ValueError: no face").tolist() == [True]
    whole = study.measure("count").to_dataframe()
    assert list(whole.columns) == [
        "aspect_ratio",
        "digest",
        "sample",
        "count.asked",
        "count.served",
        "count.missing",
        "failure",
    ]
    assert len(whole) == 4
    assert list(study.measure("diversity").to_dataframe().columns) == ["aspect_ratio", "digest", "diversity", "failure"]
    bare = replace(study.measures["diversity"], design=None)
    assert list(bare.to_dataframe().columns) == ["digest", "diversity", "failure"]


# ---- in a folder -------------------------------------------------------------------------------------


def test_a_saved_comparison_has_what_was_measured_and_measures_on(study, counting, kling, tmp_path):
    study.measure("sharpness")

    def sometimes(number):
        if number == 1:
            raise ValueError("not in /home/me/weights")
        return number

    study.measure(counting(sometimes), "order", version=1)
    whole = study.measure("count")
    folder = study.save(tmp_path / "out", quiet=True)
    # What was raised may tell of somebody's disk.
    assert "/home/me" not in (folder / "manifest.json").read_text()
    loaded = kling.load_comparison(folder)
    assert list(loaded.measures) == ["count", "order", "sharpness"]
    assert loaded.measures["count"] == whole
    assert loaded.measures["sharpness"].values == study.measures["sharpness"].values
    assert [str(each) for each in loaded.measures["order"].failures.values()] == ["ValueError"]
    again = counting(lambda number: 50)
    assert sorted(loaded.measure(again, "order", version=1).values.values()) == [0, 2, 3, 4, 5, 6, 7, 50]
    assert len(again.calls) == 1
    assert len(loaded.measure("diversity").values) == 2
    assert loaded.measure(lambda i, r, q: r[0].image.width, "wide", executor=None).values
    assert list(loaded.measures) == ["count", "diversity", "order", "sharpness", "wide"]
    # The folder is as it was, and so is the journal.
    assert list(kling.load_comparison(folder).measures) == ["count", "order", "sharpness"]
    assert list(study.measures) == ["count", "order", "sharpness"]


# ---- as it is shown ----------------------------------------------------------------------------------


def test_it_is_shown_as_a_short_table_by_level(study):
    served = study.measure(lambda i, r, q: 1 if q["aspect_ratio"] == "1:1" else 3, "two")
    assert repr(served) == "<Measured two · 8 images>"
    data, metadata = served._repr_mimebundle_()
    assert metadata == {}
    assert data["text/plain"].splitlines() == [
        "two · 8 images",
        "two: n 8, mean 2, min 1, max 3",
        "  aspect_ratio: 1:1: n 4, mean 1, min 1, max 1",
        "  aspect_ratio: 16:9: n 4, mean 3, min 3, max 3",
    ]
    assert "<script" not in data["text/html"]
    assert "<style" not in data["text/html"]
    assert data["text/html"].count("<tr") == 4


def test_failures_are_counted_where_it_is_shown(study, counting):
    def sometimes(number):
        if number < 5:
            raise ValueError(f"<b>{number // 2}</b>")

    found = study.measure(counting(sometimes), "faces", version=1)
    assert str(found) == "faces · 3 images · 3 not applicable · 5 failed"
    data = found.bundle()[0]
    assert "2 × ValueError: <b>0</b>" in data["text/plain"]
    assert "1 × ValueError: <b>2</b>" in data["text/plain"]
    assert "<b>0</b>" not in data["text/html"]
    assert "2 × ValueError: &lt;b&gt;0" in data["text/html"]
    assert "<table" not in data["text/html"]


def test_many_levels_and_many_failures_are_not_all_shown(compare, counting):
    made = compare(vary={"prompt": [f"<cat {i}>" for i in range(15)]}, prompt=None, samples=1, n=1).run()

    def sometimes(number):
        if number < 4:
            raise ValueError(f"of its own: {number}")
        return {f"k{i}": number for i in range(9)}

    data = made.measure(counting(sometimes), "many", version=1).bundle()[0]
    assert "&lt;cat 4&gt;" in data["text/html"]
    assert "<cat" not in data["text/html"]
    # 9 numbers, each over all and for 11 levels that have a value; 8 numbers are shown.
    assert "12 more lines in .to_dataframe()" in data["text/plain"]
    assert "and 1 other failure; .failures has all of them" in data["text/plain"]
    assert data["text/html"].count("<tr") == 1 + 8 * 12


# ---- parts -------------------------------------------------------------------------------------------


@given(st.integers(0, 300), st.integers(1, 30))
def test_what_is_tried_first_lies_evenly_and_nothing_is_left_out(count, first):
    found = spread(count, first)
    assert sorted(found) == list(range(count))
    if count > first:
        assert found[:first] == sorted(found[:first])
        gaps = [after - before for before, after in itertools.pairwise(found[:first])]
        assert not gaps or max(gaps) - min(gaps) <= 1


def test_a_journal_of_another_version_that_has_more_is_read(study, counting):
    study.measure(counting(), "order", version=1)
    kept = study.session.workspace.journal.measures
    some = kept.find([study.cells[0].digest])[0]
    kept.keep([some._replace(name="later", scope="axis", result="new")])
    assert list(study.measures) == ["order"]
    kept.keep([some._replace(result='{"values": 3}')])
    with pytest.raises(WorkspaceError, match="A result of the measure order cannot be read"):
        _ = study.measures
