"""A marked key goes through every feature, and then nothing that is left holds it.

What is searched after each test is in `Scene.check`: every file, all that was printed, logged, warned of and
sent, and every object that our modules and the user's `Kling` lead to. A `Secret` alone may hold the key,
and only the header `Authorization` of requests to the API may carry it.
"""

import inspect
import json
import logging
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.utils.capture import capture_output
from ipywidgets.widgets.widget import _instances

from kling_nb import InvalidRequest, Kling, ServerError, TaskFailed
from kling_nb.key import Secret
from kling_nb.magics.commandtable import COMMANDS
from kling_nb.sandbox import Sandbox
from kling_nb.session import gateway

WAYS = (
    "argument",
    "with Bearer",
    "callable",
    "callable of a Secret",
    "Secret",
    "environment",
    ".env",
    "login",
    "keyring",
    "Colab",
)


@pytest.mark.parametrize("way", WAYS)
def test_however_it_was_given(scene, cat, way):
    kling = scene.kling(way)
    task = kling.generate("a cat", subject_images=cat, n=2)
    assert len(task.images) == 2
    used = kling.session.gateway
    scene.show(kling, kling.settings, kling.settings.key, kling.session, used, used.client, used.runner)
    scene.show(used.downloader, task, task.job, task.images, task.images[0], task.record, kling.tasks())
    assert any(seen.headers.get("authorization") for seen in scene.box.requests)
    scene.check()


def generate(scene, kling, cat):
    task = kling.generate("a cat", subject_images=[cat, cat], scene_image=cat, n=2, aspect_ratio="3:2")
    assert kling.generate("a cat", subject_images=[cat, cat], scene_image=cat, n=2, aspect_ratio="3:2", reuse=True)
    scene.show(task, task.images, task.record, task.request, task.references, task.images[0].metadata)
    for kind in ("png", "jpg", "webp"):
        task.images[0].save(scene.folder / f"copy.{kind}")
    task.images.save(scene.folder / "copies")


def submit(scene, kling, cat):
    task = kling.submit("a cat", subject_images=cat)
    scene.show(task, task.job)
    scene.show(task.wait())


def dry_run(scene, kling, cat):
    plan = kling.dry_run("a cat", subject_images=cat)
    assert "$KLING_API_KEY" in plan.curl
    scene.show(plan, plan.request, plan.curl, plan.body())


def tasks(scene, kling, cat):
    history = kling.tasks()
    scene.show(history, kling.tasks("cat"), history[:1], history.to_dataframe().to_csv())


def task(scene, kling, cat):
    found = kling.task(kling.tasks()[0].id)
    scene.show(found, found.error, found.wait())


def spent(scene, kling, cat):
    scene.show(kling.spent(), kling.spent().to_dataframe().to_csv())


def doctor(scene, kling, cat):
    for checkup in (kling.doctor(), kling.doctor(network=False)):
        assert checkup.state != "problem"
        scene.show(checkup, checkup.problems, checkup.to_dict(), *checkup)


def resume(scene, kling, cat):
    scene.box.hold()
    left, runner = kling.submit("left behind", subject_images=cat), kling.session.gateway.runner
    assert runner.wait(lambda: left.record.task_id is not None, 20)
    scene.box.faults.add("create", "status", times=None, status=429, code=1302, retry_after="60")
    unsent = kling.submit("not sent", subject_images=cat)
    assert runner.wait(lambda: "too often" in unsent.job.note, 20)
    assert unsent.cancel()
    scene.box.faults.clear()
    kling.close()
    scene.box.release()
    found = [kling.resume(), kling.resume(send=True), kling.resume(send=unsent.id)]
    assert [len(task.images) for each in found for task in each] == [1, 1]
    scene.show(*found, *(each.message for each in found))


