"""A marked key goes through every failure; no error, note, log, file or request holds it afterwards.

Of an error everything is searched that consoles, notebooks and reports of crashes show: its text, its
attributes, those behind it (``__cause__`` and ``__context__``, also where Python would not print them), and the
variables of every frame of their tracebacks. No frame is left out: while a request is under way httpx and httpcore
have the bare key in their variables, and so none of their errors, with frames and request, may come out of the
client. What a user's own function has in its variables is its own affair, and its error does not come out either.
"""

import base64
import errno
import json
import os
import time
import traceback
from pathlib import Path

import pytest

from kling_nb import AuthenticationFailed, ConfigurationError, ConnectionFailed, Kling, KlingError, WaitTimeout
from kling_nb.key import Secret
from kling_nb.remote.client import ListUnavailable
from kling_nb.sandbox import Sandbox
from kling_nb.sandbox.faultkinds import EVERYWHERE, KINDS
from kling_nb.session.screen import Screen

CODES = {
    **dict.fromkeys(range(1000, 1005), 401),
    **dict.fromkeys(range(1100, 1103), 429),
    1103: 403,
    **dict.fromkeys(range(1200, 1204), 400),
    **dict.fromkeys(range(1300, 1302), 400),
    **dict.fromkeys(range(1302, 1304), 429),
    1304: 403,
    5000: 500,
    5001: 503,
    5002: 504,
}
# Nothing is waited for that need not be.
AT_ONCE = {"delay": {"seconds": 0.0}, "drip": {"seconds": 0.0, "piece": 400}}


class Notes(Screen):
    """Keeps what a person is told while a task is under way."""

    def __init__(self):
        self.said = []

    def progress(self, records, *, now, expected, notes):
        self.said += [*notes, repr(records)]


def outcome(scene, task):
    """Wait for a task; look at what is said meanwhile and at the error that comes of it, if any."""
    where = Notes()
    try:
        task.watch(where, 60)
    except KlingError as error:
        scene.look_at(error)
    scene.say(*where.said, repr(task), repr(task.record))
    if task.error is not None:
        scene.say(repr(task.bundle()))
    return task.error


def refused(scene, function, *kinds):
    """Call what must fail, and look at the error."""
    with pytest.raises(kinds or KlingError) as caught:
        function()
    scene.look_at(caught.value)
    return caught.value


# ---- the gateway -----------------------------------------------------------------------------------


def details_of(do, key):
    """The details of a fault; with a key, it is wherever a gateway could repeat it."""
    kind = KINDS[do]
    words = {name for name, value in kind.details.items() if isinstance(value, str) and name not in kind.choices}
    said = dict.fromkeys(words, f"Bearer {key} is no good")
    if do == "redirect":
        said["location"] = f"http://127.0.0.1:9/{key}?key={key}"
    return {**said, **AT_ONCE.get(do, {})}


@pytest.mark.parametrize("on", ["create", *(pytest.param(on, marks=pytest.mark.slow) for on in ("query", "image"))])
def test_every_fault(scene, cat, quick, on):
    kling = scene.kling(slots=200)
    kinds = [do for do, kind in KINDS.items() if on in kind.where]
    names = {do: f"{on}-{do}" for do in kinds}
    if on == "query":
        scene.box.faults.add("list", "no_list", times=None)
    # Who serves the images was never told the key.
    known = "nothing" if on == "image" else scene.mark.key
    details = {do: details_of(do, known) for do in kinds}
    faults = [scene.box.faults.add(on, do, times=2, match=names[do], **details[do]) for do in kinds]
    tasks = [kling.submit(f"a cat and {do}", subject_images=cat, external_task_id=names[do]) for do in kinds]
    for task in tasks:
        outcome(scene, task)
    assert [fault for fault in faults if not fault.used] == []
    scene.check()


def test_every_fault_of_the_list(scene, quick):
    client = scene.kling().session.gateway.client
    for do, kind in KINDS.items():
        if "list" in kind.where:
            fault = scene.box.faults.add("list", do, **details_of(do, scene.mark.key))
            try:
                client.query_many()
            except (KlingError, ListUnavailable) as error:
                scene.look_at(error)
            assert fault.used
            scene.box.faults.clear()
    scene.check()


def test_the_engine_and_a_list_in_trouble(scene, cat, quick):
    said = f"{scene.mark.key} is no good"
    faults = [scene.box.faults.add("list", "status", status=401, code=1000, message=said)]
    faults += [scene.box.faults.add("query", "status", status=401, code=1000, message=said)]
    kling = scene.kling()
    scene.box.hold()
    tasks = [kling.submit(f"number {number}", subject_images=cat) for number in range(4)]
    kling.session.gateway.runner.wait(lambda: all(fault.used for fault in faults), 10)
    scene.box.release()
    assert [outcome(scene, task) for task in tasks] == [None] * 4
    assert all(fault.used for fault in faults)
    scene.check()


