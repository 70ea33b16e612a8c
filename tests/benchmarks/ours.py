"""A process that has tasks made with kling_nb; started with a JSON plan, prints what came of it."""

import importlib
import json
import resource
import sys
import threading
import time

from kling_nb import Kling, imagedata
from kling_nb.engine import following
from kling_nb.records import ENDED
from kling_nb.remote import download
from kling_nb.session import gateway


class Apart:
    """Counts the processor time of decoding, which is another row's matter."""

    def __init__(self):
        self.seconds = 0.0
        self._lock = threading.Lock()

    def around(self, function):
        def timed(*args, **options):
            begun = time.thread_time()
            try:
                return function(*args, **options)
            finally:
                with self._lock:
                    self.seconds += time.thread_time() - begun

        return timed


def noticing(times):
    """Write down when the end of each task is first seen; its record says when it was, not when it was seen."""
    real = following.after_look

    def after_look(record, *more):
        after = real(record, *more)
        if after.task_status in ENDED:
            times.setdefault(record.prompt, time.time())
        return after

    following.after_look = after_look


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def memory_now():
    """Megabytes that are resident now, and at most since the start."""
    with open("/proc/self/status") as file:
        facts = dict(line.split(":", 1) for line in file)
    return [int(facts[name].split()[0]) / 1000 for name in ("VmRSS", "VmHWM")]


def main():
    plan = json.loads(sys.argv[1])
    decoding = Apart()
    download.imagedata.check_decodes = decoding.around(imagedata.check_decodes)
    gateway.thumbnail = decoding.around(gateway.thumbnail)
    noticed = {}
    noticing(noticed)
    kling = Kling(
        api_key="anything", base_url=plan["base_url"], workspace=plan["folder"], sandbox=False, slots=plan["slots"]
    )
    # What a process imports, and the connection's set-up, count for nobody here.
    for name in ("kling_nb.request.body", "kling_nb.session.gateway", "PIL.JpegImagePlugin"):
        importlib.import_module(name)
    kling.session.gateway  # noqa: B018 - makes it
    for prompt, n in plan.get("before", []):
        kling.generate(prompt, subject_images=plan["reference"], n=n, yes=True)
    resting, _ = memory_now()
    decoded, used, begun = decoding.seconds, processor_seconds(), time.perf_counter()
    tasks = [kling.submit(prompt, subject_images=plan["reference"], n=n, yes=True) for prompt, n in plan["tasks"]]
    submitted = time.perf_counter() - begun
    for task in tasks:
        task.wait(timeout=900)
    seconds, used = time.perf_counter() - begun, processor_seconds() - used
    _, peak = memory_now()
    images = sum(len(task.images) for task in tasks)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "submitted": submitted,
                "processor": used - (decoding.seconds - decoded),
                "decoding": decoding.seconds - decoded,
                "resting": resting,
                "peak": peak,
                "images": images,
                "noticed": {task.prompt: noticed[task.prompt] for task in tasks},
            }
        )
    )
    kling.close()


if __name__ == "__main__":
    main()
