"""The key: found where the user keeps it, given to one header, and shown to nobody."""

import base64
import copy
import json
import logging
import pickle
import pprint
import sys
import traceback
import types
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from kling_nb import Kling, key
from kling_nb.errors import ConfigurationError
from kling_nb.key import KernelState, KeySource, Secret
from kling_nb.settings import resolve

KEY = "sk-sesame-0123456789"


@pytest.fixture(autouse=True)
def no_traces(monkeypatch):
    monkeypatch.setattr(key, "kernel", KernelState())
    monkeypatch.setattr("kling_nb.settings.kernel", key.kernel)
    # Whatever keyring and Colab this machine has are not asked.
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)


@pytest.fixture
def colab(monkeypatch):
    """A stand-in for Colab's module: outside Colab there is none to ask."""
    secrets = {}
    asked = []

    def get(name):
        asked.append(name)
        if name not in secrets:
            raise LookupError("SecretNotFoundError")
        return secrets[name]

    module = types.ModuleType("google.colab")
    module.userdata = types.SimpleNamespace(get=get)
    google = types.ModuleType("google")
    google.colab = module
    monkeypatch.setitem(sys.modules, "google", google)
    monkeypatch.setitem(sys.modules, "google.colab", module)
    return types.SimpleNamespace(secrets=secrets, asked=asked)


@pytest.fixture
def keyring(monkeypatch):
    """A stand-in for the keyring package, which needs a desktop's daemon."""
    stored = {}
    module = types.ModuleType("keyring")
    module.get_password = lambda service, name: stored.get((service, name))
    monkeypatch.setitem(sys.modules, "keyring", module)
    return stored


# ---- where it comes from -------------------------------------------------------------------------


def test_argument_login_environment_dotenv_colab_keyring(monkeypatch, colab, keyring):
    found = []
    keyring["kling_nb", "KLING_API_KEY"] = "from-keyring"
    found.append(KeySource().current().reveal())
    colab.secrets["KLING_API_KEY"] = "from-colab"
    found.append(KeySource().current().reveal())
    Path(".env").write_text("KLING_API_KEY=from-dotenv\n")
    found.append(KeySource().current().reveal())
    monkeypatch.setenv("KLING_API_KEY", "from-environment")
    found.append(KeySource().current().reveal())
    key.kernel.login = Secret("from-login")
    found.append(KeySource().current().reveal())
    found.append(KeySource("from-argument").current().reveal())
    assert found == [f"from-{place}" for place in ("keyring", "colab", "dotenv", "environment", "login", "argument")]


def test_there_is_none():
    assert KeySource().find() is None
    with pytest.raises(ConfigurationError, match="There is no API key") as caught:
        KeySource().current()
    for way in ("%kling login", "KLING_API_KEY", ".env", "Kling(api_key=…)", "%kling sandbox on"):
        assert way in caught.value.advice
    assert caught.value.money == "Nothing was sent."


