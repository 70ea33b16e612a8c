"""``--vary`` and ``--samples`` in a real InteractiveShell and a real kernel, with the sandbox over a real socket."""

import re

import pytest
from IPython.core.error import UsageError

import kling_nb
from kling_nb.compare.comparison import Comparison
from kling_nb.errors import WaitInterrupted

THREE = "%kling -s cat.png --vary n=1,2,3"


def creates(shell):
    return [seen for seen in shell.sandbox.requests if seen.method == "POST" and seen.origin == "api"]


def labels(comparison):
    return {axis.name: axis.labels for axis in comparison.axes}


def echoed(ran):
    """What was printed, but for the prompt that this shell prints before it knows whether there is an echo."""
    return re.sub(r"^Out\[\d+\]: ", "", ran.printed)


def usage(ran):
    """The one line that an error of use is."""
    assert type(ran.error) is UsageError
    lines = [text for text in ran.printed.splitlines() if text.strip()]
    assert len(lines) == 1, lines
    return lines[0]


# --- showing, binding, naming ---------------------------------------------------------------------


def test_a_cell_is_a_comparison_shown_once_returned_bound_and_named(shell):
    ran = shell.run(
        "%%kling -s cat.png -n 2 --vary model_name=kling-v2,kling-v2-1 --vary style_image=none,hat.png "
        "--samples 2 -o comparison  # a study\nThe cat surfs a wave.\n"
    )
    made = shell.ns["comparison"]
    assert isinstance(made, Comparison)
    assert ran.value is made
    assert made.counts == {"done": 8}
    assert labels(made) == {"model_name": ("kling-v2", "kling-v2-1"), "style_image": ("none", "hat")}
    assert {task.prompt for task in made.tasks} == {"The cat surfs a wave."}
    assert {len(task.images) for task in made.tasks} == {2}
    assert len(creates(shell)) == 8
    assert len(ran.shown) == 1
    assert ran.html.count("<img") >= 16
    assert "SANDBOX" in ran.html
    assert echoed(ran) == ""
    assert kling_nb.default().comparison("comparison").id == made.id


def test_a_bare_line_is_not_echoed_and_its_name_shows_it_again(shell):
    ran = shell.run(f"{THREE} -o three a cat")
    assert echoed(ran) == ""
    assert len(ran.shown) == 1
    assert "3 tasks done" in shell.run("three").printed
    ran = shell.run(f"x = {THREE} a cat")
    assert (ran.value, ran.printed, len(ran.shown)) == (None, "", 1)
    assert shell.ns["x"].counts == {"done": 3}


def test_what_is_there_is_not_paid_again_and_a_larger_design_pays_for_what_is_new(shell):
    shell.run(f"{THREE} -o study a cat")
    shell.run(f"{THREE} -o study --reuse a cat")
    assert len(creates(shell)) == 3
    shell.run("%kling -s cat.png --vary n=1,2,3,4 -o study --samples 2 a cat")
    assert len(creates(shell)) == 8
    assert shell.ns["study"].counts == {"done": 8}


def test_the_same_variable_may_name_another_comparison_and_the_first_keeps_its_name(shell):
    shell.run(f"{THREE} -o study a cat")
    first = shell.ns["study"]
    shell.run(f"{THREE} -o study a dog")
    second = shell.ns["study"]
    assert (first.name, second.name) == ("study", second.id)
    assert kling_nb.default().comparison("study").id == first.id


def test_what_is_wrong_with_several_fields_is_said_at_once(shell):
    line = usage(shell.run("%kling -s cat.png --vary style_image=none,gone.png --vary n=1,x a cat", fails=True))
    assert "gone.png" in line
    assert "‘x’" in line or "'x'" in line


@pytest.mark.parametrize("line", [f"{THREE} -q a cat", f"{THREE} --quiet a cat", f"{THREE} a cat;", f"{THREE};"])
def test_quiet_shows_nothing_and_returns_the_comparison(shell, line):
    ran = shell.run(line)
    assert (ran.shown, echoed(ran)) == ([], "")
    assert ran.value.counts == {"done": 3}


