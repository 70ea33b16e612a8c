"""Rows about one request on its way out, and one image on its way in."""

import io

from tests.benchmarks import figures, processes
from tests.benchmarks.figures import Row, at_most, median

PEAK = """
def memory(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name)) / 1000
"""

THEIRS = """
import base64, json, sys, time
from pathlib import Path
import httpx
plan = json.loads(sys.argv[1])
pictures = [Path(path).read_bytes() for path in plan["pictures"]]
client_warm = httpx.get(plan["base_url"] + "/v1/images/multi-image2image/1")
resting, begun = memory("VmRSS"), time.time()
images = [base64.b64encode(data).decode() for data in pictures]
body = {"model_name": "kling-v2-1", "prompt": "a cat", "n": 1,
        "subject_image_list": [{"subject_image": image} for image in images]}
httpx.post(plan["base_url"] + "/v1/images/multi-image2image", json=body, timeout=60,
           headers={"Authorization": "Bearer anything"})
print(json.dumps({"begun": begun, "memory": memory("VmHWM") - resting}))
"""

# The request is checked and its task planned, as when its slots are free; the engine's own step from there on.
PREPARED = """
import json, sys, time
from kling_nb import Kling
from kling_nb.key import Secret
plan = json.loads(sys.argv[1])
kling = Kling(api_key="anything", base_url=plan["base_url"], workspace=plan["folder"], sandbox=False)
request = kling.session.request({"prompt": "a cat", "subject_images": plan["pictures"]})
client = kling.session.gateway.client
client.query("1")
resting, begun = memory("VmRSS"), time.time()
client.create(request.stream(), Secret("anything"))
print(json.dumps({"begun": begun, "memory": memory("VmHWM") - resting}))
"""

COLD = """
import json, os, sys, time
from kling_nb import Kling
plan = json.loads(sys.argv[1])
kling = Kling(api_key="anything", base_url=plan["base_url"], workspace=plan["folder"], sandbox=False)
if plan["warm"]:
    import kling_nb.request.body, kling_nb.session.gateway, PIL.JpegImagePlugin
    kling.session.gateway.client.query("1")
resting, begun = memory("VmRSS"), time.time()
task = kling.submit("a cat", subject_images=plan["pictures"])
while task.task_status in ("planned", "sending"):
    time.sleep(0.005)
print(json.dumps({"begun": begun, "memory": memory("VmHWM") - resting}), flush=True)
os._exit(0)
"""


def photograph(path, size, width, height):
    """A JPEG of about so many bytes with the look of a grainy photograph."""
    from PIL import Image

    grain = Image.effect_noise((width, height), 60)
    shades = Image.linear_gradient("L").resize((width, height))
    image = Image.merge("RGB", [Image.blend(grain, shades, 0.5), grain, Image.blend(shades, grain, 0.5)])
    low, high = 1, 95
    while low < high:
        quality = (low + high + 1) // 2
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        low, high = (quality, high) if buffer.tell() <= size else (low, quality - 1)
    image.save(path, "JPEG", quality=low)
    return str(path)


def _sent(code, sink, plan):
    result = processes.python(PEAK + code, plan)
    taken = [each for each in sink.report() if each[1] > 1000]
    return {"seconds": taken[-1][0] - result["begun"], "memory": result["memory"], "bytes": taken[-1][1]}


def request(short):
    count, size, rounds = (4, 500_000, 1) if short else (4, 7_000_000, 5)
    width, height = (1200, 900) if short else (4000, 3000)
    with processes.folder() as folder, processes.Server("sink") as sink:
        pictures = [photograph(folder / "0.jpg", size, width, height)]
        data = (folder / "0.jpg").read_bytes()
        for number in range(1, count):
            # Another picture to every hash, without another minute of noise: a comment at the end of the file.
            path = folder / f"{number}.jpg"
            comment = b"\xff\xfe\x00\x06" + b"%04d" % number
            path.write_bytes(data[:2] + comment + data[2:])
            pictures.append(str(path))
        numbers = iter(range(1000))

        def sent(code):
            plan = {"base_url": sink.base_url, "pictures": pictures, "warm": True}
            return _sent(code, sink, {**plan, "folder": str(folder / f"made{next(numbers)}")})

        results = figures.interleaved(
            rounds,
            {"theirs": lambda: sent(THEIRS), "prepared": lambda: sent(PREPARED), "cold": lambda: sent(COLD)},
        )

    def share(who, what):
        return figures.ratio_of([each[what] for each in results[who]], [each[what] for each in results["theirs"]])

    time, memory, cold = share("prepared", "seconds"), share("prepared", "memory"), share("cold", "seconds")
    milliseconds = {who: 1000 * median([each["seconds"] for each in results[who]]) for who in results}
    megabytes = {who: median([each["memory"] for each in results[who]]) for who in results}
    name, against = f"four JPEGs of {size / 1e6:g} MB", "base64 + json + httpx.post"
    return [
        Row(
            f"{name}: prepared, to the last byte",
            against,
            "≤ 0.5 × time, ≤ 0.5 × memory",
            f"{time:.2f} × ({milliseconds['prepared']:.0f} ms), {memory:.2f} × ({megabytes['prepared']:.0f} MB)",
            at_most(time, 0.5) and at_most(memory, 0.5),
            data={"ms": milliseconds, "MB": megabytes, **results},
        ),
        Row(
            f"{name}: cold submit(), checks and journal included",
            against,
            "≤ 1.5 × time",
            f"{cold:.2f} × ({milliseconds['cold']:.0f} ms)",
            at_most(cold, 1.5),
        ),
    ]


DECODING = """
import json, sys, time
from pathlib import Path
from kling_nb import imagedata
from kling_nb.display import thumbnail
data = Path(json.loads(sys.argv[1])["picture"]).read_bytes()
found = []
for _ in range(7):
    begun = time.perf_counter()
    facts = imagedata.check_decodes(data)
    checked = time.perf_counter()
    thumbnail(data)
    found.append([checked - begun, time.perf_counter() - checked])
print(json.dumps({"found": found, "megapixels": facts.width * facts.height / 1e6}))
"""


def decoding(short):
    with processes.folder() as folder:
        side = 1024 if short else 2048
        picture = photograph(folder / "a.jpg", 0.6 * side * side, side, side)
        result = processes.python(DECODING, {"picture": picture})
    checked, small = (1000 * median(each) / result["megapixels"] for each in zip(*result["found"], strict=True))
    return [
        Row(
            "decoding and thumbnail of a JPEG",
            "–",
            "≤ 25 ms a megapixel",
            f"{checked + small:.1f} ms",
            at_most(checked + small, 25.0, 1),
            f"check {checked:.1f} ms, thumbnail {small:.1f} ms a megapixel",
            result,
        )
    ]
