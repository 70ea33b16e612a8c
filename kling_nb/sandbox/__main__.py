"""The sandbox in a terminal: ``python -m kling_nb.sandbox``."""

from __future__ import annotations

import argparse
import errno
import json
import signal
import sqlite3
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from kling_nb.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Sequence


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    options = argparse.ArgumentParser(
        prog="python -m kling_nb.sandbox",
        description="A local stand-in for the Kling multi-image-to-image API: no key, no money. "
        "Results are collages of the references, marked SANDBOX.",
        epilog="A prompt may contain [sandbox: fail], refuse, broke, busy, slow or lost to see what that looks like.",
    )
    options.add_argument("--port", type=_port, default=8000, help="port of the API (default 8000; 0: any free one)")
    options.add_argument("--image-port", type=_port, default=0, help="port of the images (default: any free one)")
    options.add_argument(
        "--folder",
        metavar="DIR",
        help="where tasks and images are kept (default: a temporary folder, gone at the end)",
    )
    options.add_argument("--slots", type=_positive, default=20, help="images in parallel, for each model (default 20)")
    options.add_argument("--seconds", type=_seconds, default=2.0, help="how long a task takes (default 2)")
    options.add_argument(
        "--images",
        choices=("painted", "constant"),
        default="painted",
        help="paint each result, or serve one small picture, for load tests (default painted)",
    )
    options.add_argument("--key", help="the only good key (default: any)")
    options.add_argument(
        "--faults",
        metavar="FILE",
        help='a JSON array of faults, such as [{"on": "create", "do": "lost"}]; '
        "see `python -m pydoc kling_nb.sandbox.faults`",
    )
    return options


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65_535:
        raise argparse.ArgumentTypeError("must be 0 to 65535")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < 1e9:
        raise argparse.ArgumentTypeError("must be at least 0")
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sandbox until Ctrl-C.

    Parameters
    ----------
    arguments : sequence of str or None
        The command line; None for that of the process.

    Returns
    -------
    int
        Exit status: 0, or 2 if it could not be started.
    """
    options = parser().parse_args(arguments)
    if options.folder is not None:
        return _run(options, Path(options.folder))
    with tempfile.TemporaryDirectory(prefix="kling-sandbox-") as folder:
        return _run(options, Path(folder))


def _run(options: argparse.Namespace, folder: Path) -> int:
    try:
        sandbox = _prepare(options, folder)
        sandbox.start()
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            ports = " or ".join(str(port) for port in (options.port, options.image_port) if port)
            return _complain(f"port {ports} is in use; choose another with --port (0: any)")
        return _complain(str(problem))
    except sqlite3.Error as problem:
        return _complain(f"the ledger in {folder} cannot be used: {problem}")
    except ValueError as problem:
        return _complain(f"{options.faults}: {problem}")
    try:
        _wait(sandbox, options)
    finally:
        sandbox.stop()
    return 0


def _prepare(options: argparse.Namespace, folder: Path) -> Sandbox:
    script = json.loads(Path(options.faults).read_text("utf-8")) if options.faults else []
    sandbox = Sandbox(
        folder,
        port=options.port,
        image_port=options.image_port,
        slots=options.slots,
        seconds=options.seconds,
        images=options.images,
        key=options.key,
    )
    sandbox.faults.load(script)
    return sandbox


def _wait(sandbox: Sandbox, options: argparse.Namespace) -> None:
    ended = threading.Event()
    # Set here and not left to the default: a shell starts background jobs with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    where = str(sandbox.folder) if options.folder else "a temporary folder"
    key = "THE_KEY_YOU_SET" if options.key else "anything"
    sys.stdout.write(
        f"{sandbox.base_url}\n"
        f"export KLING_BASE_URL={sandbox.base_url} KLING_API_KEY={key}\n"
        f"Images come from {sandbox.image_origin}; tasks are kept in {where}. Ctrl-C ends.\n"
    )
    sys.stdout.flush()
    while not ended.wait(3600):
        pass


def _complain(message: str) -> int:
    sys.stderr.write(f"kling_nb.sandbox: {message}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
