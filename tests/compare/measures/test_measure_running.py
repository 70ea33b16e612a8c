"""Measuring a comparison: everything once, failures kept, and nothing lost whatever comes in between."""

import re
from types import SimpleNamespace

import pytest
from PIL import Image

from kling_nb.compare.measures import results, running
from kling_nb.errors import ConfigurationError, InvalidRequest, WaitInterrupted


def places(made, over="image"):
    found = []
    for each in made.filled():
        for sample, task in enumerate(each.samples):
            whole = [(each.cell.digest, sample, image.index) for image in task.images]
            found += {"image": whole, "task": [whole[0][:2]], "cell": [whole[0][:1]] if not sample else []}[over]
    return found


@pytest.fixture
def notes(monkeypatch):
    said = []
    monkeypatch.setattr(
        "kling_nb.session.screen.Screen.note", lambda self, message, problem=False: said.append(message)
    )
    return said


# ---- what a function is given ------------------------------------------------------------------------


def test_a_function_is_given_the_image_as_served_the_references_and_the_request(compare, cat, pictures):
    wave = pictures(7)
    made = compare(style_image=wave, callback_url="https://example.org/hook?secret=1").run()
    seen = []

    def across(image, references, request):
        seen.append((image, references, request))
        return image.width

    found = made.measure(across, version=1)
    assert set(found.values.values()) == {512}
    assert list(found.values) == places(made)
    image, references, request = seen[0]
    assert isinstance(image, Image.Image)
    assert (image.format, image.mode) == ("JPEG", "RGB")
    assert [each.role for each in references] == ["subject", "style"]
    assert [each.image.size for each in references] == [(320, 300)] * 2
    assert references[1].sha256 == request["style_image"].removeprefix("sha256:")
    assert (request["prompt"], request["n"], request["aspect_ratio"]) == ("a cat", 2, "1:1")
    # What is found of a reference can be cached by it.
    assert len({reference for _, references, _ in seen for reference in references}) == 2
    # Two requests that differ in nothing else have one digest, and so have one result.
    assert "callback_url" not in request
    assert repr(references[0]).startswith("<ReferenceImage subject: ")


def test_what_a_function_does_to_its_arguments_does_no_harm(study):
    def careless(image, references, request):
        image.thumbnail((8, 8))
        references[0].image.thumbnail((8, 8))
        request.clear()
        return references[0].image.width

    assert set(study.measure(careless).values.values()) == {320}
    assert study.cells[0].request["n"] == 2
    assert study.images[0].image.width == 512


@pytest.mark.parametrize(("over", "calls", "size"), [("task", 4, 2), ("cell", 2, 4)])
def test_tasks_and_cells_are_measured_as_a_whole(study, over, calls, size):
    seen = []

    def pixels(images, references, request):
        seen.append((len(images), [image.width for image in images], images[1:][-1].size, references, request))
        return {"sum": sum(image.width for image in images), "n": len(images)}

    found = study.measure(pixels, version="a", over=over)
    assert len(seen) == calls
    assert {(count, tuple(widths), last) for count, widths, last, *_ in seen} == {(size, (512,) * size, (512, 512))}
    assert list(found.values) == places(study, over)
    assert set(map(str, found.values.values())) == {str({"sum": 512 * size, "n": size})}
    assert found.columns == ("pixels.sum", "pixels.n")


def test_a_reference_that_is_gone_says_so(study, new_kernel, new_kling):
    def look(image, references, request):
        return references[0].image.width

    # As long as the kernel lives, it has the bytes.
    assert study.measure(look, version=0).values
    new_kernel()
    study = new_kling().comparison(study.id)
    for path in (study.session.workspace.folder / "references").iterdir():
        path.unlink()
    with pytest.raises(InvalidRequest, match=r"The first failure: WorkspaceError: The stored reference .* is missing"):
        study.measure(look)


# ---- once --------------------------------------------------------------------------------------------


def test_nothing_is_measured_twice(study, counting):
    first = counting()
    found = study.measure(first, "order", version=1)
    assert len(first.calls) == 8
    assert sorted(found.values.values()) == list(range(8))
    again = counting()
    assert study.measure(again, "order", version=1) == found
    assert again.calls == []


def test_another_kernel_has_what_was_measured(study, counting, new_kernel, new_kling, compare):
    found = study.measure(counting(), "order", version=1)
    new_kernel()
    made = compare(new_kling())
    assert made.measures == {"order": found}
    again = counting()
    assert made.measure(again, "order", version=1) == found
    assert again.calls == []


