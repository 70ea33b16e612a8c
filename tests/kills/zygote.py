"""A process that has imported everything and forks one child for every order that it reads.

An order is one line of JSON: what to do (`do`), where (`folder`, `base_url`), and at which point to die
(`die`) or, in the main thread, to be interrupted (`interrupt`). A point is ``[code, event, count]``: the count-th time that this happens in this piece of code, in
whichever thread, the child kills itself with SIGKILL, which nothing can catch or tidy up after. The answer is
one line: how the child ended. What it saw is in the file that `result` names.
"""

import json
import os
import signal
import sys
import threading
import traceback
from collections import Counter
from pathlib import Path

import kling_nb
from kling_nb import Kling, KlingError
from kling_nb.session.gateway import is_at_hand

PACKAGE = os.path.dirname(kling_nb.__file__) + os.sep
EVENTS = ("call", "return", "c_call", "c_return")
OFTEN = 3
"""Occurrences of an event that are worth dying at; polls go on for ever."""


def load():
    """Import what a session imports when it needs it, so that a child does not have to."""
    import httpx  # noqa: F401
    import PIL.Image  # noqa: F401

    import kling_nb.compare.planning
    import kling_nb.display
    import kling_nb.request
    import kling_nb.session.dryrun
    import kling_nb.workspace.workspace  # noqa: F401


def place_of(frame):
    code = frame.f_code
    if not code.co_filename.startswith(PACKAGE) or "/sandbox/" in code.co_filename:
        return None
    return f"{code.co_filename.removeprefix(PACKAGE).removesuffix('.py')}:{code.co_qualname}"


class Watch:
    """Sees everything that the package does; dies where it is told to, or writes down where it could."""

    def __init__(self, die, interrupt):
        self.point = die or interrupt
        self.interrupts = interrupt is not None
        self.left = self.point[2] if self.point else 0
        self.seen = Counter()
        self.seen_in_main = Counter()
        self.lock = threading.Lock()

    def __call__(self, frame, event, arg):
        place = place_of(frame)
        if place is None:
            return
        what = f"{event} {arg.__name__}" if event.startswith("c_") else event
        in_main = threading.current_thread() is threading.main_thread()
        if self.point is None:
            with self.lock:
                self.seen[place, what] += 1
                # No signal is ever handled between the end of a `with` and its lock's release.
                self.seen_in_main[place, what] += in_main and what != "c_call __exit__"
        elif [place, what] == self.point[:2] and (in_main or not self.interrupts):
            self.left -= 1
            if self.left == 0 and self.interrupts:
                raise KeyboardInterrupt
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def points(self, seen):
        return [[place, what, k + 1] for (place, what), n in seen.items() for k in range(min(n, OFTEN))]


def work(kling, order):
    """Ask for a few tasks, some with a reference of their own, and wait for all of them."""
    cat = (Path(order["folder"]) / "cat.png").read_bytes()
    tasks = [
        kling.submit(f"cat {number}", subject_images=cat if number % 2 else [cat, "https://example.com/hat.png"], n=n)
        for number, n in enumerate(order["sizes"])
    ]
    for task in tasks:
        task.wait(60)


def resume(kling, order):
    kling.resume(timeout=60)


def send(kling, order):
    """Send what is left, as a user would who was told what is in doubt."""
    kling.resume(send=True, yes=True, timeout=60)
    for task in kling.tasks():
        if task.task_status in ("uncertain", "cancelled"):
            kling.resume(send=task.id, timeout=60)


def generate(kling, order):
    """Ask for images as a cell does, and wait; when that is interrupted, let the background finish."""
    cat = (Path(order["folder"]) / "cat.png").read_bytes()
    try:
        for number, n in enumerate(order["sizes"]):
            kling.generate(f"cat {number}", subject_images=cat, n=n)
    finally:
        sys.setprofile(None)
        if is_at_hand(kling.settings):
            runner = kling.session.gateway.runner
            if not runner.wait(lambda: all(job.settled for job in runner.jobs.values()), 30):
                raise AssertionError(f"not settled: {runner.jobs}")


def compare(kling, order):
    """Run a comparison, or go on with it; when that is interrupted, let the background finish."""
    cat = (Path(order["folder"]) / "cat.png").read_bytes()
    design = {"prompt": ["a cat", "a dog"], "n": [1, 2]}
    try:
        kling.compare(subject_images=cat, vary=design, samples=2, name="study").run()
    finally:
        sys.setprofile(None)
        if is_at_hand(kling.settings):
            runner = kling.session.gateway.runner
            if not runner.wait(lambda: all(job.settled for job in runner.jobs.values()), 30):
                raise AssertionError(f"not settled: {runner.jobs}")


def wait(kling, order):
    """Wait for everything that another kernel of the workspace has in hand."""
    for task in kling.tasks():
        task.wait(60)


DOINGS = {"work": work, "resume": resume, "send": send, "wait": wait, "generate": generate, "compare": compare}


def live(order):
    """Be a process that does what an order says; return the exit code."""
    folder = Path(order["folder"])
    result = {"error": "", "points": [], "points_in_main": []}
    watched = order["die"] or order["interrupt"] or order["record"]
    watch = Watch(order["die"], order["interrupt"]) if watched else None
    if watch is not None:
        threading.setprofile(watch)
        sys.setprofile(watch)
    try:
        with Kling(
            api_key=order["key"],
            base_url=order["base_url"],
            workspace=folder / "runs",
            poll_interval=0.01,
            grace=order["grace"],
            timeout=60,
            slots=order["slots"],
        ) as kling:
            DOINGS[order["do"]](kling, order)
    except (KlingError, KeyboardInterrupt) as error:
        result["error"] = f"{type(error).__name__}: {error}"
    except BaseException:
        result["error"] = traceback.format_exc()
    sys.setprofile(None)
    if watch is not None:
        result["points"] = watch.points(watch.seen)
        result["points_in_main"] = watch.points(watch.seen_in_main)
    Path(order["result"]).write_text(json.dumps(result))
    return 0


def main():
    load()
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            # No tidying up on the way out: that belongs to the parent.
            os._exit(live(order))
        _, status = os.waitpid(child, 0)
        print(json.dumps({"pid": child, "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0}), flush=True)


if __name__ == "__main__":
    main()
