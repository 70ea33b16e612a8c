"""Rows about what a person at a notebook waits for: loading, the first request, grids, comparisons, the history."""

from tests.benchmarks import figures, processes
from tests.benchmarks.figures import Row, at_most, left_out, median

LOAD = """
import json, sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
name = json.loads(sys.argv[1])["extension"]
begun = time.perf_counter()
if name:
    shell.run_line_magic("load_ext", name)
print(json.dumps({"ms": 1000 * (time.perf_counter() - begun)}))
"""
OTHERS = {"jupysql": "sql", "bigquery-magics": "bigquery_magics", "jupyter-ai magics": "jupyter_ai_magics"}


def load(short):
    rounds = 2
    with processes.folder() as folder:

        def loaded(extension):
            more = {"IPYTHONDIR": str(folder / "ipython"), "HOME": str(folder), "JUPYSQL_TELEMETRY": "off"}
            return processes.python(LOAD, {"extension": extension}, cwd=folder, **more)["ms"]

        there, missing = {"kling_nb": [loaded("kling_nb")]}, {}
        for name, extension in OTHERS.items():
            try:
                there[name] = [loaded(extension)]
            except processes.Failed as error:
                missing[name] = str(error).splitlines()[-1][:80]
        names = {**OTHERS, "kling_nb": "kling_nb"}
        contenders = {name: lambda extension=names[name]: loaded(extension) for name in there}
        # The first time also compiles what was just installed.
        results = there if short else figures.interleaved(rounds, contenders)
    ours = median(results["kling_nb"])
    rows = [
        Row("%load_ext kling_nb", "bare IPython", "≤ 10 ms", f"+ {ours:.1f} ms", at_most(ours, 10.0, 1), data=results)
    ]
    for name in OTHERS:
        if name in missing:
            rows.append(
                left_out("%load_ext kling_nb", f"%load_ext of {name}", "", f"not to be had here: {missing[name]}")
            )
            continue
        theirs = median(results[name])
        rows.append(Row("%load_ext kling_nb", f"%load_ext of {name}", "", f"{ours / theirs:.3f} × ({theirs:.0f} ms)"))
    return rows


FIRST = """
import json, sys, time
from jupyter_client.manager import start_new_kernel
plan = json.loads(sys.argv[1])
manager, client = start_new_kernel(kernel_name="python3", cwd=plan["folder"])
def run(code):
    said = []
    def hear(message):
        if message["msg_type"] in ("stream", "error"):
            said.append(message["content"])
    answer = client.execute_interactive(code, timeout=60, output_hook=hear)
    if answer["content"]["status"] != "ok":
        raise RuntimeError(said)
    return said
run("%load_ext kling_nb")
said = run("import time\\nprint(time.time())\\n%kling -q --background -s " + plan["picture"] + " a cat")
begun = float(said[0]["text"])
time.sleep(1.0)
client.stop_channels()
manager.shutdown_kernel(now=True)
print(json.dumps({"begun": begun}))
"""

PARTS = """
import json, sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "kling_nb")
found, at = {}, time.perf_counter()
def part(name):
    global at
    found[name] = 1000 * (time.perf_counter() - at)
    at = time.perf_counter()
import httpx; part("httpx")
import pydantic; part("pydantic")
import PIL.Image, PIL.JpegImagePlugin; part("Pillow")
import sqlite3; part("sqlite3")
import kling_nb.magics.magic, kling_nb.request.body, kling_nb.session.gateway; part("the package's own modules")
from kling_nb.remote.client import tls_context
tls_context(); part("TLS context")
print(json.dumps(found))
"""


