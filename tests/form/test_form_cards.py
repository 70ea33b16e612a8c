"""The results: a card for each request, with its progress, its grid or its error, and what can be done next."""

from pathlib import Path

import pytest

from kling_nb import kling as facade
from kling_nb.form import runs
from kling_nb.form.parts import revealed


@pytest.fixture
def filled(form):
    form.load(prompt="a cat", subject_images="cat.png")
    assert form.settle()
    return form


def names(form):
    return [entry and entry.source.text for entry in form.references.entries]


def shown(run):
    """What a card shows as its result."""
    assert revealed(run.result)
    assert not revealed(run.progress)
    (output,) = run.result.outputs
    return output["data"]["text/html"]


def test_a_grid(filled, person):
    person.chooses(filled.fields.n, 3)
    run = person.agrees(filled)
    assert "3 images" in run.head.value
    assert "a cat" in run.head.value
    assert shown(run).count("<img") >= 3
    assert run.result.outputs[0]["metadata"]["kling_nb"]
    assert [label for label, _ in run.which.options] == ["images[0]", "images[1]", "images[2]"]
    assert not revealed(run.cancel)
    assert filled.results.box.children[0] is run.box


def test_several_at_once_newest_first(filled, person, sandbox):
    sandbox.hold()
    for prompt in ("one", "two", "three"):
        person.types(filled.fields.prompt, prompt)
        person.clicks(filled.paying.button)
    assert filled.settle()
    runs = filled.results.runs
    assert [run.task.prompt for run in runs] == ["three", "two", "one"]
    assert [task.prompt for task in filled.tasks] == ["one", "two", "three"]
    assert filled.results.box.children == tuple(run.box for run in runs)
    sandbox.release()
    person.waits(filled)
    for run in runs:
        assert run.task.prompt in shown(run)


def test_progress(filled, person, sandbox, until):
    sandbox.hold()
    person.clicks(filled.paying.button)
    assert filled.settle()
    (run,) = filled.results.runs
    until(lambda: "generating" in run.progress.value, run.progress)
    assert not revealed(run.result)
    assert not revealed(run.cancel)
    sandbox.release()
    person.waits(filled)
    assert shown(run)


@pytest.mark.parametrize(
    ("switch", "words"),
    [("fail", "risk control"), ("refuse", "Content security"), ("broke", "balance")],
)
def test_what_goes_wrong_is_said_in_its_card_and_stays(filled, person, switch, words):
    person.types(filled.fields.prompt, f"[sandbox: {switch}] a cat")
    run = person.agrees(filled)
    assert words in shown(run)
    assert all(not revealed(use) for use in run.uses)
    person.types(filled.fields.prompt, "a cat")
    person.agrees(filled)
    assert run in filled.results.runs
    assert words in shown(run)
    assert words in filled._showing._static()["text/html"]
    assert not filled.paying.button.disabled


def test_what_submit_raises_is_shown(filled, person, monkeypatch):
    def broken(self, request, yes=False):
        raise OSError("no <space> left")

    monkeypatch.setattr("kling_nb.session.session.Session.submit", broken)
    run = person.agrees(filled)
    assert "OSError: no &lt;space&gt; left" in run.progress.value
    assert revealed(run.progress)
    assert filled.tasks == ()
    assert not filled.paying.button.disabled
    person.clicks(run.dismiss)
    assert filled.results.runs == []


def test_what_cannot_be_shown_is_said_and_the_task_is_kept(filled, person, monkeypatch):
    def broken(self, task):
        raise OSError("gone")

    monkeypatch.setattr("kling_nb.form.runs.Run._show_progress", broken)
    person.clicks(filled.paying.button)
    assert filled.settle()
    (run,) = filled.results.runs
    assert "gone" in run.progress.value
    filled.tasks[0].wait(quiet=True)
    assert filled.tasks[0].task_status == "succeeded"


def test_max_images(new_kling, files, person):
    form = new_kling(max_images=1).form("a cat", subject_images="cat.png")
    assert form.settle()
    person.agrees(form)
    run = person.agrees(form)
    assert "max_images" in run.failed
    assert len(form.tasks) == 1