def test_a_dry_run_shows_the_plan_sends_nothing_and_leaves_nothing(shell, tmp_path):
    before = sorted(path for path in tmp_path.rglob("*") if "gateway" not in path.parts)
    ran = shell.run(f"{THREE} --samples 2 --dry-run -o comparison a cat")
    assert creates(shell) == []
    assert sorted(path for path in tmp_path.rglob("*") if "gateway" not in path.parts) == before
    assert len(ran.shown) == 1
    assert echoed(ran) == ""
    assert "3 cells (3) · 2 tasks a cell" in ran.text
    assert "6 tasks · 12 images · nothing is billed" in ran.text
    assert "Nothing is sent yet" in ran.text
    # The plan is there to be run.
    assert shell.run("_ = comparison.run()").error is None
    assert shell.ns["comparison"].counts == {"done": 6}
    assert "Everything was asked for already." in shell.run(f"{THREE} --samples 2 --dry-run a cat").text
    assert len(creates(shell)) == 6
    assert shell.run(f"{THREE} --dry-run -q a cat").shown == []


def test_in_the_background_it_is_bound_at_once_and_fills_in_later(shell):
    shell.sandbox.hold()
    ran = shell.run(f"{THREE} --background -o comparison a cat")
    made = shell.ns["comparison"]
    assert ran.value is made
    assert len(ran.shown) == 1
    assert "done" not in made.counts
    shell.sandbox.release()
    assert shell.run("_ = comparison.run()").error is None
    assert made.counts == {"done": 3}
    assert len(creates(shell)) == 3


def test_above_confirm_above_it_needs_a_yes_where_nobody_can_answer(shell):
    shell.run("%config KlingMagics.confirm_above = 5")
    line = usage(shell.run(f"{THREE} -o comparison a cat", fails=True))
    assert "6 images" in line
    assert "--yes" in line
    assert creates(shell) == []
    assert shell.ns["comparison"].counts == {"planned": 3}  # bound, to be looked at
    assert shell.run(f"{THREE} --yes a cat").value.counts == {"done": 3}


def test_repeats_of_one_request_are_a_comparison_too(shell):
    ran = shell.run("%kling -s cat.png --samples 3 -o repeats a cat")
    made = shell.ns["repeats"]
    assert (made.axes, made.counts) == ((), {"done": 3})
    assert len(creates(shell)) == 3
    assert len(ran.shown) == 1
    assert "Comparison repeats · 3 tasks done\n✓✓✓" in ran.text


def test_what_fails_is_counted_and_raises_nothing(shell):
    ran = shell.run('%kling -s cat.png --vary prompt="a cat","[sandbox: fail] a cat" -o comparison')
    assert shell.ns["comparison"].counts == {"done": 1, "refused": 1}
    assert "1 of 2 tasks done · 1 refused" in ran.text


def test_what_every_cell_shares_is_sent_with_each(shell):
    shell.run(
        "%kling -s cat.png --scene hat.png -a 3:2 -m kling-v2 --watermark --callback-url https://example.org/done "
        "--vary n=1,2 -o comparison all of it"
    )
    for cell in shell.ns["comparison"].cells:
        assert cell.request["aspect_ratio"] == "3:2"
        assert cell.request["model_name"] == "kling-v2"
        assert cell.request["watermark_info"] == {"enabled": True}
        assert cell.request["callback_url"] == "https://example.org/done"
        assert [each.role for each in cell.references] == ["subject", "scene"]


def test_fit_mends_what_breaks_a_limit(shell, tmp_path):
    from PIL import Image

    Image.new("RGB", (200, 100), "red").save(tmp_path / "small.png")
    assert "--fit" in usage(shell.run("%kling --vary subject_images=small.png,cat.png a", fails=True))
    assert creates(shell) == []
    assert shell.run("%kling --vary subject_images=small.png,cat.png --fit a").value.counts == {"done": 2}


def test_an_interrupt_between_two_steps_sends_nothing_more(shell, monkeypatch):
    from kling_nb.compare.running import Run

    def pressed(self, timeout):
        raise KeyboardInterrupt

    # The sandbox has 20 slots, and these would fill 45.
    shell.sandbox.hold()
    monkeypatch.setattr(Run, "watch", pressed)
    ran = shell.run("%kling -s cat.png --vary n=1,2,3,4,5,6,7,8,9 --yes -o comparison a cat", fails=True)
    assert isinstance(ran.error, WaitInterrupted)
    assert "not sent: nothing to pay" in str(ran.error)
    assert len(ran.shown) == 1
    shell.sandbox.release()
    runner = kling_nb.default().session.gateway.runner
    assert runner.wait(lambda: all(job.settled for job in runner.jobs.values()), 30)
    left = shell.ns["comparison"].counts["planned"]
    assert left >= 1
    assert len(shell.sandbox.ledger.entries()) == 9 - left