def forget(scene, kling, cat):
    scene.box.faults.add("create", "status", status=500, code=5000)
    scene.box.faults.add("query", "late", times=None)
    scene.box.faults.add("list", "no_list", times=None)
    with pytest.raises(ServerError) as caught:
        kling.generate("in doubt", subject_images=cat)
    scene.box.faults.clear()
    scene.look_at(caught.value)
    scene.show(kling.forget(kling.tasks("doubt")[0].id))


def form(scene, kling, cat):
    made = kling.form("[sandbox: fail] a cat", subject_images=cat)
    task = made.generate()
    with pytest.raises(TaskFailed):
        task.wait()
    made.settle()
    # What a front end may store in the notebook.
    states = [widget.get_state() for widget in list(_instances.values())]
    assert len(states) > 50
    scene.say(json.dumps(states, default=repr), json.dumps(made._showing._static()))
    scene.show(made, made.request, made.problems, made.code.python._text.value)
    made.close()


def compare(scene, kling, cat):
    made = kling.compare("a cat", subject_images=cat, vary={"n": [1, 2]}, name="how many")
    scene.show(made, made.design, made.stored())
    made.run()
    scene.show(made, made.grid(), made.tasks, made.images, made.counts, made.to_dataframe().to_csv())


def comparison(scene, kling, cat):
    found = kling.comparison("how many")
    scene.show(found, found.run(), found.retry_failed())


def load_comparison(scene, kling, cat):
    found = kling.comparison("how many")
    folder = found.save(Path("how many"))
    for path in folder.rglob("*"):
        scene.say("" if path.is_dir() else path.read_bytes().decode(errors="replace"))
    scene.show(kling.load_comparison(folder), found.rerun(name="again"))
    with pytest.raises(InvalidRequest) as caught:
        found.save(folder)
    scene.look_at(caught.value)


def close(scene, kling, cat):
    scene.box.hold()
    kling.submit("under way", subject_images=cat)
    # It says on standard error what is under way.
    kling.close()


def settings(scene, kling, cat):
    scene.show(kling.settings, kling.settings.key, kling.settings.key.identity, kling.settings.key.current())


def session(scene, kling, cat):
    scene.show(kling.session, kling.session.gateway, kling.session.workspace, kling.session.gateway.identity)


FEATURES = (
    generate, submit, dry_run, tasks, task, spent, resume, forget, form, compare, comparison, load_comparison,
    settings, session, doctor, close,
)  # fmt: skip


def test_every_feature_is_tried():
    public = {name for name in dir(Kling) if not name.startswith("_")} | {"session"}
    assert public == {feature.__name__ for feature in FEATURES}, "a new feature goes through the leak test as well"


def test_every_feature(scene, cat, quick):
    kling = scene.kling(slots=1)
    for feature in FEATURES:
        feature(scene, kling, cat)
        scene.check()


def test_a_secret_alone_holds_it(scene):
    kling = scene.kling()
    holders = [kling.settings.key._given, kling.settings.key.current()]
    assert {type(holder) for holder in holders} == {Secret}
    for thing in (kling, kling.settings, kling.settings.key, kling.session, *holders):
        shown = {name: value for name, value in inspect.getmembers(thing) if not isinstance(thing, Secret)}
        scene.say(repr(shown), inspect.getdoc(thing) or "")
        scene.say(json.dumps(thing, default=repr))


# ---- the doctor ----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_the_doctor_says_where_it_is_from_and_not_what_it_is(scene, way):
    checkup = scene.kling(way).doctor()
    assert [finding.value["usable"] for finding in checkup if finding.section == "key"] == [True]
    scene.show(checkup, checkup.to_dict(), *checkup)
    scene.check()


def test_the_doctor_and_a_key_that_is_refused(scene):
    scene.box.faults.add("list", "status", status=401, code=1002, message=f"Bearer {scene.mark.key} is no good")
    checkup = scene.kling().doctor()
    assert [finding.name for finding in checkup.problems] == ["answer"]
    scene.show(checkup, checkup.to_dict(), *checkup)
    scene.check()