def test_all_places_are_tried():
    assert set(EVERYWHERE) == {"create", "query", "image", "list"}


def faulty(scene, kling, cat, on, code):
    """Submit a task that meets a code, and return it."""
    said = f"The key {scene.mark.key} may not, says {code}"
    name = f"{on}-{code}"
    scene.box.faults.add(on, "status", times=3, match=name, status=CODES[code], code=code, message=said)
    return kling.submit(f"a cat and {code}", subject_images=cat, external_task_id=name)


def test_every_code_of_a_create(scene, cat, quick):
    kling = scene.kling()
    # One after the other: some stop the queue.
    found = [outcome(scene, faulty(scene, kling, cat, "create", code)) for code in CODES]
    assert {fault.details["code"] for fault in scene.box.faults.used} == set(CODES)
    assert sum(error is not None for error in found) >= 15
    scene.check()


@pytest.mark.slow
def test_every_code_of_a_query(scene, cat, quick):
    scene.box.faults.add("list", "no_list", times=None)
    kling = scene.kling(slots=200)
    for task in [faulty(scene, kling, cat, "query", code) for code in CODES]:
        outcome(scene, task)
    assert {fault.details.get("code") for fault in scene.box.faults.used} == {*CODES, None}
    scene.check()


# ---- the key ---------------------------------------------------------------------------------------


def test_a_wrong_key(scene, cat, quick, tmp_path):
    with Sandbox(tmp_path / "other", key="right-and-proper-4711") as scene.box:
        error = refused(scene, lambda: scene.kling().generate("a cat", subject_images=cat), AuthenticationFailed)
        assert error.code == "1000"
        scene.check()


@pytest.mark.parametrize(("claim", "offset", "code"), [("exp", -60, "1004"), ("nbf", 600, "1003")])
def test_a_token_out_of_its_time(scene, cat, quick, tmp_path, new_mark, claim, offset, code):
    parts = [{"alg": "HS256", "typ": "JWT"}, {"iss": "kling_nb leak test", claim: int(time.time()) + offset}]
    packed = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    scene.mark = new_mark(".".join([*packed, new_mark().key.replace("-", "")]))
    with Sandbox(tmp_path / "other", key=scene.mark.key) as scene.box:
        error = refused(scene, lambda: scene.kling().generate("a cat", subject_images=cat), AuthenticationFailed)
        assert error.code == code
        scene.check()


def in_its_message(key):
    raise PermissionError(f"the vault does not know {key}")


def in_its_variables(key):
    found = key
    raise PermissionError(f"not {len(found)} letters")


def in_its_cause(key):
    try:
        in_its_message(key)
    except PermissionError as error:
        raise LookupError("no key") from error


def in_its_context(key):
    try:
        in_its_message(key)
    except PermissionError:
        raise LookupError("no key")  # noqa: B904


def in_its_note(key):
    error = PermissionError("no key")
    error.add_note(key)
    raise error


def in_its_object(key):
    raise UnicodeDecodeError("utf-8", key.encode(), 0, 1, "no text")


def in_an_error_of_ours(key):
    raise ConfigurationError(f"no such key as {key}")


def as_bytes(key):
    return key.encode()


def with_more(key):
    return f"{key} and more"


FUNCTIONS = (
    in_its_message,
    in_its_variables,
    in_its_cause,
    in_its_context,
    in_its_note,
    in_its_object,
    in_an_error_of_ours,
    as_bytes,
    with_more,
)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_that_fails(scene, cat, quick, function):
    kling = Kling(lambda: function(scene.mark.key), base_url=scene.box.base_url, workspace=scene.folder / "workspace")
    for use in (
        lambda: kling.generate("a cat", subject_images=cat),
        lambda: kling.settings.key.current(),
        lambda: kling.settings.key.find(),
        lambda: kling.session.gateway.client.query("1"),
    ):
        refused(scene, use, ConfigurationError)
    scene.show(kling.dry_run("a cat", subject_images=cat))
    assert scene.box.requests == []
    scene.check()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_that_fails_in_the_engine(scene, cat, quick, function):
    answers = iter([scene.mark.key])
    kling = scene.kling()
    kling.settings.key._given = lambda: next(answers, None) or function(scene.mark.key)
    refused(scene, lambda: kling.generate("a cat", subject_images=cat), ConfigurationError)
    scene.check()


def test_a_function_that_fails_when_the_task_is_paid(scene, cat, quick):
    answers = iter([scene.mark.key] * 2)
    kling = scene.kling()
    kling.settings.key._given = lambda: next(answers, None) or in_its_message(scene.mark.key)
    error = refused(scene, lambda: kling.generate("a cat", subject_images=cat, timeout=0.3), WaitTimeout)
    assert "PermissionError" in str(error)
    # Its threads would go on asking the function.
    kling.close()
    scene.check()


