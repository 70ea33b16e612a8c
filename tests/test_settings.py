"""Settings: which source counts, and what is said about a value that cannot."""

from pathlib import Path

import pytest

from kling_nb import key
from kling_nb.errors import ConfigurationError
from kling_nb.settings import DEFAULT_BASE_URL, check_base_url, is_loopback, resolve

VALUES = {
    "base_url": ("https://{}.example/kling", "https://{}.example/kling"),
    "workspace": ("/w/{}", Path("/w/{}")),
    "model_name": ("model-{}", "model-{}"),
    "currency": ("C{}", "C{}"),
}
NUMBERS = ("slots", "price_per_image", "confirm_above", "max_images", "timeout", "grace", "poll_interval")


@pytest.fixture(autouse=True)
def no_traces(monkeypatch):
    monkeypatch.setattr(key, "kernel", key.KernelState())
    monkeypatch.setattr("kling_nb.settings.kernel", key.kernel)


def value(name, number):
    """One valid value of a setting as text, and what it is once resolved."""
    if name in NUMBERS:
        return str(number), number
    given, wanted = VALUES[name]
    return given.format(number), type(wanted)(str(wanted).format(number))


def variable(name):
    return f"KLING_{name.upper()}"


# ---- where a value comes from --------------------------------------------------------------------


def test_the_defaults():
    found = resolve({})
    assert found.base_url == DEFAULT_BASE_URL == "https://api.quickrouter.ai/kling"
    assert found.workspace == Path.cwd() / "kling_runs"
    assert (found.sandbox, found.model_name, found.slots) == (False, "kling-v2-1", 5)
    assert (found.price_per_image, found.currency) == (None, "USD")
    assert (found.confirm_above, found.max_images) == (36, None)
    assert (found.timeout, found.grace, found.poll_interval) == (1800.0, 120.0, None)


@pytest.mark.parametrize("name", [*VALUES, *NUMBERS])
def test_argument_then_config_then_environment_then_dotenv_then_default(name):
    texts, wanted = zip(*(value(name, number) for number in range(1, 5)), strict=True)
    Path(".env").write_text(f"{variable(name)}={texts[3]}\n")
    environ = {variable(name): texts[2]}
    config = {name: texts[1]}
    given = {name: texts[0]}
    assert getattr(resolve(given, config, environ), name) == wanted[0]
    assert getattr(resolve({name: None}, config, environ), name) == wanted[1]
    assert getattr(resolve({}, {name: None}, environ), name) == wanted[2]
    assert getattr(resolve({}, {}, {variable(name): ""}), name) == wanted[3]
    Path(".env").unlink()
    assert getattr(resolve({}, {}, {}), name) == getattr(resolve({}), name)


def test_the_sandbox_is_turned_on_and_off_for_a_kernel():
    environ = {"KLING_SANDBOX": "1"}
    assert resolve({}, None, environ).sandbox is True
    key.kernel.sandbox = False
    assert resolve({}, None, environ).sandbox is False
    assert resolve({"sandbox": True}, None, environ).sandbox is True
    key.kernel.sandbox = True
    assert resolve({}).sandbox is True
    assert resolve({"sandbox": False}, None, environ).sandbox is False


def test_the_sandbox_has_its_own_workspace():
    assert resolve({"sandbox": True}).workspace == Path.cwd() / "kling_runs" / "sandbox"
    assert resolve({"sandbox": True, "workspace": "mine"}).workspace == Path.cwd() / "mine" / "sandbox"


def test_the_environment_is_that_of_the_process(monkeypatch):
    monkeypatch.setenv("KLING_SLOTS", "7")
    assert resolve({}).slots == 7


def test_a_dotenv_in_a_folder_above_is_found_and_the_nearest_counts(monkeypatch, tmp_path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / ".env").write_text("KLING_SLOTS=3\nKLING_MODEL_NAME='kling-v2'\n# a comment\nexport KLING_GRACE=9\n")
    monkeypatch.chdir(inner)
    found = resolve({})
    assert (found.slots, found.model_name, found.grace) == (3, "kling-v2", 9.0)
    (tmp_path / "a" / ".env").write_text("OTHER=1\n")
    assert resolve({}).slots == 5


def test_a_folder_called_dotenv_is_none():
    Path(".env").mkdir()
    assert resolve({}).slots == 5


def test_a_dotenv_that_is_no_text_is_named():
    Path(".env").write_bytes(b"KLING_SLOTS=3\nNAME=caf\xe9\n")
    with pytest.raises(ConfigurationError, match=r"\.env cannot be read") as caught:
        resolve({})
    assert str(Path.cwd()) in caught.value.message


def test_the_workspace_is_where_the_notebook_was_loaded(tmp_path, monkeypatch):
    key.kernel.folder = tmp_path
    assert resolve({}).workspace == tmp_path / "kling_runs"
    assert resolve({"workspace": "runs"}).workspace == tmp_path / "runs"
    assert resolve({"workspace": Path("/abs")}).workspace == Path("/abs")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert resolve({"workspace": "~/runs"}).workspace == Path("/home/somebody/runs")