def test_the_doctor_and_a_key_in_an_address(scene):
    kling = scene.kling(base_url=f"{scene.box.base_url}/{scene.mark.key}")
    scene.made.clear()
    checkup = kling.doctor(network=False)
    # The address itself is the user's, and holds what they have put into it.
    scene.say(repr(checkup), json.dumps(checkup.to_dict()), repr(checkup._repr_mimebundle_()))


@pytest.mark.parametrize(
    "proxy", ["http://me:{key}@{host}", "http://{key}@{host}", "{key}:me@{host}", "x://{key}@{host}"]
)
def test_the_doctor_and_a_key_in_the_address_of_a_proxy(scene, proxy, monkeypatch):
    # The gateway stands there as a proxy that knows no CONNECT.
    host = scene.box.base_url.removeprefix("http://").removesuffix("/kling")
    monkeypatch.setenv("HTTPS_PROXY", proxy.format(key=scene.mark.key, host=host))
    checkup = scene.kling(base_url="https://api.example.com/kling").doctor()
    assert [finding.name for finding in checkup.problems] == ["answer"]
    scene.show(checkup, checkup.to_dict(), *checkup)
    out, err = scene.capfd.readouterr()
    scene.say(out, err, *(record.getMessage() for record in scene.caplog.records))


# ---- the magic -----------------------------------------------------------------------------------


def run(scene, shell, source):
    """Run a cell; search what it displayed, printed and raised."""
    publisher, shell.display_pub = shell.display_pub, CapturingDisplayPublisher()
    try:
        with capture_output(display=False) as printed:
            result = shell.run_cell(source, store_history=True)
        scene.say(printed.stdout, printed.stderr, json.dumps(shell.display_pub.outputs, default=repr), repr(result))
        outputs = shell.display_pub.outputs
    finally:
        shell.display_pub = publisher
    error = result.error_before_exec or result.error_in_exec
    if error is not None:
        scene.look_at(error)
    return f"{outputs}{printed.stdout}{printed.stderr}", error


@pytest.fixture
def cells(scene, shell, cat, monkeypatch):
    """Run cells with the magic at the gateway, and a person there who answers."""
    monkeypatch.setenv("KLING_BASE_URL", scene.box.base_url)
    monkeypatch.setattr("kling_nb.magics.commands.can_ask", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda prompt: scene.mark.key)
    shell.user_ns["cat"] = cat
    run(scene, shell, "%config KlingMagics.poll_interval = 0.01\n%config KlingMagics.grace = 0.05")
    return lambda source: run(scene, shell, source)


def test_the_magic(scene, cells):
    assert cells("%kling -s cat a cat")[1].message == "There is no API key."
    assert "goes into no file" in cells("%kling login")[0]
    for source in (
        "%kling -s cat -n 2 -o task a cat",
        "%%kling -s cat --style cat\na cat",
        "%kling -s cat --dry-run a cat",
        "%kling -s cat --background a cat\n%kling wait",
        "%kling -s cat --reuse a cat",
        "task, task.images, task.images[0].metadata",
        "%config KlingMagics",
        "%xmode Verbose",
        "%kling -s cat [sandbox: fail] a cat",
        "%kling -s nothing a cat",
        "%whos",
        "import kling_nb; kling_nb.default(), kling_nb.default().settings, vars(kling_nb.default())",
        "kling_nb.default?",
        "%kling logout",
        "%kling login",
    ):
        cells(source)
    for command in COMMANDS:
        cells(f"%kling {command.example}")
        cells(f"%kling {command.name}")
    assert any(seen.method == "POST" for seen in scene.box.requests)
    scene.check()


def test_the_doctor_and_a_key_in_base_url(scene, cells, monkeypatch):
    scene.use("environment")
    host = scene.box.base_url.removeprefix("http://")
    for address in (f"http://me:{scene.mark.key}@{host}", f"http://{host}?key={scene.mark.key}", scene.mark.key):
        monkeypatch.setenv("KLING_BASE_URL", address)
        shown, error = cells("%kling doctor")
        assert error is None
        assert "KLING_BASE_URL in the environment is" in shown
    monkeypatch.delenv("KLING_BASE_URL")
    cells("%kling doctor offline")
    scene.check()