def test_the_same_images_of_another_comparison_are_known(study, counting, compare):
    study.measure(counting(), "order", version=1)
    more, again = compare(vary={"aspect_ratio": ["1:1", "16:9", "3:2"]}, samples=3).run(), counting()
    assert len(more.measures["order"].values) == 8
    assert len(more.measure(again, "order", version=1).values) == 18
    assert len(again.calls) == 10
    assert len(study.measures["order"].values) == 8


def test_a_new_version_is_measured_anew_and_an_old_one_is_found_again(study):
    def brightness(image, references, request):
        return 1

    first = study.measure(brightness)

    def brightness(image, references, request):
        return 2

    second = study.measure(brightness)
    assert set(first.values.values()) == {1}
    assert set(second.values.values()) == {2}
    assert first.version != second.version
    assert study.measures == {"brightness": second}

    def brightness(image, references, request):
        return 1

    assert study.measure(brightness) == first
    # The version that was asked for last is the one that counts.
    assert study.measures == {"brightness": first}


def test_two_versions_of_one_moment_are_told_apart(study, monkeypatch):
    monkeypatch.setattr(results, "time", SimpleNamespace(time=lambda: 5.0, monotonic=lambda: 5.0))
    for version in (1, 2, 1):
        found = study.measure(lambda i, r, q, version=version: version, "which", version=version)
        assert found.version == str(version)
        assert set(found.values.values()) == {version}
    assert len(study.measures) == 1


def test_a_cell_is_measured_anew_when_it_has_grown(study, compare, counting):
    first = counting(lambda number: 10 + number)
    study.measure(first, "spread", version=1, over="cell")
    more = compare(samples=3).run()
    assert more.measures == {}
    again = counting()
    found = more.measure(again, "spread", version=1, over="cell")
    assert [len(images) for images, *_ in again.calls] == [6, 6]
    assert sorted(found.values.values()) == [0, 1]


def test_of_a_comparison_under_way_what_is_there_is_measured(compare, counting, sandbox):
    made = compare()
    with pytest.raises(
        InvalidRequest, match=r"^There is no image yet that could be measured\.\n`\.run\(\)` asks"
    ) as caught:
        made.measure(counting(), "order", version=1)
    assert caught.value.money == ""
    assert made.measures == {}
    made.run()
    assert len(made.measure(counting(), "order", version=1).values) == 8


def test_what_failed_or_was_refused_has_nothing_to_measure(compare, counting, sandbox):
    sandbox.faults.add("create", "status", times=1, status=400, code=1301)
    made, every = compare().run(), counting()
    assert made.counts == {"done": 3, "refused": 1}
    assert len(made.measure(every, "order", version=1).values) == len(every.calls) == 6
    assert len(made.measure("count").values) == 3
    assert len(made.measure("diversity").values) == 2


def test_measures_of_different_names_stand_beside_each_other(study):
    assert study.measure("sharpness") == study.measures["sharpness"]
    study.measure("count")
    study.measure(lambda image, references, request: 1, name="one")
    assert list(study.measures) == ["count", "one", "sharpness"]
    assert study.measures["one"].name == "one"


# ---- failures ----------------------------------------------------------------------------------------


def test_what_raises_is_kept_with_its_reason_and_tried_again(study, counting, notes):
    def sometimes(number):
        if number in (2, 5):
            raise ValueError(f"no face in image {number}")
        return number

    first = counting(sometimes)
    found = study.measure(first, "faces", version=1)
    assert len(first.calls) == 8
    assert len(found.values) == 6
    assert [each.kind for each in found.failures.values()] == ["ValueError"] * 2
    assert re.fullmatch(
        r"no face in image 2 \(.*test_measure_running\.py, line \d+\)", next(iter(found.failures.values())).message
    )
    assert len(notes) == 1
    assert notes[0].startswith("Measured faces of 8 images. 2 failures, the first: ValueError: no face in image 2 (")
    assert notes[0].endswith(" Measuring again tries what failed once more.")
    assert study.measures == {"faces": found}
    again = counting(lambda number: 100)
    mended = study.measure(again, "faces", version=1)
    assert len(again.calls) == 2
    assert not mended.failures
    assert sorted(mended.values.values()) == [0, 1, 3, 4, 6, 7, 100, 100]