@pytest.mark.parametrize(("number", "role"), [(0, "subject"), (1, "scene"), (2, "style")])
def test_a_result_is_used_again(filled, person, number, role):
    person.chooses(filled.fields.n, 2)
    run = person.agrees(filled)
    person.chooses(run.which, 1)
    person.clicks(run.uses[number])
    assert filled.settle()
    at = [reference for reference in filled.request.references if reference.name != "cat.png"]
    assert [(each.role, each.sha256) for each in at] == [(role, run.task.images[1].sha256)]
    once_more = person.agrees(filled).task
    assert {each.sha256 for each in once_more.references} > {run.task.images[1].sha256}


def test_same_again_asks_for_the_same_under_an_id_of_its_own(filled, person, bodies):
    person.types(filled.fields.external_task_id, "mine-1")
    person.chooses(filled.fields.aspect_ratio, "3:2")
    first = person.agrees(filled)
    person.types(filled.fields.prompt, "another")
    Path("cat.png").unlink()
    person.clicks(first.again)
    run = person.waits(filled)
    assert run is not first
    assert run.task.prompt == "a cat"
    assert run.task.external_task_id != "mine-1"
    assert bodies[0].replace(b"mine-1", b"ID") == bodies[1]
    assert [task.id for task in filled.tasks] == [first.task.id, run.task.id]


def test_same_again_of_what_is_gone_is_said(filled, person):
    first = person.agrees(filled)
    for path in Path("kling_runs/sandbox/references").iterdir():
        path.unlink()
    person.clicks(first.again)
    run = person.waits(filled)
    assert run.failed
    assert len(filled.tasks) == 1


def test_load_this_request(filled, person):
    person.chooses(filled.fields.n, 2)
    person.types(filled.fields.prompt, "a {{cat}}")
    person.types(filled.fields.external_task_id, "mine-2")
    filled.load(scene_image="sea.png")
    assert filled.settle()
    first = person.agrees(filled)
    filled.load(prompt="another", subject_images=["hat.png", "ink.png"], n=5)
    person.clicks(first.load)
    assert filled.settle()
    assert filled.fields.prompt.value == "a {{cat}}"
    assert filled.request.prompt == "a {cat}"
    assert filled.request.digest == first.task.record.digest
    # An id is for one task.
    assert filled.request.external_task_id is None


def test_load_from_the_history_also_what_the_magic_made(shell, files, sandbox, person):
    from IPython.utils.capture import capture_output

    shell.run_line_magic("load_ext", "kling_nb")
    with capture_output():
        shell.run_line_magic("kling", "sandbox on")
        task = shell.run_line_magic("kling", "-s cat.png --style ink.png -n 2 -a 1:1 by the magic")
        form = shell.run_line_magic("kling", "form")
    ((label, some_id),) = form.whole.earlier.options[1:]
    assert "by the magic" in label
    person.chooses(form.whole.earlier, some_id)
    person.clicks(find(form.widget, "Load"))
    assert form.settle()
    assert form.request.digest == task.record.digest
    shell.run_line_magic("unload_ext", "kling_nb")


def find(part, label):
    if getattr(part, "description", None) == label:
        return part
    return next((found for child in getattr(part, "children", ()) if (found := find(child, label))), None)


def test_what_was_made_meanwhile_is_in_the_history(filled, person, kling):
    kling.generate("elsewhere", subject_images="hat.png")
    person.agrees(filled)
    person.clicks(find(filled.widget, "Refresh"))
    labels = [label for label, _ in filled.whole.earlier.options]
    assert ["elsewhere" in label for label in labels] == [False, False, True]


def test_a_broken_history_is_said_and_the_form_works(filled, person, monkeypatch):
    from kling_nb import WorkspaceError

    def broken(*_args, **_more):
        raise WorkspaceError("The journal is <locked>.")

    monkeypatch.setattr("kling_nb.form.again.history", broken)
    person.clicks(find(filled.widget, "Refresh"))
    assert "The journal is &lt;locked&gt;." in filled.whole.message.value
    assert shown(person.agrees(filled))


def test_a_click_on_a_card_that_goes_wrong_is_said(filled, person, monkeypatch):
    run = person.agrees(filled)

    def broken(*_args):
        raise OSError("gone")

    monkeypatch.setattr("kling_nb.form.again.entries_of", broken)
    person.clicks(run.load)
    assert "OSError: gone" in filled.whole.message.value
    monkeypatch.undo()
    person.clicks(run.load)
    assert filled.whole.message.value == ""


