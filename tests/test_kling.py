"""The façade: nothing is read, started or sent before it is needed, and one object serves a kernel."""

import os
import threading
from pathlib import Path

import pytest

import kling_nb.kling as facade
from kling_nb import ConfigurationError, Kling, default
from kling_nb.key import KeySource, Secret, kernel
from kling_nb.sandbox import Sandbox
from kling_nb.session import gateway


@pytest.fixture(autouse=True)
def nothing_left():
    def forget():
        gateway.close_all()
        facade._default.clear()
        facade._config.clear()
        kernel.login = kernel.sandbox = kernel.folder = None

    forget()
    yield
    forget()


def test_making_one_touches_nothing():
    before = threading.enumerate()
    for settings in ({}, {"sandbox": True}, {"api_key": "sk-sesame"}):
        kling = Kling(**settings)
        assert kling.tasks() == []
        kling.close()
    assert threading.enumerate() == before
    assert os.listdir() == []
    assert gateway._gateways == gateway._sandboxes == {}


def test_it_says_where_it_is_and_not_with_which_key():
    assert repr(Kling(api_key="sk-sesame", base_url="https://host/kling", workspace="w")) == (
        "<Kling at https://host/kling, workspace w>"
    )
    assert repr(Kling(sandbox=True)) == f"<Kling at sandbox, workspace {Path('kling_runs', 'sandbox')}>"


def test_its_settings_are_those_given():
    kling = Kling("sk-sesame", slots=3, timeout=5, model_name="kling-v2", price_per_image=0.1)
    assert (kling.settings.slots, kling.settings.timeout, kling.settings.model_name) == (3, 5.0, "kling-v2")
    assert kling.settings.key.current() == Secret("sk-sesame")
    assert Kling(lambda: "sk-fresh").settings.key.current() == Secret("sk-fresh")


@pytest.mark.parametrize("settings", [{"slot": 3}, {"api_kee": "x"}, {"slots": 0}, {"base_url": "http://host"}])
def test_what_is_wrong_is_said_when_it_is_made(settings):
    with pytest.raises(ConfigurationError):
        Kling(**settings)


def test_it_closes_itself():
    from PIL import Image

    with Sandbox("gateway", seconds=0, images="constant") as box:
        with Kling(api_key="k", base_url=box.base_url, poll_interval=0.01) as kling:
            assert kling.__enter__() is kling
            task = kling.generate("a", subject_images=Image.new("RGB", (320, 300)), n=2)
        assert not [thread for thread in threading.enumerate() if thread.name.startswith(("kling-send", "kling-fo"))]
        assert gateway._gateways == {}
        assert [image.path.is_file() for image in task.images] == [True, True]


def test_generate_has_every_field_of_submit_and_says_each():
    import inspect

    fields = set(inspect.signature(Kling.generate).parameters) - {"self"}
    assert fields == {
        "prompt",
        "subject_images",
        "scene_image",
        "style_image",
        "model_name",
        "n",
        "aspect_ratio",
        "callback_url",
        "external_task_id",
        "watermark",
        "fit",
        "reuse",
        "yes",
        "timeout",
    }
    for field in fields:
        assert field in Kling.generate.__doc__


# ---- the one of a kernel -------------------------------------------------------------------------


def test_the_default_is_the_same_until_a_setting_changes(monkeypatch):
    first = default()
    assert default() is first
    monkeypatch.setenv("KLING_SLOTS", "3")
    second = default()
    assert second is not first
    assert second.settings.slots == 3
    assert default() is second
    Path(".env").write_text("KLING_MODEL_NAME=kling-v2\n")
    assert default().settings.model_name == "kling-v2"


def test_config_counts_before_the_environment_and_after_the_sandbox(monkeypatch):
    monkeypatch.setenv("KLING_SLOTS", "3")
    facade.configure({"slots": 7, "model_name": None})
    assert default().settings.slots == 7
    assert default().settings.model_name == "kling-v2-1"
    facade.configure({})
    assert default().settings.slots == 3
    assert not default().settings.sandbox
    kernel.sandbox = True
    assert default().settings.sandbox


def test_a_login_needs_no_new_object():
    kling = default()
    assert kling.settings.key.find() is None
    kernel.login = Secret("sk-sesame")
    assert default() is kling
    assert kling.settings.key.current() == Secret("sk-sesame")


def test_those_who_share_address_and_key_share_threads():
    with Sandbox("one", seconds=0) as one, Sandbox("two", seconds=0) as two:

        def made(key, box):
            return Kling(api_key=key, base_url=box.base_url).session.gateway

        assert made("k", one) is made("k", one)
        assert made("k", one) is not made("other", one)
        assert made("k", one) is not made("k", two)
        source = KeySource("k")
        assert Kling(api_key=source, base_url=one.base_url).session.gateway is made("k", one)
        gateway.close_all()