def test_a_function_that_always_raises_is_one_clear_error(study):
    def broken(image, references, request):
        raise RuntimeError("no weights\nat all")

    with pytest.raises(InvalidRequest) as caught:
        study.measure(broken)
    assert re.fullmatch(
        r"broken gave no value for any of 8 images\. The first failure: RuntimeError: no weights at all \(.*, line \d+\)\.",
        str(caught.value),
    )
    assert len(study.measures["broken"].failures) == 8

    def two(image, references):
        return 1

    with pytest.raises(InvalidRequest, match="takes 2 positional arguments but 3 were given"):
        study.measure(two)


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("sharp", r'text \("sharp"\)'),
        (b"sharp", r"text \(b'sharp'\)"),
        (float("nan"), "nan, which is not finite"),
        (float("-inf"), "-inf, which is not finite"),
        (10**400, r".*, which is not finite"),
        ([1, 2], r"\[1, 2\]"),
        ({}, "an empty dict"),
        ({"a": {"b": 1}}, ", for \"a\", {'b': 1}"),
        ({"a": "b"}, ', for "a", text \\("b"\\)'),
        ({1: 2}, "a dict with 1 as a key, which must be text of 1 to 80 characters"),
        ({"": 2}, 'a dict with "" as a key, which must be text of 1 to 80 characters'),
        (1j, "a complex"),
        (object, "a type"),
    ],
)
def test_what_is_no_number_is_one_clear_error(study, returned, said):
    with pytest.raises(InvalidRequest) as caught:
        study.measure(lambda image, references, request: returned, "odd", version=1)
    assert re.fullmatch(
        rf"odd returned ?{said}, and gave no value for any of 8 images; wanted is a number, a dict of text to number, "
        r"or None where it does not apply\.",
        str(caught.value),
    )


def test_numbers_of_any_library_are_numbers(study):
    import numpy as np

    every = [True, 3, 2.5, np.float32(0.5), np.int64(7), np.bool_(False), np.array(1.25), 2**60]
    found = study.measure(lambda image, references, request: every.pop(), "any", version=1)
    values = sorted(found.values.values())
    assert values == [0, 0.5, 1, 1.25, 2.5, 3, 7, float(2**60)]
    assert {type(value) for value in values} == {int, float}


def test_one_wrong_value_among_others_is_a_failure_of_its_own(study, counting):
    found = study.measure(counting(lambda number: "loud" if number == 3 else number), "noise", version=1)
    assert [str(each) for each in found.failures.values()] == ['NotAValue: returned text ("loud")']
    assert len(found.values) == 7


def test_what_does_not_apply_is_no_failure_and_is_not_asked_again(study, counting):
    first = counting(lambda number: None if number % 2 else {"a": number, "b": None})
    found = study.measure(first, "half", version=1)
    assert [*found.values.values()] == [{"a": 0}, None, {"a": 2}, None, {"a": 4}, None, {"a": 6}, None]
    assert not found.failures
    again = counting()
    assert study.measure(again, "half", version=1) == found
    assert again.calls == []
    # Where it applies to nothing, that is an answer, too.
    assert set(study.measure("palette_distance").values.values()) == {None}


def test_an_image_whose_file_is_gone_or_was_changed_is_a_failure(study):
    gone, changed = study.images[0], study.images[5]
    gone.path.unlink()
    changed.path.write_bytes(changed.bytes + b"more")
    found = study.measure("sharpness")
    assert len(found.values) == 6
    one, other = found.failures.values()
    assert one.kind == other.kind == "WorkspaceError"
    assert "is not there any more" in one.message
    assert "is not the one that was served any more" in other.message


def test_where_all_that_is_tried_first_fails_the_rest_is_not_tried(compare, counting, monkeypatch):
    monkeypatch.setattr(running, "_TRIED_FIRST", 3)
    made = compare(vary={"prompt": [f"cat {i}" for i in range(6)]}, prompt=None, samples=2).run()

    def broken(number):
        raise RuntimeError("no weights")

    every = counting(broken)
    with pytest.raises(
        InvalidRequest, match=r"^x gave no value for any of the first 6 images that were tried, of 24\."
    ):
        made.measure(every, "x", version=1)
    # They lie evenly among all.
    assert [request["prompt"] for _, _, request in every.calls] == [f"cat {i}" for i in (0, 0, 2, 2, 4, 4)]
    # With one value known, a failure is a failure.
    lucky = counting(lambda number: number if number == 1 else broken(number))
    found = made.measure(lucky, "x", version=1)
    assert (len(found.values), len(found.failures)) == (1, 23)
    with_known = counting(broken)
    assert len(made.measure(with_known, "x", version=1).failures) == 23