def first(short):
    rounds = 1 if short else 3
    with processes.folder() as folder, processes.Server("sink") as sink:
        picture = processes.small_reference(folder)
        settings = {"KLING_BASE_URL": sink.base_url, "KLING_API_KEY": "anything", "IPYTHONDIR": str(folder / "ipython")}
        found, parts = [], []
        for number in range(rounds if short else rounds + 1):
            place = folder / f"notebook{number}"
            place.mkdir()
            result = processes.python(FIRST, {"folder": str(place), "picture": picture}, cwd=place, **settings)
            found.append(1000 * (sink.report()[0][0] - result["begun"]))
            parts.append(processes.python(PARTS, cwd=place, **settings))
    # The first one compiles what was just installed.
    found, parts = (found, parts) if short else (found[1:], parts[1:])
    whole = median(found)
    shares = {name: median([each[name] for each in parts]) for name in parts[0]}
    where = ", ".join(f"{name} {milliseconds:.0f}" for name, milliseconds in shares.items())
    return [
        Row(
            "first %kling in a cold kernel, to its last byte",
            "–",
            "≤ 400 ms",
            f"{whole:.0f} ms",
            at_most(whole, 400, 0),
            f"imports and set-up in ms: {where}; the rest is checks, references, journal and sending",
            {"ms": found, "parts": parts},
        )
    ]


NINE = """
import json, os, sys, time
from pathlib import Path
from kling_nb import Kling
plan = json.loads(sys.argv[1])
from PIL import Image
from kling_nb.records import ImageRecord, TaskRecord, Reference
from dataclasses import replace
import hashlib
kling = Kling(api_key="anything", workspace=plan["folder"], sandbox=False)
workspace, side = kling.session.workspace, plan["side"]
record = TaskRecord(id="20260101-000000-aaaaa", gateway="sandbox", request={"model_name": "kling-v2-1", "prompt": "noise",
    "n": 9, "aspect_ratio": "1:1", "external_task_id": "x"}, digest="d", references=(), external_task_id="x",
    created_at=time.time(), owner="")
images = []
import io
for index in range(9):
    buffer = io.BytesIO()
    Image.frombytes("RGB", (side, side), os.urandom(3 * side * side)).save(buffer, "PNG", compress_level=1)
    data = buffer.getvalue()
    image = ImageRecord(index, sha256=hashlib.sha256(data).hexdigest(), media_type="image/png", width=side, height=side,
                        size=len(data))
    images.append(workspace.save_image(record, image, data))
now = time.time()
record = replace(record, images=tuple(images), task_status="succeeded", task_id="1", sent_at=now, submitted_at=now,
                 finished_at=now, saved_at=now)
workspace.journal.insert([record])
kling.task(record.id)._repr_mimebundle_()
print(json.dumps({"id": record.id, "files": [str(workspace.folder / image.path) for image in images]}))
"""

SHOW = """
import json, shutil, sys, time
plan = json.loads(sys.argv[1])
files, who = plan["files"], plan["who"]
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from IPython.display import display
shell = InteractiveShell.instance()
shell.display_formatter.active_types = shell.display_formatter.format_types
from PIL import Image
if who in ("kept", "cold"):
    from kling_nb import Kling
    kling = Kling(api_key="anything", workspace=plan["folder"], sandbox=False)
    task = kling.task(plan["id"])
    import kling_nb.display.thumbnails, PIL.JpegImagePlugin, PIL.PngImagePlugin
    if who == "cold":
        shutil.rmtree(plan["folder"] + "/thumbnails")
    def show():
        display(task)
elif who == "pillow":
    def show():
        for path in files:
            display(Image.open(path))
elif who == "matplotlib":
    import matplotlib
    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    from matplotlib_inline.backend_inline import configure_inline_support
    from matplotlib_inline.config import InlineBackend
    from IPython.core.pylabtools import select_figure_formats
    select_figure_formats(shell, {"png"})
    def show():
        figure, axes = plt.subplots(3, 3, figsize=(9, 9))
        for path, ax in zip(files, axes.flat):
            ax.imshow(Image.open(path))
            ax.axis("off")
        display(figure)
elif who == "ipyplot":
    import ipyplot, numpy
    def show():
        ipyplot.plot_images([numpy.asarray(Image.open(path)) for path in files], max_images=9, img_width=256)
elif who == "mediapy":
    import mediapy
    def show():
        mediapy.show_images([mediapy.read_image(path) for path in files], columns=3)
with capture_output() as captured:
    begun = time.perf_counter()
    show()
    seconds = time.perf_counter() - begun
size = sum(len(json.dumps([output.data, output.metadata], default=lambda data: "x" * (4 * len(data) // 3)))
           for output in captured.outputs)
print(json.dumps({"seconds": seconds, "bytes": size}))
"""