@pytest.mark.parametrize(
    "given", [str.encode, lambda key: [key], lambda key: {"key": key}], ids=["bytes", "list", "dictionary"]
)
def test_what_is_no_key(scene, given):
    # Made elsewhere: the variables of whoever calls `Kling` are their own.
    refused(scene, lambda: Kling(given(scene.mark.key)), ConfigurationError)


@pytest.mark.parametrize("way", ["argument", "environment", ".env", "login"])
def test_a_bad_setting_beside_it(scene, way):
    refused(scene, lambda: scene.kling(way, slots="none"), ConfigurationError)
    refused(scene, lambda: scene.kling(way, slosts=3), ConfigurationError)
    scene.check()


@pytest.mark.parametrize("name", ["api_kye", "key", "token"])
def test_under_another_name(scene, name):
    error = refused(scene, lambda: Kling(**{name: scene.mark.key}), ConfigurationError)
    assert name in error.message


def test_an_object_half_made_can_be_shown():
    with pytest.raises(ConfigurationError) as caught:
        Kling(slots="none")
    assert "Kling" in "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())


def test_a_dotenv_that_is_no_text(scene):
    Path(".env").write_bytes(f"KLING_API_KEY={scene.mark.key}\nNAME=".encode() + b"\xff\xfe\n")
    refused(scene, lambda: Kling(base_url=scene.box.base_url), ConfigurationError)
    scene.check()


# ---- the way there ---------------------------------------------------------------------------------


def test_an_unreachable_gateway(scene, cat, quick):
    kling = scene.kling(base_url="http://127.0.0.1:9/kling")
    refused(scene, lambda: kling.generate("a cat", subject_images=cat), ConnectionFailed)
    scene.check()


@pytest.mark.parametrize(
    "address", ["http://example.com", "ftp://127.0.0.1", "nonsense", "https://[::1", "https://a b", "https://h/?a=b"]
)
def test_an_unusable_base_url(scene, address):
    refused(scene, lambda: scene.kling(base_url=address), ConfigurationError)
    scene.patch.setenv("KLING_BASE_URL", address)
    refused(scene, lambda: scene.kling("environment", base_url=None), ConfigurationError)
    scene.check()


@pytest.mark.parametrize(
    "address", ["https://{}@h/kling", "https://u:a/{}@h", "https://h/?key={}", "https://h/#{}", "ftp://h/?a=@&b={}"]
)
def test_a_base_url_with_the_key_in_it_is_not_repeated(scene, address):
    # Its variables are not searched: whoever puts the key into an address makes it one.
    with pytest.raises(ConfigurationError) as caught:
        scene.kling(base_url=address.format(scene.mark.key))
    scene.say(str(caught.value), "".join(traceback.format_exception(caught.value)), repr(caught.value.__context__))


def test_a_workspace_that_is_a_file(scene, cat, quick):
    (scene.folder / "workspace").write_text("in the way")
    kling = scene.kling()
    refused(scene, lambda: kling.generate("a cat", subject_images=cat), KlingError)
    scene.show(kling)
    scene.check()


def test_a_journal_that_is_none(scene, cat, quick):
    (scene.folder / "workspace").mkdir()
    (scene.folder / "workspace" / "journal.sqlite3").write_text("no database" * 100)
    kling = scene.kling()
    refused(scene, lambda: kling.generate("a cat", subject_images=cat), KlingError)
    refused(scene, kling.tasks, KlingError)
    scene.check()


def test_a_full_disk(scene, cat, quick, monkeypatch):
    kling = scene.kling()
    task = kling.generate("a cat", subject_images=cat)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    refused(scene, lambda: kling.generate("a hat", subject_images=cat), KlingError)
    refused(scene, lambda: task.images[0].save(scene.folder / "copy.png"), KlingError)
    scene.check()


def test_the_users_own_line_is_shown_without_the_key(scene, shell):
    # As it is in a module of theirs, whose lines are in no cell.
    Path("ours.py").write_text(
        f'from kling_nb import Kling\ndef ours():\n    Kling(api_key="{scene.mark.key}", slots=0)\n'
    )
    scene.patch.syspath_prepend(Path.cwd())
    result = shell.run_cell("import ours\nours.ours()")
    lines = "\n".join(result.error_in_exec._render_traceback_())
    assert "ours.py, line 3:  Kling(api_key=…, slots=0)" in lines
    scene.say(lines, *scene.capfd.readouterr())


def test_a_secret_is_shown_to_no_error(scene):
    error = refused(scene, lambda: Secret(scene.mark.key).__reduce__(), TypeError)
    assert "pickled" in str(error)
