"""A dry run checks and shows everything, and leaves nothing behind: no file, no thread, no gateway."""

import json
import os
import threading
from pathlib import Path

import pytest

from kling_nb import ConfigurationError, InvalidRequest, Kling
from kling_nb.session import gateway


@pytest.mark.parametrize("settings", [{"sandbox": True}, {"api_key": "sk-sesame"}, {}], ids=["sandbox", "key", "none"])
def test_it_leaves_nothing_behind(settings, cat):
    kling = Kling(**settings)
    before = threading.enumerate()
    dry = kling.dry_run("a cat", subject_images=cat, n=4, aspect_ratio="3:2")
    assert dry.bundle()[0]["text/html"]
    assert repr(dry) == f"<DryRun kling-v2-1, n=4, digest {dry.digest[:12]}…>"
    assert "sesame" not in str(dry.bundle()) + dry.curl + repr(dry)
    assert threading.enumerate() == before
    assert os.listdir() == []
    assert gateway._gateways == gateway._sandboxes == {}


def test_it_leaves_a_workspace_as_it_was(kling, cat, pictures, tree):
    kling.generate("a cat", subject_images=cat)
    before = tree(".")
    kling.dry_run("another", subject_images=pictures(7)).bundle()
    kling.dry_run("a cat", subject_images=cat).bundle()
    assert tree(".") == before


def test_it_is_the_request(kling, cat):
    dry = kling.dry_run("a cat", subject_images=cat, n=4, external_task_id="mine")
    task = kling.generate("a cat", subject_images=cat, n=4, external_task_id="mine")
    assert dry.request.summary() == task.request
    assert dry.digest == task.record.digest
    assert (dry.prompt, dry.n, dry.model_name) == ("a cat", 4, "kling-v2-1")
    assert dry.body()["n"] == 4
    with pytest.raises(AttributeError):
        dry.nothing_of_the_kind  # noqa: B018
    assert not hasattr(dry, "_private")


def test_the_command_line_can_be_run_and_has_no_key(cat):
    import shlex

    kling = Kling(api_key="sk-sesame", base_url="https://gateway.example/kling")
    words = shlex.split(kling.dry_run('it\'s a "cat" $HOME\n`x`', subject_images=cat).curl)
    assert words[1] == "https://gateway.example/kling/v1/images/multi-image2image"
    assert "Authorization: Bearer $KLING_API_KEY" in words
    body = json.loads(words[words.index("--data-raw") + 1])
    assert body["prompt"] == 'it\'s a "cat" $HOME\n`x`'
    assert body["subject_image_list"][0]["subject_image"].startswith("sha256:")


def test_what_is_wrong_is_the_same_as_when_sent(kling, cat):
    with pytest.raises(InvalidRequest) as dry:
        kling.dry_run("a", subject_images=cat, n=12, aspect_ratio="7:5", seed=3)
    with pytest.raises(InvalidRequest) as real:
        kling.submit("a", subject_images=cat, n=12, aspect_ratio="7:5", seed=3)
    assert str(dry.value) == str(real.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sandbox": True}, "The sandbox needs no key"),
        ({"api_key": "k"}, "A key is set."),
        ({}, "No key is set: this could not be sent."),
        ({"api_key": "two words"}, "This could not be sent."),
        ({"sandbox": True, "confirm_above": 3}, "More than 3 images: it would ask first"),
    ],
)
def test_the_checks(settings, words, cat):
    kling = Kling(**settings)
    dry = kling.dry_run("a", subject_images=cat, n=4)
    assert any(words in check for check in kling.session.checks(dry.request))
    assert words.split(":")[0] in dry.bundle()[0]["text/plain"]


def test_it_says_that_it_was_made_before(kling, cat):
    task = kling.generate("a", subject_images=cat)
    checks = kling.session.checks(kling.dry_run("a", subject_images=cat).request)
    assert f"The same request was made before, as {task.id}: --reuse would show that." in checks


def test_the_price_is_said_where_it_is_known(cat):
    kling = Kling(api_key="k", price_per_image=0.11)
    assert "0.44 USD" in kling.dry_run("a", subject_images=cat, n=4).bundle()[0]["text/plain"]


def test_settings_are_checked_before(cat):
    with pytest.raises(ConfigurationError):
        Kling(timeout="soon")
    assert not Path("kling_runs").exists()