def grid(short):
    side, rounds = (512, 1) if short else (2048, 3)
    name = f"grid of nine noisy {side}² results"
    names = {
        "pillow": "display() of nine PIL images",
        "matplotlib": "a matplotlib figure",
        "ipyplot": "ipyplot",
        "mediapy": "mediapy",
    }
    with processes.folder() as folder:
        made = processes.python(NINE, {"folder": str(folder / "runs"), "side": side})
        plan = {**made, "folder": str(folder / "runs")}

        def shown(who):
            return processes.python(SHOW, {**plan, "who": who}, IPYTHONDIR=str(folder / "ipython"), HOME=str(folder))

        contenders = {who: lambda who=who: shown(who) for who in ("cold", "kept")}
        results, missing = figures.interleaved(rounds, contenders), {}
        for who in names:
            try:
                results |= figures.interleaved(1, {who: lambda who=who: shown(who)})
            except processes.Failed as error:
                missing[who] = str(error).splitlines()[-1][:80]
    kept, cold = (median([each["seconds"] for each in results[who]]) for who in ("kept", "cold"))
    size = max(each["bytes"] for who in ("kept", "cold") for each in results[who])
    holds = size <= 400_000 and kept <= 0.05 and cold <= 1.0
    rows = [
        Row(
            name,
            "–",
            "≤ 400 kB; ≤ 50 ms kept, ≤ 1 s cold",
            f"{size / 1000:.0f} kB; {1000 * kept:.0f} ms kept, {cold:.2f} s cold",
            holds,
            data=results,
        )
    ]
    for who, spoken in names.items():
        if who in missing:
            rows.append(left_out(name, spoken, "", f"{spoken} is not to be had here: {missing[who]}"))
            continue
        theirs, bytes_ = results[who][0]["seconds"], results[who][0]["bytes"]
        reached = f"{kept / theirs:.3f} × time ({theirs:.1f} s), {size / bytes_:.4f} × bytes ({bytes_ / 1e6:.1f} MB)"
        rows.append(Row(name, spoken, "", reached))
    return rows


COMPARE = """
import json, sys, time
from kling_nb import Kling
plan = json.loads(sys.argv[1])
def new():
    return Kling(api_key="anything", base_url=plan["base_url"], workspace=plan["folder"], sandbox=False, slots=20)
if plan["make"]:
    with new() as kling:
        prompts = [f"a cat, number {number}" for number in range(plan["prompts"])]
        vary = {"prompt": prompts, "model_name": ["kling-v2", "kling-v2-1"]}
        comparison = kling.compare(subject_images=plan["picture"], n=4, samples=2, vary=vary, name="many")
        comparison.run(yes=True, quiet=True)
        print(json.dumps({"images": len(comparison.images)}))
else:
    kling = new()
    begun = time.perf_counter()
    comparison = kling.comparison("many")
    comparison._repr_mimebundle_()
    shown = time.perf_counter() - begun
    begun = time.perf_counter()
    comparison.save(plan["saved"])
    print(json.dumps({"shown": shown, "saved": time.perf_counter() - begun}))
"""


def comparison(short):
    prompts, rounds = (2, 1) if short else (30, 3)
    with processes.folder() as folder, processes.Server(slots=100_000, seconds=0.0) as server:
        plan = {
            "base_url": server.base_url,
            "folder": str(folder / "runs"),
            "picture": processes.small_reference(folder),
            "prompts": prompts,
        }
        images = processes.python(COMPARE, {**plan, "make": True})["images"]
        results = [
            processes.python(COMPARE, {**plan, "make": False, "saved": str(folder / f"saved{number}")})
            for number in range(rounds)
        ]
    shown, saved = (median([each[what] for each in results]) for what in ("shown", "saved"))
    return [
        Row(
            f"comparison of {images} images: first page; save()",
            "–",
            "≤ 0.5 s; ≤ 20 s",
            f"{shown:.2f} s; {saved:.1f} s",
            at_most(shown, 0.5) and at_most(saved, 20, 1),
            data={"runs": results},
        )
    ]