# ---- interrupts --------------------------------------------------------------------------------------


def test_an_interrupt_keeps_what_is_measured_and_the_next_call_goes_on(study, counting):
    def interrupted(number):
        if number == 3:
            raise KeyboardInterrupt
        return number

    with pytest.raises(WaitInterrupted) as caught:
        study.measure(counting(interrupted), "slow", version=1)
    assert caught.value.message == "slow: 3 of 8 images measured and kept.\nMeasuring again goes on with the rest."
    assert sorted(study.measures["slow"].values.values()) == [0, 1, 2]
    rest = counting()
    assert len(study.measure(rest, "slow", version=1).values) == 8
    assert len(rest.calls) == 5


def test_progress_is_shown_where_it_takes_longer(study, counting, monkeypatch, notes):
    from kling_nb.compare import progress

    monkeypatch.setattr(progress, "_MOMENT", 0.0)
    monkeypatch.setattr(progress, "_OFTEN", 0.0)
    lines = []
    monkeypatch.setattr("kling_nb.session.screen.Screen.live", lambda self, html, line: lines.append(line))
    study.measure(counting(), "slow", version=1)
    assert (lines[0], lines[-1]) == ("Measuring slow: 1 of 8", "Measuring slow: 8 of 8")
    assert notes == ["Measured slow of 8 images."]


# ---- what is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "given", "said"),
    [
        (lambda image, references, request: 1, {}, "The measure has no name of its own; give one with name=."),
        ("sharpnes", {}, 'There is no built-in measure "sharpnes"; did you mean sharpness?'),
        ("CLIP", {}, 'There is no built-in measure "CLIP"; there are aspect_ratio, count, '),
        ("sharpness", {"version": 2}, "sharpness is built in, and its version is 1; leave version= out."),
        ("sharpness", {"over": "cell"}, "sharpness is built in, and its over is image; leave over= out."),
        ("count", {"name": "images"}, "count is built in, and its name is count; leave name= out."),
        (7, {}, "The measure is 7; it must be a function of image, references and request, or one of aspect_ratio"),
        (len, {"name": "sharpness"}, "sharpness is the name of a built-in measure; give another with name=."),
        (len, {"name": "prompt"}, "prompt is a column of every comparison; give another name with name=."),
        (len, {"name": "a.b"}, 'name is "a.b"; it must be text of 1 to 60 characters, without a full stop.'),
        (len, {"name": " "}, 'name is " "; it must be text of 1 to 60 characters, without a full stop.'),
        (len, {"name": 3}, "name is 3; it must be text of 1 to 60 characters, without a full stop."),
        (len, {"over": "axis"}, 'over is "axis"; it must be one of image, task, cell.'),
        (len, {"version": ""}, 'version is ""; it must be a number, or text of 1 to 60 characters.'),
        (len, {"version": True}, "version is True; it must be a number, or text of 1 to 60 characters."),
        (len, {}, "The version of len cannot be told: it is not a function but a builtin_function_or_method, and "),
        (len, {"executor": 4}, "executor is 4; it must be a concurrent.futures.Executor."),
    ],
)
def test_what_cannot_be_is_one_clear_line(study, function, given, said):
    given = {"version": 1} | given if "executor" in given else given
    with pytest.raises(InvalidRequest) as caught:
        study.measure(function, **given)
    assert caught.value.message.startswith(said)
    assert caught.value.money == ""
    assert study.measures == {}


def test_an_asynchronous_function_is_refused(study):
    async def later(image, references, request):
        return 1

    with pytest.raises(InvalidRequest, match="asynchronous"):
        study.measure(later)


def test_without_numpy_the_built_in_measures_say_what_is_missing(study, monkeypatch):
    import sys

    for name in [name for name in sys.modules if name.startswith("kling_nb.compare.measures.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ConfigurationError, match="need numpy, which is not installed") as caught:
        study.measure("sharpness")
    assert "pip install numpy" in caught.value.advice
    assert study.measure(lambda image, references, request: 1, "one").values


def test_measuring_loads_nothing_before_it_is_asked_for(study):
    import subprocess
    import sys

    code = (
        "import sys\n"
        "import kling_nb.compare.comparison\n"
        "print([name for name in sys.modules if name.startswith(('kling_nb.compare.measures', 'numpy', 'pandas'))])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
