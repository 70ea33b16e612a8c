"""What terminals show: tasks, progress, notes, history and dry runs."""

import pytest

from kling_nb.display import (
    dry_run_bundle,
    history_bundle,
    note_html,
    note_text,
    progress_html,
    progress_line,
    task_bundle,
    task_text,
    words,
)
from kling_nb.records import Failure

T0 = 1_795_342_530.0
NOW = T0 + 60


def test_a_task_as_text(make_view):
    view = make_view(n=2)
    assert task_text(view.record, now=NOW, files=view.files).splitlines() == [
        "succeeded · kling-v2-1 · 3:2 · 2 images · 41 s · 20261122-101530-ab12",
        "  prompt       a cat wearing the hat",
        "  task_id      825331184203456789",
        "  times        queued 5.0 s · generating 31 s · downloading 4.0 s",
        "  images[0]    kling_runs/images/0.png · 1536 × 1024 · 2.1 MB",
        "  images[1]    kling_runs/images/1.png · 1536 × 1024 · 2.1 MB",
        "  changed      name-1: converted from WebP",
    ]
    assert "0.22 USD" in task_bundle(view, now=NOW)[0]["text/plain"]


def test_a_failed_task_as_text(make_record):
    record = make_record("failed", failure=Failure("OutOfBalance", "Balance not enough", 429, "1102", "r-1"))
    assert task_text(record, now=NOW, files={}).splitlines()[-4:] == [
        "  Balance not enough",
        "  (HTTP 429, code 1102, request_id r-1)",
        "  The request was refused: nothing was made and nothing is billed.",
        "  Top up the account or its resource package, then send again.",
    ]


def test_sandbox_is_the_first_word(make_record):
    assert task_text(make_record(gateway="sandbox"), now=NOW, files={}).startswith("SANDBOX · succeeded")


@pytest.mark.parametrize(
    ("status", "line"),
    [
        ("planned", "waiting · 4 images"),
        ("sending", "[####......] sending · 0:59 · 4 images"),
        ("submitted", "[####......] queued · 0:59 · 4 images"),
        ("processing", "[####......] generating · 0:59 · 4 images"),
        ("succeeded", "[##########] succeeded · 0:41 · 4 of 4 images saved"),
        ("uncertain", "uncertain · 4 images"),
        ("cancelled", "cancelled · 4 images"),
    ],
)
def test_the_line_of_a_terminal(make_record, status, line):
    assert progress_line([make_record(status)], now=NOW, expected=106) == line


def test_images_coming_in(make_record):
    record = make_record(have=(0,), saved_at=None)
    assert progress_line([record], now=NOW, expected=None) == "downloading · 0:59 · 1 of 4 images saved"


def test_many_tasks_are_counted(make_record, read):
    records = [make_record("processing")] * 5 + [make_record()] * 4 + [make_record("planned")] * 3
    line = progress_line(records, now=NOW, expected=None)
    assert line == "[###.......] 12 tasks: 4 succeeded, 5 generating, 3 waiting · 16 of 48 images…"
    page = read(progress_html(records, now=NOW, expected=60, notes=["`%kling wait` goes on."]))
    assert "12 tasks: 4 succeeded, 5 generating, 3 waiting · 16 of 48 images saved · 0:59" in page.text
    assert "%kling wait goes on." in page.text
    assert "table" not in page.tags


def test_a_late_task_never_claims_to_be_there(make_record):
    record = make_record("processing")
    lines = [progress_line([record], now=T0 + late, expected=10) for late in (2, 11, 100, 10_000)]
    assert [line.count("#") for line in lines] == [1, 8, 9, 9]
    page = progress_html([record], now=T0 + 1e9, expected=10)
    assert "width:240px;height" not in page


def test_few_tasks_have_a_line_each(make_record, read):
    records = [make_record("processing"), make_record("planned", gateway="sandbox"), make_record()]
    page = read(progress_html(records, now=NOW, expected=60))
    assert "generating · 0:59 · 4 images · kling-v2-1 · 3:2 · 20261122-101530-ab12" in page.text
    assert "SANDBOX waiting · 4 images" in page.text
    assert "succeeded · 0:41 · 4 of 4 images saved" in page.text


def test_progress_of_nothing(read):
    assert progress_line([], now=NOW, expected=None) == "0 tasks: · 0 of 0 images saved"
    read(progress_html([], now=NOW, expected=None))


def test_history(make_view, read):
    views = [make_view(gateway="sandbox"), make_view("failed", n=1), make_view(prompt="根据两张图的特点融合", n=9)]
    data, metadata = history_bundle(views, now=NOW)
    assert metadata["kling_nb"]["tasks"] == ["20261122-101530-ab12"] * 3
    page = read(data["text/html"])
    assert page.text.startswith("3 tasks, newest first")
    assert page.text.count("SANDBOX") == 1
    assert "根据两张图的特点融合" in page.text
    assert "+6" in page.text
    lines = data["text/plain"].splitlines()
    assert lines[0] == "3 tasks, newest first"
    assert "sandbox succeeded" in lines[1]
    assert history_bundle([], now=NOW)[0]["text/plain"] == "No tasks."


def test_dry_run(make_record, references, read):
    record = make_record()
    data, metadata = dry_run_bundle(
        summary=record.request, references=references, previews={}, checks=["prompt of 21 characters"], slots=4, images=4,
        price="0.22 USD", curl="curl -H 'Authorization: Bearer …'", gateway="https://g.example", body_bytes=3_400_000,
        warnings=["An unknown model."],
    )  # fmt: skip
    page = read(data["text/html"])
    assert "Dry run: nothing was sent." in page.printed
    assert "4 images · 4 slots · 0.22 USD · 3.4 MB to send · https://g.example" in page.printed
    assert "An unknown model." in page.printed
    assert "curl -H 'Authorization: Bearer …'" in page.text
    assert data["text/plain"].endswith("curl -H 'Authorization: Bearer …'")
    assert metadata["kling_nb"]["dry_run"] is True
    assert metadata["kling_nb"]["request"]["prompt"] == "a cat wearing the hat"


def test_notes(read):
    assert read(note_html("Use `%kling resume`.", "info")).text == "Use %kling resume ."
    assert "<b>" in note_html("No key.", "problem")
    assert note_text("No key.", "problem") == "kling_nb: problem: No key."
    assert note_text("Ready.", "info") == "kling_nb: Ready."


@pytest.mark.parametrize(
    ("seconds", "running", "past"),
    [
        (0, "0:00", "0.0 s"), (-5, "0:00", "0.0 s"), (9.94, "0:09", "9.9 s"), (9.96, "0:09", "10 s"), (59.6, "0:59", "1 min 0 s"),
        (125, "2:05", "2 min 5 s"), (3723, "1:02:03", "1 h 2 min"), (float("inf"), "0:00", "0 s"),
    ],
)  # fmt: skip
def test_times_in_words(seconds, running, past):
    assert (words.clock(seconds), words.duration(seconds)) == (running, past)


@pytest.mark.parametrize(
    ("count", "said"), [(None, ""), (1, "1 byte"), (999, "999 bytes"), (999_400, "999 kB"), (999_600, "1.0 MB")]
)
def test_sizes_in_words(count, said):
    assert words.size(count) == said
