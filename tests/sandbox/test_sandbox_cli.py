"""The command line, in a process of its own."""

import json
import signal
import socket
import subprocess
import sys

import httpx
import pytest

COMMAND = [sys.executable, "-W", "error", "-m", "kling_nb.sandbox"]
PATH = "/v1/images/multi-image2image"


def run(*arguments):
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60)


@pytest.fixture
def launch():
    """Run the sandbox in the background."""
    running = []

    def launched(*arguments):
        process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        running.append(process)
        return process

    yield launched
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["interrupt", "terminate"])
def test_it_runs_until_it_is_ended(launch, tmp_path, photo, number):
    script = tmp_path / "faults.json"
    script.write_text(json.dumps([{"on": "query", "do": "status", "status": 503}]))
    folder = tmp_path / "kept"
    process = launch(
        *("--port", "0", "--folder", str(folder), "--seconds", "0", "--images", "constant"),
        *("--key", "sesame", "--faults", str(script)),
    )
    url = process.stdout.readline().strip()
    assert url.startswith("http://127.0.0.1:")
    assert url.endswith("/kling")
    assert process.stdout.readline().strip() == f"export KLING_BASE_URL={url} KLING_API_KEY=THE_KEY_YOU_SET"
    assert str(folder) in process.stdout.readline()
    body = {"model_name": "kling-v2", "n": 1, "subject_image_list": [{"subject_image": photo}]}
    with httpx.Client(headers={"Authorization": "Bearer sesame"}, verify=False) as http:
        assert httpx.get(url + PATH, headers={"Authorization": "Bearer other"}, verify=False).status_code == 401
        task_id = http.post(url + PATH, json=body).json()["data"]["task_id"]
        assert http.get(f"{url}{PATH}/{task_id}").status_code == 503
        task = http.get(f"{url}{PATH}/{task_id}").json()["data"]
        image = httpx.get(task["task_result"]["images"][0]["url"], verify=False)
        assert image.headers["content-type"] == "image/jpeg"
    process.send_signal(number)
    assert process.wait(timeout=30) == 0
    assert process.stderr.read() == ""
    assert (folder / "ledger.sqlite3").exists()


def test_its_temporary_folder_is_gone_at_the_end(launch, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    process = launch("--port", "0")
    process.stdout.readline()
    assert "KLING_API_KEY=anything" in process.stdout.readline()
    assert "temporary folder" in process.stdout.readline()
    assert len(list(tmp_path.iterdir())) == 1
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_busy_port_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("--port", port)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr == f"kling_nb.sandbox: port {port} is in use; choose another with --port (0: any)\n"


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("[", "Expecting value"),
        ("{}", "JSON array"),
        ('[{"on": "create", "do": "explode"}]', "unknown fault 'explode'"),
        (None, "No such file"),
    ],
    ids=range(4),
)
def test_a_bad_script_of_faults_is_one_line(tmp_path, content, word):
    script = tmp_path / "faults.json"
    if content is not None:
        script.write_text(content)
    done = run("--port", "0", "--faults", str(script))
    assert done.returncode == 2
    assert word in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_that_is_none(tmp_path):
    (tmp_path / "ledger.sqlite3").write_text("not a database, but long enough to be taken for one" * 30)
    done = run("--port", "0", "--folder", str(tmp_path))
    assert done.returncode == 2
    assert "ledger" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_help_is_useful():
    from kling_nb.sandbox.__main__ import parser

    text = parser().format_help()
    for word in ("--port", "--image-port", "--folder", "--slots", "--seconds", "--images", "--key", "--faults"):
        assert word in text
    assert "[sandbox: fail]" in text


@pytest.mark.parametrize(
    "arguments",
    [["--port", "70000"], ["--slots", "0"], ["--seconds", "-1"], ["--seconds", "nan"], ["--images", "x"]],
    ids=range(5),
)
def test_bad_arguments(arguments, capsys):
    from kling_nb.sandbox.__main__ import main

    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "error" in capsys.readouterr().err