def test_cancel_while_it_is_not_sent(filled, person, sandbox, until):
    sandbox.faults.add("create", "status", times=None, status=429, code=1303)
    person.clicks(filled.paying.button)
    assert filled.settle()
    (run,) = filled.results.runs
    until(lambda: revealed(run.cancel), run.cancel)
    person.clicks(run.cancel)
    person.waits(filled)
    assert run.task.task_status == "cancelled"
    assert not revealed(run.cancel)
    assert "ancelled" in shown(run)
    assert sandbox.ledger.entries() == []


def test_dismiss_takes_it_off_and_deletes_nothing(filled, person, kling, sandbox):
    first = person.agrees(filled)
    sandbox.hold()
    person.clicks(filled.paying.button)
    assert filled.settle()
    for run in filled.results.runs:
        person.clicks(run.dismiss)
    assert filled.results.runs == []
    assert filled.results.box.children == ()
    assert first.box.comm is None
    sandbox.release()
    for task in filled.tasks:
        task.wait(quiet=True)
    assert [len(task.images) for task in kling.tasks()] == [1, 1]


def test_reuse_shows_the_earlier_task(filled, person, bodies):
    first = person.agrees(filled)
    person.types(filled.fields.reuse, True)
    run = person.agrees(filled)
    assert run.task.id == first.task.id
    assert shown(run)
    assert len(bodies) == 1


def test_what_the_notebook_keeps_is_cut_at_a_budget(filled, person, monkeypatch):
    for prompt in ("one", "two", "three", "four"):
        person.types(filled.fields.prompt, prompt)
        run = person.agrees(filled)
    budget = len(run.static_html()) * 5 // 2
    monkeypatch.setattr("kling_nb.form.places.MOST_BYTES", budget)
    kept = filled._showing._static()["text/html"]
    assert len(kept) < budget + 2_000
    assert ["four" in kept, "three" in kept, "two" in kept] == [True, True, False]
    assert "2 of its 4 results are not kept here" in kept


def test_the_form_of_the_magic_follows_a_change_of_settings(shell, files, sandbox, person):
    from kling_nb.key import kernel

    kernel.sandbox = True
    form = facade.default().form("a cat", subject_images="cat.png")
    assert form.settle()
    facade.configure({"confirm_above": 1, "model_name": "kling-v2"})
    person.chooses(form.fields.n, 2)
    assert form.request.model_name == "kling-v2"
    person.clicks(form.paying.button)
    assert form.results.runs == []
    assert "2 images" in form.paying.agree.description


def test_a_double_click_is_paid_once(filled, person, bodies, monkeypatch):
    monkeypatch.setattr(runs, "DOUBLE_CLICK", float("inf"))
    for _ in range(3):
        person.clicks(filled.paying.button)
    first = person.waits(filled)
    for _ in range(3):
        person.clicks(first.again)
    person.waits(filled)
    assert len(bodies) == 2
    assert len(filled.results.runs) == 2


def test_the_same_again_asks_before_it_sends_many(new_kling, files, person, bodies, monkeypatch):
    form = new_kling(confirm_above=2, price_per_image=1).form("a cat", subject_images="cat.png", n=3)
    form.generate(yes=True)
    run = person.waits(form)
    monkeypatch.setattr(runs, "DOUBLE_CLICK", float("inf"))
    for _ in range(3):
        person.clicks(run.again)
    assert run.again.description == "Yes, 3 images again: nothing is billed"
    monkeypatch.setattr(runs, "DOUBLE_CLICK", 0.0)
    person.clicks(run.again)
    person.waits(form)
    assert run.again.description == "Same again"
    assert len(bodies) == 2


def test_where_a_result_goes_is_said_beside_it_and_no_subject_is_lost(filled, person):
    run = person.agrees(filled)
    while None in filled.references.entries[:4]:
        person.clicks(run.uses[0])
        assert filled.settle()
    assert "It is Subject 4 now." in run.done.value
    before = names(filled)
    person.clicks(run.uses[0])
    assert "All four subjects are taken: clear one first." in run.done.value
    person.clicks(run.uses[1])
    assert "It is Scene now." in run.done.value
    person.clicks(run.uses[1])
    assert "It is Scene now in place of another picture." in run.done.value
    assert names(filled)[:4] == before[:4]


def test_an_observer_may_ask_for_anything(filled, person):
    seen = []
    filled.observe(lambda change: seen.append((filled.settle(1), dict(filled.problems))), "request")
    person.types(filled.references.slots[1].source, "hat.png")
    assert filled.settle()
    assert seen[-1] == (False, {})
