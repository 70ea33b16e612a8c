"""The server of the benchmarks, a process of its own: the sandbox, with a service time for each task.

Started with a JSON plan as its argument; prints its address; answers each line that it reads with what it has seen so far.
"""

import json
import sys
import tempfile
import threading
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

from kling_nb.sandbox import Sandbox, service
from kling_nb.sandbox.protocol import RESOURCE, Refusal


class Counting:
    """A sandbox that gives each task the time planned for it, and counts.

    Parameters
    ----------
    sandbox : Sandbox
        Not started yet.
    seconds : dict of str to float
        Service times by prompt; what is not named takes the sandbox's own.
    """

    def __init__(self, sandbox, seconds):
        self.sandbox = sandbox
        self.lock = threading.Lock()
        self.refused = 0
        self.tasks = []
        self.seconds = seconds
        inner = sandbox._service
        self._create, self._draft = inner.create, inner._draft
        inner.create, inner._draft = self.create, self.draft

    def draft(self, wish, failure):
        task = self._draft(wish, failure)
        seconds = self.seconds.get(task.prompt, task.seconds)
        return replace(task, seconds=seconds, ends_at=task.created_at + seconds)

    def create(self, body):
        try:
            answer, task = self._create(body)
        except Refusal:
            with self.lock:
                self.refused += 1
            raise
        with self.lock:
            self.tasks.append(task)
        return answer, task

    def report(self, since):
        """What has been asked since some time, and when each task was taken and ended."""
        seen = [each for each in self.sandbox.requests if each.time >= since]
        api = [each for each in seen if each.origin == "api"]
        gets = [each for each in api if each.method == "GET"]
        lists = sum(each.path.rstrip("/").endswith(RESOURCE) for each in gets)
        with self.lock:
            tasks = [task for task in self.tasks if task.created_at >= since]
            refused, self.refused = self.refused, 0
        return {
            "creates": sum(each.method == "POST" for each in api),
            "refused": refused,
            "lists": lists,
            "queries": len(gets) - lists,
            "images": sum(each.origin == "images" for each in seen),
            "ended": {task.prompt: task.ends_at for task in tasks},
            "began": min((task.created_at for task in tasks), default=None),
        }


@cache
def large_picture():
    """A noisy JPEG of a megapixel and about two megabytes."""
    import io
    import os

    from PIL import Image

    image = Image.frombytes("RGB", (1024, 1024), os.urandom(3 * 1024 * 1024))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=94, subsampling=0)
    return buffer.getvalue()


def serve_large_pictures():
    def picture(name):
        data, comment = large_picture(), name.encode()
        return data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:]

    large_picture()
    service.constant_image = picture


def main():
    plan = json.loads(sys.argv[1])
    if plan.get("large"):
        serve_large_pictures()
    # The gateway's own disk is not what is measured.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        sandbox = Sandbox(folder, slots=plan["slots"], seconds=plan.get("seconds", 0.0), images="constant")
        counting = Counting(sandbox, plan.get("times", {}))
        with sandbox:
            if not plan.get("lists", True):
                sandbox.faults.load([{"on": "list", "do": "no_list", "times": None}])
            print(json.dumps({"base_url": sandbox.base_url}), flush=True)
            since = 0.0
            for line in sys.stdin:
                if line.strip() == "report":
                    print(json.dumps(counting.report(since)), flush=True)
                    since = time.time()


if __name__ == "__main__":
    main()