HISTORY = """
import json, sys, time
from dataclasses import replace
from kling_nb import Kling
from kling_nb.records import ImageRecord, Reference, TaskRecord
plan = json.loads(sys.argv[1])
kling = Kling(api_key="anything", workspace=plan["folder"], sandbox=False)
words = "cat hat beach wave rocket coffee lamp garden river stone".split()
records = []
for number in range(plan["count"]):
    at = 1.75e9 + 60 * number
    prompt = " ".join(words[(number // 10**place) % 10] for place in range(6)) + f", picture {number}"
    request = {"model_name": "kling-v2-1", "prompt": prompt, "subject_image_list": [{"subject_image": "sha256:" + "0" * 64}],
               "n": 1, "external_task_id": f"kling_nb-{number}"}
    image = ImageRecord(0, path=f"images/{number}.png", url=f"https://example.com/{number}.png", sha256=f"{number:064}",
                        media_type="image/png", width=1024, height=1024, size=1_000_000)
    records.append(TaskRecord(id=f"20260101-000000-{number:06}", gateway="https://example.com", request=request,
        digest=f"{number:064}", references=(Reference("subject", "cat", "0" * 64),), external_task_id=f"kling_nb-{number}",
        created_at=at, sent_at=at, submitted_at=at, finished_at=at + 30, saved_at=at + 31, task_id=str(number),
        task_status="succeeded", images=(image,)))
kling.session.workspace.journal.insert(records)
begun = time.perf_counter()
kling.tasks(search=plan["words"])
print(json.dumps({"folded": time.perf_counter() - begun}))
"""

LOOK = """
import json, sys, time
plan = json.loads(sys.argv[1])
def timed(what):
    begun = time.perf_counter()
    found = what()
    return 1000 * (time.perf_counter() - begun), found
import kling_nb.session.session, kling_nb.display, sqlite3, werkzeug
from kling_nb import Kling
kling = Kling(api_key="anything", workspace=plan["folder"], sandbox=False)
opened, _ = timed(lambda: kling.session.workspace.journal)
few, _ = timed(lambda: kling.tasks(limit=20)._repr_mimebundle_())
page, _ = timed(lambda: kling.tasks()._repr_mimebundle_())
search, found = timed(lambda: kling.tasks(search=plan["words"]))
def by_hand():
    connection = sqlite3.connect(plan["folder"] + "/journal.sqlite3")
    return connection
handopened, connection = timed(by_hand)
handpage, _ = timed(lambda: connection.execute("SELECT * FROM tasks ORDER BY created_at DESC LIMIT 20").fetchall())
words = plan["words"].split()
handsearch, _ = timed(lambda: connection.execute(
    "SELECT * FROM tasks WHERE prompt LIKE ? AND prompt LIKE ? ORDER BY created_at DESC LIMIT 20",
    [f"%{word}%" for word in words]).fetchall())
print(json.dumps({"opened": opened, "page": page, "search": search, "few": few, "found": len(found),
                  "hand": [handopened, handpage, handsearch]}))
"""


def history(short):
    count, rounds = (1000, 1) if short else (100_000, 2)
    # Words that one task has, which an index by time does not find early.
    words = f"picture {count // 2}"
    with processes.folder() as folder:
        plan = {"folder": str(folder / "runs"), "count": count, "words": words}
        folded = processes.python(HISTORY, plan)["folded"]
        results = [processes.python(LOOK, plan) for _ in range(rounds)]
    opened, page, search = (median([each[what] for each in results]) for what in ("opened", "page", "search"))
    hand = [median([each["hand"][place] for each in results]) for place in range(3)]
    return [
        Row(
            f"history of {count:,} tasks: open, first page, search",
            "SELECT by hand",
            "≤ 50, 50, 200 ms",
            f"{opened:.0f}, {page:.0f}, {search:.0f} ms",
            opened <= 50 and page <= 50 and search <= 200,
            f"by hand {hand[0]:.0f}, {hand[1]:.0f}, {hand[2]:.0f} ms; the first page of kling.tasks(limit=20) "
            f"{median([each['few'] for each in results]):.0f} ms; the first search after all of it was written at once, which "
            f"folds its text, {folded:.1f} s",
            {"folded": folded, "runs": results},
        )
    ]