def test_a_terminals_line_is_left_alone_in_the_background(shell, monkeypatch, capsys):
    from kling_nb.magics import comparing
    from kling_nb.session.screen import TerminalScreen

    shell.sandbox.hold()
    monkeypatch.setattr(comparing, "screen", lambda **_: TerminalScreen())
    ran = shell.run(f"{THREE} --background -o comparison a cat")
    assert "is under way; `comparison.run()` waits for it and shows it." in ran.printed
    shell.sandbox.release()
    runner = kling_nb.default().session.gateway.runner
    assert runner.wait(lambda: shell.ns["comparison"].counts == {"done": 3}, 30)
    assert capsys.readouterr() == ("", "")


# --- the values -----------------------------------------------------------------------------------


def plan(shell, options, prompt="a cat"):
    return shell.run(f"%kling {options} -q --dry-run {prompt}").value


def test_prompts_may_hold_commas_quotes_and_variables(shell):
    shell.run("animal = 'cat'\nideas = ['a {animal}', 'a hat']")
    made = plan(shell, '-s cat.png --vary prompt="a {animal}, asleep","say ""hi"" there",\'it is "so"\',why', "")
    assert labels(made)["prompt"] == ("a cat, asleep", 'say "hi" there', 'it is "so"', "why")
    assert labels(plan(shell, '-s cat.png --vary "prompt=a {animal},a hat"', ""))["prompt"] == ("a cat", "a hat")
    assert labels(plan(shell, '-s cat.png --raw --vary prompt="a {animal}"', ""))["prompt"] == ("a {animal}",)
    # What a variable holds is taken as it is, as what is put into a prompt is.
    assert labels(plan(shell, "-s cat.png --vary prompt=ideas", ""))["prompt"] == ("a {animal}", "a hat")


@pytest.mark.parametrize(
    ("code", "values", "expected"),
    [
        ("counts = [1, 4]", "n=counts", ("1", "4")),
        ("counts = (1, 4)", "n=counts", ("1", "4")),
        ("counts = {'few': 1, 'many': 4}", "n=counts", ("few", "many")),
        ("counts = range(1, 4)", "n=counts", ("1", "2", "3")),
        ("import numpy\ncounts = numpy.array([1, 4])", "n=counts", ("1", "4")),
        ("import pandas\ncounts = pandas.Series([1, 4])", "n=counts", ("1", "4")),
        ("import pandas\ndf = pandas.DataFrame({'count': [1, 4]})", "n=df['count']", ("1", "4")),
        ("import pandas\ndf = pandas.DataFrame({'many': [1, 4]})", "n=df.many", ("1", "4")),
        ("ratios = ['1:1', None]", "aspect_ratio=ratios", ("1:1", "none")),
        ("", "aspect_ratio=none,3:2", ("none", "3:2")),
        ("", "aspect_ratio=none", ("none",)),
        ("", "n=4", ("4",)),
        ("", "model_name=kling-v2", ("kling-v2",)),
        ("", 'model_name="kolors"', ("kolors",)),
        ("", "model_name=kolors,kling-v2", ("kolors", "kling-v2")),
    ],
)
def test_levels_are_a_collection_of_the_notebook_or_a_list(shell, code, values, expected):
    shell.run(code)
    (found,) = labels(plan(shell, f"-s cat.png --vary {values}")).values()
    assert found == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("cat.png,hat.png", ("cat", "hat")),
        ("none,cat.png", ("none", "cat")),
        ("None,cat.png", ("none", "cat")),
        ("*.png", ("cat", "hat")),
        ("none,*.png,red", ("none", "cat", "hat", "red")),
        ("c*.png", ("cat",)),
        ("red", ("red",)),
        ("pair", ("pair[0]", "hat")),
        ("pair[1]", ("pair[1]",)),
        ("by_name", ("a", "b")),
        ('by_name["a"],blue', ('by_name["a"]', "blue")),
        ("series", ("series['x']", "series['y']")),
        ('"cat.png","./hat.png"', ("cat", "hat")),
        ('"my cat.png",hat.png', ("my cat", "hat")),
        ("https://example.org/wave.jpg,cat.png", ("wave", "cat")),
        ("task.images", ("task.images[0]", "task.images[1]")),
        ("task.images[0],red", ("task.images[0]", "red")),
    ],
)
def test_pictures_are_variables_files_globs_urls_and_results(shell, values, expected):
    shell.run(
        "import pandas, shutil\nfrom PIL import Image\n"
        "red, blue = Image.new('RGB', (320, 320), 'red'), Image.new('RGB', (320, 320), 'blue')\n"
        "pair, by_name = [red, 'hat.png'], {'a': red, 'b': None}\n"
        "series = pandas.Series({'x': red, 'y': blue})\n"
    )
    if "my cat" in values:
        shell.run("shutil.copy('cat.png', 'my cat.png')")
    if "task" in values:
        shell.run("%kling -q -s cat.png -n 2 -o task a cat")
    made = plan(shell, f"-s cat.png --vary style_image={values}")
    assert labels(made)["style_image"] == expected


