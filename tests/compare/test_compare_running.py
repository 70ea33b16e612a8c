"""Running a comparison in the sandbox: everything is asked for once, whatever comes in between."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from kling_nb.compare import planview
from kling_nb.compare.arrange import arrange
from kling_nb.compare.records import place
from kling_nb.compare.running import Run
from kling_nb.errors import (
    AuthenticationFailed,
    ConfigurationError,
    InvalidRequest,
    WaitInterrupted,
    WaitTimeout,
    WorkspaceError,
)
from kling_nb.sandbox import Sandbox


@pytest.fixture
def compare(kling, cat):
    def made(kling=kling, **given):
        given = {
            "prompt": "a cat",
            "subject_images": cat,
            "vary": {"n": [1, 2], "aspect_ratio": ["1:1", "16:9"]},
        } | given
        return kling.compare(**given)

    return made


def creates(sandbox):
    """What the gateway was asked to make, in the order of asking; whether or not it is billed."""
    return sandbox.ledger.entries()


def test_every_cell_has_what_its_request_asks_for(compare, sandbox):
    made = compare(samples=2).run()
    assert made.counts == {"done": 8}
    assert len(creates(sandbox)) == len(made.tasks) == 8
    assert len(made.images) == 12
    for each in made.filled():
        for record in each.samples:
            assert record.digest == each.cell.digest
            assert record.request["n"] == int(each.cell.coordinates["n"]) == len(record.images)
            assert record.request["aspect_ratio"] == each.cell.coordinates["aspect_ratio"]
    assert len({task.id for task in made.tasks}) == 8


def test_tasks_are_asked_for_in_the_order_of_the_seed(compare, sandbox, new_kling):
    made = compare(new_kling(slots=1), vary={"prompt": [f"cat {i}" for i in range(8)]}, prompt=None)
    assert made.run().counts == {"done": 8}
    sent = [entry.prompt for entry in creates(sandbox)]
    assert sorted(sent) == [f"cat {i}" for i in range(8)]
    wanted = sorted(made.cells, key=lambda cell: place(made.seed, cell.digest, 0))
    assert sent == [cell.request["prompt"] for cell in wanted]
    assert sent != sorted(sent)


def test_running_again_pays_for_nothing(compare, sandbox, new_kernel, new_kling):
    compare().run()
    compare().run()
    new_kernel()
    made = compare(new_kling()).run()
    assert len(creates(sandbox)) == 4
    assert made.counts == {"done": 4}


def test_a_larger_design_pays_for_what_is_new(compare, sandbox):
    first = compare(name="study").run()
    more = compare(name="study", vary={"n": [1, 2, 3], "aspect_ratio": ["1:1", "16:9"]}, samples=2)
    assert more.counts == {"done": 4, "planned": 8}
    assert "4 of them asked for already" in more._plan(more.records())[0]["text/plain"]
    more.run()
    assert len(creates(sandbox)) == 12
    assert (more.seed, more.id) != (first.seed, first.id)
    assert more.seed == first.seed
    before = {task.id for task in first.tasks}
    assert before <= {task.id for task in more.tasks}


def test_repeats_of_one_request_read_well(compare, sandbox):
    made = compare(vary=None, samples=3, n=2).run()
    assert made.counts == {"done": 3}
    assert len(creates(sandbox)) == 3
    data = made._repr_mimebundle_()[0]
    assert data["text/plain"].splitlines() == [f"Comparison {made.name} · 3 tasks done", "✓✓✓"]
    assert "<thead>" not in data["text/html"]
    assert 'alt="sample 1, image 1, sandbox"' in data["text/html"]
    html, _ = planview.progress([], arrange(made.design, made.filled()), [], now=0.0, expected=None)
    assert "<th" not in html
    assert "✓✓✓" in html
    frame = made.to_dataframe()
    assert list(frame.columns[:3]) == ["comparison", "sample", "state"]
    assert frame["sample"].tolist() == [0, 0, 1, 1, 2, 2]
    # More of them go on from there.
    more = compare(vary=None, samples=4, n=2).run()
    assert len(creates(sandbox)) == 4
    assert {task.id for task in made.tasks} < {task.id for task in more.tasks}


def test_an_ordinary_task_of_the_same_request_is_no_sample(compare, kling, cat, sandbox):
    kling.generate("a cat", subject_images=cat, n=1, aspect_ratio="1:1")
    made = compare().run()
    assert len(creates(sandbox)) == 5
    assert made.counts == {"done": 4}


def test_it_is_found_by_name_and_by_id_in_another_kernel(compare, kling, new_kernel, new_kling, sandbox):
    made = compare(name="study").run()
    new_kernel()
    for name in ("study", made.id):
        found = new_kling().comparison(name)
        assert (found.id, found.name, found.design) == (made.id, "study", made.design)
        assert found.run().counts == {"done": 4}
    assert len(creates(sandbox)) == 4
    with pytest.raises(InvalidRequest, match=r"no comparison .nothing.* There are study"):
        new_kling().comparison("nothing")


def test_none_is_found_where_there_is_none(kling):
    with pytest.raises(InvalidRequest, match="There is none yet"):
        kling.comparison("study")


def test_failed_and_refused_cells_are_kept_and_counted(compare, sandbox):
    prompts = ["a cat", "[sandbox: fail] a cat", "a hat"]
    made = compare(prompt=None, vary={"prompt": prompts}).run()
    assert made.counts == {"done": 2, "refused": 1}
    data = made._repr_mimebundle_()[0]
    assert "2 of 3 tasks done · 1 refused" in data["text/plain"]
    assert "risk control" in data["text/html"]
    assert ".retry_failed()" in data["text/plain"]
    made.run()
    assert len(creates(sandbox)) == 3
    first = [task.id for task in made.tasks]
    made.retry_failed()
    assert len(creates(sandbox)) == 4
    assert [one == other for one, other in zip(first, [task.id for task in made.tasks], strict=True)] == [
        True,
        False,
        True,
    ]
    assert len(made.session.tasks()) == 4


def test_what_was_refused_for_the_key_is_asked_for_by_the_next_run(new_kling, compare, sandbox):
    sandbox.faults.add("create", "status", times=None, status=401, code=1000)
    kling = new_kling(slots=1)
    made = compare(kling)
    with pytest.raises(AuthenticationFailed, match="cost nothing"):
        made.run()
    assert "done" not in made.counts
    sandbox.faults.clear()
    assert made.run().counts == {"done": 4}


def test_more_images_than_usual_need_a_yes(compare, new_kling, sandbox):
    made = compare(new_kling(confirm_above=5))
    with pytest.raises(InvalidRequest, match="6 images"):
        made.run()
    assert creates(sandbox) == []
    assert made.run(yes=True).counts == {"done": 4}
    # What is there already is not asked about.
    assert made.run().counts == {"done": 4}


def test_no_more_is_asked_for_than_may_be(compare, new_kling, sandbox):
    kling = new_kling(max_images=5)
    made = compare(kling)
    with pytest.raises(ConfigurationError, match="max_images"):
        made.run()
    assert creates(sandbox) == []
    assert compare(kling, vary={"n": [1, 3]}).run().counts == {"done": 2}
    with pytest.raises(ConfigurationError, match="asked for 4 images"):
        compare(kling, vary={"aspect_ratio": ["1:1", "16:9"]}).run()


def interrupt_when(kling, is_so):
    """Interrupt the main thread as soon as something is so."""
    import _thread

    runner = kling.session.gateway.runner

    def wait():
        if runner.wait(is_so, 30):
            _thread.interrupt_main()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_an_interrupt_leaves_what_is_sent_and_goes_on_later(compare, new_kling, sandbox):
    sandbox.hold()
    kling = new_kling(slots=2)
    made = compare(kling)
    runner = kling.session.gateway.runner
    thread = interrupt_when(kling, lambda: any(job.record.task_id for job in runner.jobs.values()))
    with pytest.raises(WaitInterrupted, match=r"not sent: nothing to pay.*under way.*kling.comparison\('.*'\).run\(\)"):
        made.run()
    thread.join()
    sent = len(creates(sandbox))
    assert 1 <= sent < 4
    assert made.counts["planned"] == 4 - sent
    sandbox.release()
    assert made.run().counts == {"done": 4}
    assert len(creates(sandbox)) == 4


def test_a_kernel_that_ended_leaves_cells_to_the_next(compare, new_kling, new_kernel, sandbox):
    sandbox.hold()
    kling = new_kling(slots=2)
    compare(kling, name="study").run(background=True)
    runner = kling.session.gateway.runner
    assert runner.wait(lambda: any(job.record.task_id for job in runner.jobs.values()), 30)
    new_kernel()
    sandbox.release()
    made = new_kling().comparison("study")
    assert made.run().counts == {"done": 4}
    assert len(creates(sandbox)) == 4


def test_in_the_background_it_returns_at_once(compare, sandbox):
    sandbox.hold()
    made = compare().run(background=True)
    assert made.counts == {"under way": 4} or "planned" in made.counts
    sandbox.release()
    assert made.run().counts == {"done": 4}
    assert len(creates(sandbox)) == 4


def test_a_wait_without_progress_ends(compare, sandbox):
    sandbox.hold()
    made = compare()
    with pytest.raises(WaitTimeout, match=r"none got on for 0\.2 s") as caught:
        made.run(timeout=0.2)
    assert "followed on" in caught.value.money
    sandbox.release()
    assert made.run().counts == {"done": 4}


def test_a_lost_answer_is_looked_for_and_not_paid_twice(compare, sandbox):
    sandbox.faults.add("create", "lost", times=2)
    made = compare().run()
    assert made.counts == {"done": 4}
    assert len(creates(sandbox)) == 4


def test_a_picture_that_is_gone_is_said_before_anything_is_sent(compare, kling, new_kernel, new_kling, sandbox):
    compare(name="study", vary={"n": [1]}).run()
    sent = len(creates(sandbox))
    new_kernel()
    again = new_kling()
    for path in (again.settings.workspace / "references").iterdir():
        path.unlink()
    found = again.comparison("study")
    found.run()
    failed = compare(again, name="study", vary={"n": [1]})
    assert failed.run().counts == {"done": 1}
    journal = again.session.workspace.journal
    task = found.tasks[0].record
    journal.update(replace(task, task_status="failed", saved_at=None, owner=""))
    for path in (again.settings.workspace / "references").iterdir():
        path.unlink()
    with pytest.raises(WorkspaceError, match="is missing"):
        again.comparison("study").retry_failed()
    assert len(creates(sandbox)) == sent


def test_two_of_one_process_share_what_both_ask_for(compare, sandbox):
    one = compare(vary={"n": [1, 2]}, name="one").run()
    other = compare(vary={"n": [2, 3]}, name="other").run()
    assert len(creates(sandbox)) == 3
    assert one.tasks[1].id == other.tasks[0].id


def test_rows_for_a_data_frame(compare):
    made = compare(samples=2, name="study").run()
    frame = made.to_dataframe()
    assert len(frame) == 12
    assert list(frame.columns[:5]) == ["comparison", "n", "aspect_ratio", "sample", "state"]
    assert list(frame["n"].cat.categories) == ["1", "2"]
    assert (frame["n"].astype(str) == frame["n_sent"].astype(str)).all()
    assert (frame["aspect_ratio"].astype(str) == frame["aspect_ratio_sent"]).all()
    assert frame.groupby(["n", "aspect_ratio", "sample"], observed=True).size().tolist() == [1, 1, 1, 1, 2, 2, 2, 2]
    for _, row in frame.iterrows():
        assert made.session.task(row["id"]).images[row["index"]].sha256 == row["sha256"]


def test_rows_of_what_failed_and_of_what_was_not_asked_for(compare):
    made = compare(prompt=None, vary={"prompt": ["[sandbox: fail] a cat", "a hat"]})
    plan = made.to_dataframe()
    assert plan["state"].tolist() == ["planned", "planned"]
    assert plan["task_status"].tolist() == ["planned", "planned"]
    assert plan["id"].isna().all()
    frame = made.run().to_dataframe()
    assert frame["state"].tolist() == ["refused", "done"]
    assert frame["path"].isna().tolist() == [True, False]
    assert "risk control" in frame["failure"][0]


@pytest.fixture
def other_sandbox(tmp_path):
    with Sandbox(tmp_path / "gateway", seconds=0, images="constant") as box:
        yield box


def test_another_gateway_is_paid_anew(compare, new_kling, other_sandbox, sandbox, monkeypatch):
    compare(name="study").run()
    monkeypatch.setenv("KLING_API_KEY", "a-key-of-no-importance")
    elsewhere = new_kling(sandbox=False, base_url=other_sandbox.base_url, workspace=Path("kling_runs/sandbox"))
    made = compare(elsewhere, name="study")
    assert made.counts == {"planned": 4}
    assert made.run().counts == {"done": 4}
    assert len(creates(other_sandbox)) == 4
    with pytest.raises(InvalidRequest):
        elsewhere.comparison("nothing")


def test_a_part_of_another_comparison_is_found_by_its_own_name(compare, kling, sandbox):
    compare(name="study").run()
    part = compare(name="part", vary={"n": [1], "aspect_ratio": ["1:1"]}).run()
    assert kling.comparison("part").id == part.id
    assert part.counts == {"done": 1}
    assert len(creates(sandbox)) == 4


def test_a_name_is_not_taken_from_another_comparison(compare, kling, sandbox):
    first = compare(name="study").run()
    with pytest.raises(InvalidRequest, match=r"The name 'study' is that of another comparison \(4 cells"):
        compare(name="study", prompt="a dog")
    assert kling.comparison("study").id == first.id
    # Under the same name it may grow and shrink.
    assert compare(name="study", vary={"n": [2, 3], "aspect_ratio": ["1:1"]}).counts == {"done": 1, "planned": 1}
    assert len(creates(sandbox)) == 4


def test_a_plan_says_what_is_still_to_be_asked_for(compare):
    compare(name="study").run()
    more = compare(name="study", samples=2)
    assert "to be sent: 4 tasks · 6 images · nothing is billed" in repr(more.plan())
    assert "4 tasks not sent (6 images)" in more.bundle()[0]["text/plain"]
    data, metadata = more.plan()._repr_mimebundle_()
    assert data["text/plain"] == repr(more.plan())
    assert metadata["kling_nb"]["comparison"]["images"] == 6


def test_what_this_kernel_follows_on_is_not_called_another_kernels(compare, sandbox):
    sandbox.hold()
    made = compare()
    made.run(background=True)
    run = Run(made, lambda tasks, notes: said.extend(notes))
    said = []
    run.begin(yes=True)
    sandbox.release()
    run.watch(30)
    assert made.counts == {"done": 4}
    assert said == []
    assert len(creates(sandbox)) == 4


def test_a_wrong_where_is_explained_by_the_design_itself(compare):
    with pytest.raises(InvalidRequest) as caught:
        compare(where=lambda cell: cell["colour"])
    assert "where=lambda cell: cell['n'] != '1'" in caught.value.advice