# ---- what is wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "bad", "why"),
    [
        ("slots", "five", "it must be a whole number"),
        ("slots", "0", "it must be a whole number of at least 1"),
        ("slots", "-3", "it must be a whole number of at least 1"),
        ("slots", 2.5, "it must be a whole number"),
        ("slots", True, "it must be a whole number"),
        ("slots", [5], "it must be a whole number"),
        ("confirm_above", "-1", "it must be a whole number of at least 0"),
        ("max_images", "many", "it must be a whole number"),
        ("price_per_image", "0.2 USD", "it must be a number"),
        ("price_per_image", "nan", "it must be a number, at least 0"),
        ("price_per_image", "-0.1", "it must be a number, at least 0"),
        ("timeout", "0", "it must be a positive number of seconds"),
        ("timeout", "inf", "it must be a positive number of seconds"),
        ("timeout", True, "it must be a positive number of seconds"),
        ("timeout", [5], "it must be a number of seconds"),
        ("timeout", "1e999", "it must be a positive number of seconds"),
        ("grace", "-1", "it must be a number of seconds, at least 0"),
        ("poll_interval", "soon", "it must be a number of seconds"),
        ("sandbox", "maybe", "it must be on or off"),
        ("sandbox", 2, "it must be on or off"),
        ("model_name", "  ", "it must not be empty"),
        ("currency", " ", "it must not be empty"),
        ("base_url", "http://gateway.example", "it must use https, because the key travels with every request"),
        ("workspace", "", "it must not be empty"),
        ("workspace", "  ", "it must not be empty"),
        ("workspace", 5, "it must be a path"),
        ("workspace", b"runs", "it must be a path"),
        ("workspace", "~nobody-of-this-name/runs", "there is no such home folder"),
        ("workspace", "a\0b", "it must be a path"),
    ],
)
def test_what_is_wrong_is_named_with_its_source(name, bad, why):
    def said(*arguments):
        with pytest.raises(ConfigurationError) as caught:
            resolve(*arguments)
        assert caught.value.money == "Nothing was sent."
        assert caught.value.__cause__ is None
        return caught.value.message

    tail = f"is {str(bad)!r}: {why}"
    assert said({name: bad}) == f"{name} {tail}"
    assert said({}, {name: bad}) == f"%config KlingMagics.{name} {tail}"
    if isinstance(bad, str) and bad and "\0" not in bad:
        assert said({}, {}, {variable(name): bad}) == f"{variable(name)} in the environment {tail}"
        Path(".env").write_text(f"{variable(name)}='{bad}'\n")
        assert said({}, {}, {}) == f"{variable(name)} in .env {tail}"


def test_an_empty_variable_is_not_set():
    assert resolve({}, None, {"KLING_WORKSPACE": "", "KLING_SLOTS": ""}).slots == 5


@pytest.mark.parametrize("text", ["1", "true", "TRUE", "yes", " on ", True, 1], ids=repr)
def test_on(text):
    assert resolve({"sandbox": text}).sandbox is True


@pytest.mark.parametrize("text", ["0", "false", "No", "off", False, 0], ids=repr)
def test_off(text):
    assert resolve({"sandbox": text}).sandbox is False


def test_numbers_may_be_numpys():
    import numpy as np

    found = resolve({"slots": np.int64(3), "timeout": np.float32(2.5)})
    assert (found.slots, found.timeout) == (3, 2.5)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("time_out", "timeout"),
        ("model", "model_name"),
        ("slot", "slots"),
        ("price", "price_per_image"),
        ("key", None),
        ("apikey", "api_key"),
        ("xyzzy", None),
    ],
)
def test_an_unknown_setting_names_the_nearest(name, near):
    with pytest.raises(ConfigurationError) as caught:
        resolve({name: 1})
    assert caught.value.message.startswith(f"There is no setting {name!r}.")
    assert near is None or caught.value.message.endswith(f"Did you mean {near}?")
    assert "slots" in caught.value.advice
    assert "api_key" in caught.value.advice


# ---- base_url ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://api.quickrouter.ai/kling", "https://api.quickrouter.ai/kling"),
        (" https://api.quickrouter.ai/kling/ \n", "https://api.quickrouter.ai/kling"),
        ("https://api.quickrouter.ai/kling/v1", "https://api.quickrouter.ai/kling"),
        ("https://api.quickrouter.ai/kling/v1/", "https://api.quickrouter.ai/kling"),
        ("https://host/v1/images/multi-image2image", "https://host"),
        ("https://host/v1/images/multi-image2image/", "https://host"),
        ("https://host", "https://host"),
        ("HTTPS://API.Example.COM/Kling", "https://api.example.com/Kling"),
        ("https://host:8443/a/b", "https://host:8443/a/b"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://127.0.0.1:8000/kling", "http://127.0.0.1:8000/kling"),
        ("http://127.3.2.1", "http://127.3.2.1"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://LOCALHOST.", "http://localhost."),
    ],
)
def test_addresses_that_can_be_used(text, url):
    assert check_base_url(text) == url
    assert check_base_url(url) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.quickrouter.ai/kling",
        "ftp://host",
        "https://",
        "https:///path",
        "http://gateway.example",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://0.0.0.0",
        "http://10.0.0.1",
        "http://127.0.0.1@evil.example",
        "https://user:secret@host",
        "https://user@host",
        "https://:secret@host",
        "https://host/?a=1",
        "https://host/kling?",
        "https://host/kling#",
        "https://host/kling#part",
        "https://host name/kling",
        "https://host/kl ing",
        "https://host/kl\ning",
        "https://host:port",
        "https://host:99999",
        "https://[::1",
        "javascript:alert(1)",
        5,
    ],
)
def test_addresses_that_cannot(text):
    with pytest.raises(ValueError, match="it must"):
        check_base_url(text)


def test_a_password_in_an_address_is_not_repeated():
    with pytest.raises(ConfigurationError) as caught:
        resolve({"base_url": "https://user:sesame@host/kling"})
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "is_it"),
    [("localhost", True), ("LocalHost", True), ("::1", True), ("127.255.0.1", True), ("0.0.0.0", False), ("", False)],
)
def test_loopback(host, is_it):
    assert is_loopback(host) is is_it