def test_subjects_that_are_varied_need_no_s_and_may_be_several(shell):
    shell.run("both = ['cat.png', 'hat.png']\nsets = {'one': 'cat.png', 'two': both}")
    made = plan(shell, "--vary subject_images=cat.png,both")
    assert labels(made)["subject_images"] == ("cat", "cat + hat")
    assert [len(cell.references) for cell in made.cells] == [1, 2]
    made = plan(shell, "--vary subject_images=sets")
    assert [len(cell.references) for cell in made.cells] == [1, 2]


def test_a_local_variable_of_a_function_is_seen(shell):
    shell.run(
        "def f():\n    counts, place = [1, 2], 'the moon'\n"
        "    return get_ipython().run_line_magic('kling', '-q -s cat.png --dry-run --vary n=counts on {place}')"
    )
    made = shell.run("f()").value
    assert labels(made) == {"n": ("1", "2")}
    assert made.cells[0].request["prompt"] == "on the moon"


def test_none_as_a_variable_is_that_variable(shell):
    shell.run("from PIL import Image\nnone = Image.new('RGB', (320, 320))")
    made = plan(shell, "-s cat.png --vary style_image=none,cat.png")
    assert all("style_image" in cell.request for cell in made.cells)


# --- what is wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%kling -s cat.png --vary n=1,12 a", ["n, level 2: n is 12"]),
        ("%kling -s cat.png --vary n=1,1 a", ["are the same"]),
        ("%kling -s cat.png --vary n=1,few a", ["whole numbers", "‘few’"]),
        ("%kling -s cat.png --vary n=1,2.5 a", ["whole numbers", "‘2.5’"]),
        ("%kling -s cat.png --vary n=cuonts a", ["‘cuonts’ is no variable", "nearest: counts", "a list or a dict"]),
        ("%kling -s cat.png --vary n=many a", ["‘many’ is of type int", "a list or a dict"]),
        ("%kling -s cat.png --vary prompt=idaes", ["‘idaes’ is no variable", "nearest: ideas", 'prompt="idaes"']),
        ("%kling -s cat.png --vary prompt=idea", ["‘idea’ is of type str", 'prompt="idea"']),
        ("%kling -s cat.png --vary prompt=ideas[7]", ["IndexError"]),
        ("%kling -s cat.png --vary model_name=kling a", ["‘kling’ is no variable", 'model_name="kling"']),
        ("%kling -s cat.png --vary aspect_ratio=square a", ["‘square’ is no variable"]),
        ("%kling -s cat.png --vary aspect_ratio=1:1,5:4 a", ["aspect_ratio, level 2", "5:4"]),
        ("%kling -s cat.png --vary style_image=wave,cat.png a", ["‘wave’ is neither a variable nor a file"]),
        ("%kling -s cat.png --vary style_image=*.gif a", ["matches none"]),
        ("%kling -s cat.png --vary style_image=wide a", ["style_image"]),
        ("%kling -s cat.png --vary style_image=ideas a", ["style_image, level 1", "a cat"]),
        ("%kling -s cat.png --vary style_image=ideas,cat.png a", ["style_image, level 1"]),
        ("%kling --vary subject_images=none,cat.png a", ["subject_images"]),
        ("%kling -s cat.png --vary subject_images=hat.png a", ["subject_images is varied, and given for all cells"]),
        ("%kling -s cat.png -n 2 --vary n=1,2 a", ["n is varied, and given for all cells"]),
        ("%kling -s cat.png --vary prompt=\"a {nothing}\"", ["{nothing} in the prompt is not a variable", "--raw"]),
        ("%%kling -s cat.png --vary prompt=a,b\na cat", ["the cell has one as well", "on a line"]),
        ("%kling -s cat.png --vary prompt=a cat,a hat", ["the prompt is varied, and ‘cat,a hat’", "quotes"]),
        ("%kling -s cat.png --samples 0 a", ["samples is 0"]),
        ("%kling -s cat.png --samples -2 --vary n=1,2 a", ["samples is -2"]),
        ("%kling -s cat.png --samples 1 a", ["repeats nothing"]),
        ("%kling -s dgo.png --vary n=1,2 a", ["dgo.png"]),
        ("%kling -s cat.png --vary n=1,2 --external-task-id mine a", ["--external-task-id", "--vary"]),
        ("%kling -s cat.png --samples 2 --external-task-id mine a", ["--external-task-id", "--samples"]),
        ("%kling -s cat.png --vary n=1,2 --samples 100000 a", ["200,000 tasks"]),
    ],
)  # fmt: skip
def test_a_bad_line_is_one_line_and_sends_nothing(shell, tmp_path, line, says):
    shell.run(
        "counts, many, ideas, idea = [1, 2], 3, ['a cat', 'a hat'], 'a cat'\nimport numpy\nwide = numpy.zeros((2, 2))"
    )
    before = sorted(path for path in tmp_path.rglob("*") if "gateway" not in path.parts)
    said = usage(shell.run(line, fails=True))
    for part in says:
        assert part in said
    assert creates(shell) == []
    assert sorted(path for path in tmp_path.rglob("*") if "gateway" not in path.parts) == before