def test_a_key_that_cannot_be_one(scene, cells, monkeypatch):
    monkeypatch.setattr("getpass.getpass", lambda prompt: f"{scene.mark.key} and more")
    _, error = cells("%kling login")
    assert "holds spaces" in str(error)
    scene.check()


@pytest.fixture
def own_box(scene):
    """The sandbox of `%kling sandbox on`."""
    workspace = Path.cwd() / "kling_runs" / "sandbox"
    gateway._sandboxes[workspace] = Sandbox(workspace / "gateway", seconds=0, images="constant").start()
    return gateway._sandboxes[workspace]


def test_the_users_key_is_not_given_to_the_sandbox(scene, cells, own_box):
    scene.use("environment")
    shown, error = cells("%kling sandbox on\n%kling -s cat a cat")
    assert error is None
    assert "SANDBOX" in shown.upper()
    assert own_box.requests
    scene.say(repr([seen.headers for seen in own_box.requests]))
    scene.check()


# ---- the search notices --------------------------------------------------------------------------


def leak_to_a_file(scene, kling):
    (scene.folder / "workspace" / "note.txt").write_text(scene.mark.key)


def leak_to_the_working_directory(scene, kling):
    Path("note.txt").write_text(scene.mark.key)


def leak_to_the_journal(scene, kling):
    from dataclasses import replace

    task = kling.tasks()[0]
    kling.session.workspace.journal.update(replace(task.record, warnings=(scene.mark.key,)))


def leak_to_standard_output(scene, kling):
    print(scene.mark.key)


def leak_to_standard_error(scene, kling):
    print(scene.mark.key, file=sys.stderr)


def leak_to_a_log(scene, kling):
    logging.getLogger("httpx").debug("%s", scene.mark.key)


def leak_to_a_variable(scene, kling):
    kling.session.gateway.client._http.headers["X-Key"] = scene.mark.key


def leak_to_a_module(scene, kling):
    scene.patch.setattr("kling_nb.settings.DEFAULT_BASE_URL", scene.mark.key)


def leak_to_a_query(scene, kling):
    urllib.request.urlopen(f"{scene.box.base_url}/v1/images/multi-image2image?key={scene.mark.key}")


def leak_to_the_images(scene, kling):
    headers = {"Authorization": f"Bearer {scene.mark.key}"}
    urllib.request.urlopen(urllib.request.Request(f"{scene.box.image_origin}/1/0", headers=headers))


@pytest.mark.parametrize(
    "leak",
    [
        leak_to_a_file,
        leak_to_the_working_directory,
        leak_to_the_journal,
        leak_to_standard_output,
        leak_to_standard_error,
        leak_to_a_log,
        leak_to_a_variable,
        leak_to_a_module,
        leak_to_a_query,
        leak_to_the_images,
    ],
)
@pytest.mark.slow
def test_a_leak_would_be_noticed(scene, cat, leak):
    kling = scene.kling()
    kling.generate("a cat", subject_images=cat)
    scene.check()
    with suppress(urllib.error.HTTPError):
        leak(scene, kling)
    with pytest.raises(AssertionError):
        scene.check()


def test_a_leak_in_an_error_would_be_noticed(scene):
    def fail(key):
        raise ValueError("not shown")

    with pytest.raises(ValueError, match="not shown") as caught:
        fail(scene.mark.key)
    with pytest.raises(AssertionError, match="the variable key of fail"):
        scene.look_at(caught.value)
    error = ValueError("shown")
    error.__context__ = ValueError(scene.mark.key)
    with pytest.raises(AssertionError, match="the key is in a ValueError"):
        scene.look_at(error)