def test_a_dotenv_of_a_folder_above(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("KLING_API_KEY='quoted-key'\n")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert KeySource().current().reveal() == "quoted-key"


def test_a_new_login_and_a_changed_environment_count_at_once(monkeypatch):
    source = KeySource()
    assert source.find() is None
    monkeypatch.setenv("KLING_API_KEY", "one")
    assert source.current().reveal() == "one"
    monkeypatch.setenv("KLING_API_KEY", "two")
    assert source.current().reveal() == "two"
    key.kernel.login = Secret("three")
    assert source.current().reveal() == "three"
    key.kernel.login = None
    assert source.current().reveal() == "two"


def test_a_function_is_asked_every_time():
    keys = iter(["first", "second"])
    source = KeySource(lambda: next(keys))
    assert [source.current().reveal(), source.current().reveal()] == ["first", "second"]


def test_a_function_that_fails_is_named_with_its_place_and_without_its_words():
    def expired():
        raise PermissionError(f"log in to the vault with {KEY}")

    with pytest.raises(ConfigurationError, match=r"PermissionError in .*test_key\.py, line \d+\.\n") as caught:
        KeySource(expired).current()
    assert "vault" not in str(caught.value)
    assert "Call the function by itself to see why." in caught.value.advice
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_colab_that_does_not_give_it_is_passed_over(colab, keyring):
    assert KeySource().find() is None
    assert colab.asked == ["KLING_API_KEY"]
    keyring["kling_nb", "KLING_API_KEY"] = "from-keyring"
    assert KeySource().current().reveal() == "from-keyring"


@pytest.mark.parametrize("odd", [None, 5, b"bytes"])
def test_what_is_no_text_in_colab_or_keyring_is_none(colab, keyring, odd):
    colab.secrets["KLING_API_KEY"] = odd
    keyring["kling_nb", "KLING_API_KEY"] = odd
    assert KeySource().find() is None


def test_a_keyring_that_fails_is_none(monkeypatch):
    module = types.ModuleType("keyring")

    def get_password(service, name):
        raise RuntimeError("no D-Bus")

    module.get_password = get_password
    monkeypatch.setitem(sys.modules, "keyring", module)
    assert KeySource().find() is None


def test_a_keyring_that_cannot_even_be_imported_is_none(monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "keyring")
    (tmp_path / "keyring.py").write_text("raise RuntimeError('broken installation')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert KeySource().find() is None


# ---- what a key is -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [KEY, f"  {KEY}\n", f"Bearer {KEY}", f"bearer {KEY}", f"BEARER   {KEY} ", f"\tBearer\t{KEY}\r\n"]
)
def test_what_surrounds_a_key_is_taken_off(text):
    assert KeySource(text).current().reveal() == KEY
    assert KeySource(lambda: text).current().reveal() == KEY


@pytest.mark.parametrize(
    "text", ["", "  ", "Bearer ", "Bearer", f"{KEY} {KEY}", f"{KEY}\n{KEY}", "schlüssel", "a\x00b", "…"]
)
def test_what_cannot_be_a_key_is_refused_without_repeating_it(text):
    with pytest.raises(ConfigurationError, match="The API key is empty or holds spaces") as caught:
        KeySource(text).current()
    assert KEY not in str(caught.value)
    assert "schlüssel" not in str(caught.value)


@pytest.mark.parametrize("given", [5, b"bytes", 1.5, [KEY], {"key": KEY}, Path("key.txt")])
def test_a_key_is_text_or_a_function(given):
    with pytest.raises(ConfigurationError, match="api_key must be text or a function") as caught:
        Kling(api_key=given)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("given", [5, b"bytes"])
def test_a_function_must_return_text(given):
    with pytest.raises(ConfigurationError, match=f"must be text, not {type(given).__name__}"):
        KeySource(lambda: given).current()


def test_a_function_may_have_none_or_a_secret():
    assert KeySource(lambda: None).find() is None
    assert KeySource(lambda: Secret(KEY)).current() == Secret(KEY)


@pytest.mark.parametrize(
    "written",
    [
        KEY,
        "".join(f"\\u{ord(letter):04X}" for letter in KEY),
        KEY.replace("-", "\\\\u002d"),
        "".join(f"%{ord(letter):02x}" for letter in KEY),
        KEY.replace("-", "%252D"),
        "".join(f"&#{ord(letter)};" for letter in KEY),
        KEY.replace("-", "&#x02D;"),
        KEY.replace("-", "\\x2d"),
    ],
)
def test_it_is_taken_out_of_what_others_say(written):
    assert Secret(KEY).taken_out_of(f"the key {written} may not, {written}") == "the key … may not, …"
    beginning = written[: len(written) // 2] + "!"
    assert Secret(KEY).taken_out_of(beginning) == beginning


@pytest.mark.parametrize("length", range(8, len(KEY)))
def test_its_beginning_is_taken_off_where_others_are_cut_off(length):
    assert Secret(KEY).taken_out_of(f"not the key {KEY[:length]}") == "not the key …"
    assert Secret(KEY).taken_out_of(f"not the key {KEY[:7]}") == f"not the key {KEY[:7]}"


def test_what_is_no_key_stays_in_what_others_say():
    assert Secret("sandbox").taken_out_of("asked for by the sandbox") == "asked for by the sandbox"
    assert Secret("a.b.c.d.e").taken_out_of("a1b2c3d4e") == "a1b2c3d4e"
    assert Secret(KEY).taken_out_of("\\" * 1_000_000) == "\\" * 1_000_000


# ---- who shares a key ----------------------------------------------------------------------------


def test_those_who_share_a_key_are_told_from_others():
    def function():
        return KEY

    assert KeySource(KEY).identity == KeySource(KEY).identity
    assert KeySource(KEY).identity != KeySource("other").identity
    assert KeySource(function).identity == KeySource(function).identity
    assert KeySource().identity == KeySource().identity != KeySource(KEY).identity
    assert KEY not in repr(KeySource(KEY).identity)
    assert len({KeySource(KEY).identity, KeySource(KEY).identity, KeySource().identity}) == 2
    assert Secret(KEY) != KEY


# ---- and who sees it -----------------------------------------------------------------------------


@pytest.fixture
def holders(monkeypatch):
    """Everything that holds a key, or a way to it."""
    monkeypatch.setenv("KLING_API_KEY", KEY)
    source = KeySource(KEY)
    slow = KeySource()
    slow._slow = Secret(KEY)
    key.kernel.login = Secret(KEY)
    kling = Kling(api_key=KEY)
    return [Secret(KEY), source, slow, key.kernel, kling.settings, kling, kling.session]


def shown(thing):
    yield repr(thing)
    yield str(thing)
    yield f"{thing}"
    yield f"{thing!r:>60}"
    yield f"{thing!s}"
    yield "{} {!r}".format(*[thing, thing])
    yield pprint.pformat(thing)
    yield ascii(thing)
    yield repr([thing, {"key": thing}, (thing,)])
    yield json.dumps({"key": thing}, default=str)
    if hasattr(thing, "__dict__"):
        yield repr(vars(thing))


def test_no_way_of_showing_shows_it(holders):
    for holder in holders:
        for text in shown(holder):
            assert KEY not in text
            assert "sesame" not in text


def test_a_format_specification_does_not_bring_it_out():
    for spec in ("", "s", ">40", "x", "r"):
        assert KEY not in format(Secret(KEY), spec)


def test_it_is_not_logged(holders, caplog):
    with caplog.at_level(logging.DEBUG):
        for holder in holders:
            logging.getLogger("anything").warning("%s %r %s", holder, holder, [holder])
    assert "sesame" not in caplog.text


def test_it_is_not_pickled_copied_or_dumped(holders):
    for holder in holders:
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            # A key refuses; a whole session has locks and threads that do so, too.
            with pytest.raises((TypeError, pickle.PicklingError, AttributeError)) as caught:
                pickle.dumps(holder, protocol)
            assert "sesame" not in str(caught.value)
        with pytest.raises(TypeError):
            json.dumps(holder)
    for function in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never pickled"):
            function(Secret(KEY))


def test_settings_can_be_copied_and_looked_at_without_it():
    found = resolve({"api_key": KEY})
    assert "sesame" not in repr(replace(found, slots=3))
    with pytest.raises(TypeError):
        asdict(found)


def locals_of(error):
    """Every local variable of this package's frames in a traceback, as verbose tracebacks show them."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if "kling_nb" in frame.f_globals["__name__"]]
    assert frames
    return "".join(repr({name: v for name, v in frame.f_locals.items() if name != "self"}) for frame in frames)


@pytest.mark.parametrize("given", [f"{KEY} with a space", lambda: f"{KEY} with a space"], ids=["text", "function"])
def test_a_verbose_traceback_does_not_show_it(given):
    with pytest.raises(ConfigurationError) as caught:
        KeySource(given).current()
    assert "sesame" not in locals_of(caught.value)


def test_nor_does_one_of_a_function_that_returns_bytes():
    with pytest.raises(ConfigurationError) as caught:
        KeySource(lambda: KEY.encode()).current()
    assert "sesame" not in locals_of(caught.value)


def test_nor_does_one_of_a_bad_setting_beside_it():
    with pytest.raises(ConfigurationError) as caught:
        Kling(api_key=KEY, slots="none")
    assert "'slots': 'none'" in locals_of(caught.value)
    assert "sesame" not in locals_of(caught.value)


def test_nor_does_one_from_the_environment(monkeypatch):
    monkeypatch.setenv("KLING_API_KEY", f"{KEY} with a space")
    with pytest.raises(ConfigurationError) as caught:
        Kling().settings.key.current()
    assert "sesame" not in locals_of(caught.value)


def token(**claims):
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return Secret(f"eyJhbGciOiJIUzI1NiJ9.{part}.c2lnbmF0dXJl")


def test_keys_of_one_account_have_one_mark():
    assert Secret("one").mark() == Secret("one").mark() != Secret("another").mark()
    now, later = token(iss="me", exp=1), token(iss="me", exp=2)
    assert now.mark() == later.mark() != token(iss="you", exp=1).mark()


@pytest.mark.parametrize("text", ["a.b.c", "..", "a.bnVsbA.c", "a.W10.c", "a.eyJpc3MiOjF9.c"])
def test_a_key_that_only_looks_like_a_token_has_a_mark_of_its_own(text):
    assert Secret(text).mark() != Secret(text + "x").mark()