def test_a_name_that_is_too_long_for_a_comparison_is_one_line(shell):
    said = usage(shell.run(f"{THREE} -o {'a' * 200} a", fails=True))
    assert "120 characters" in said
    assert creates(shell) == []


def test_no_secret_is_shown(shell, monkeypatch):
    key = "sk-very-secret-4711"
    shell.run("%kling sandbox off")
    monkeypatch.setenv("KLING_API_KEY", key)
    ran = shell.run(f"{THREE} --dry-run -o comparison a cat")
    again = shell.run("comparison")
    refused = shell.run("%kling -s cat.png --vary n=1,99 a cat", fails=True)
    said = " ".join(
        [str(ran.outputs), ran.printed, again.printed, refused.printed, repr(shell.ns["comparison"].stored())]
    )
    assert "3 cells" in said
    assert "price unknown" in said
    assert key not in said


def test_without_a_key_it_says_so_and_nothing_is_sent(shell):
    shell.run("%kling sandbox off")
    ran = shell.run(f"{THREE} a cat", fails=True)
    assert isinstance(ran.error, kling_nb.ConfigurationError)
    assert "%kling login" in ran.printed


# --- a real kernel --------------------------------------------------------------------------------


def test_an_interrupt_keeps_what_is_sent_and_the_rest_planned(kernel):
    kernel.run("sandbox.hold()\n_ = sandbox.faults.add('create', 'status', after=1, times=None, status=429, code=1303)")
    request = kernel.send("%kling -s cat --vary n=1,2,3 -o comparison a cat\nprint('not reached')")
    kernel.finish(request, until=lambda message: "no free slots" in str(message["content"].get("data", "")))
    kernel.manager.interrupt_kernel()
    messages = kernel.finish(request, fails=True)
    error = next(m["content"] for m in messages if m["msg_type"] == "error")
    text = "\n".join(error["traceback"])
    assert "KeyboardInterrupt" in text
    assert "not sent: nothing to pay" in text
    assert "kling.comparison('comparison').run()" in text
    assert "running.py" not in text
    assert "not reached" not in str([m["content"] for m in messages if m["msg_type"] == "stream"])
    kernel.run("assert comparison.counts['planned'] == 2, comparison.counts\nassert len(sandbox.ledger.entries()) == 1")
    kernel.run("sandbox.faults.clear()\nsandbox.release()\n_ = comparison.run()")
    kernel.run("assert comparison.counts == {'done': 3}, comparison.counts\nassert len(sandbox.ledger.entries()) == 3")


def test_a_large_comparison_is_asked_about_where_somebody_can_answer(kernel):
    kernel.run("%config KlingMagics.confirm_above = 2")
    kernel.run("%kling -s cat --vary n=1,2 -o comparison a cat", allow_stdin=True, answer="n", fails=True)
    assert "3 images" in kernel.asked["prompt"]
    kernel.run("assert sandbox.ledger.entries() == []")
    kernel.run("%kling -s cat --vary n=1,2 -o comparison a cat", allow_stdin=True, answer="y")
    kernel.run("assert comparison.counts == {'done': 2}")


def test_a_kernel_shows_a_comparison_in_one_output_and_echoes_nothing(kernel):
    messages = kernel.run("x = %kling -s cat --vary n=1,2 a cat\nx")
    assert not [m for m in messages if m["msg_type"] == "execute_result"]
    assert len([m for m in messages if m["msg_type"] == "display_data"]) == 1
    assert [m for m in kernel.run("x") if m["msg_type"] == "execute_result"]
