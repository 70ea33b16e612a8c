"""What an expert would write in an afternoon: asyncio and httpx, a weighted semaphore, each task polled every second."""

import asyncio
import base64
import json
import resource
import sys
import time
from pathlib import Path

import httpx

PATH = "/v1/images/multi-image2image"


class Slots:
    """A semaphore of which a task takes n, first come, first served."""

    def __init__(self, free):
        self.free = free
        self.waiting = []

    async def take(self, n):
        if not self.waiting and n <= self.free:
            self.free -= n
            return
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append((n, turn))
        await turn

    def give(self, n):
        self.free += n
        while self.waiting and self.waiting[0][0] <= self.free:
            n, turn = self.waiting.pop(0)
            self.free -= n
            turn.set_result(None)


async def make(client, slots, image, folder, prompt, n, noticed):
    await slots.take(n)
    try:
        body = {"model_name": "kling-v2-1", "prompt": prompt, "subject_image_list": [{"subject_image": image}], "n": n}
        wait = 1.0
        while True:
            answer = await client.post(PATH, json=body)
            if answer.status_code != 429:
                break
            await asyncio.sleep(wait)
            wait = min(30.0, 2 * wait)
        answer.raise_for_status()
        task_id = answer.json()["data"]["task_id"]
        while True:
            await asyncio.sleep(1.0)
            data = (await client.get(f"{PATH}/{task_id}")).raise_for_status().json()["data"]
            if data["task_status"] in ("succeed", "failed"):
                break
        noticed[prompt] = time.time()
    finally:
        slots.give(n)
    for result in data["task_result"]["images"]:
        picture = (await client.get(result["url"], headers={"Authorization": ""})).raise_for_status()
        (folder / f"{task_id}_{result['index']}.jpg").write_bytes(picture.content)


async def run(plan):
    folder = Path(plan["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    image = base64.b64encode(Path(plan["reference"]).read_bytes()).decode()
    slots, noticed = Slots(plan["slots"]), {}
    headers = {"Authorization": "Bearer anything"}
    async with httpx.AsyncClient(base_url=plan["base_url"], headers=headers, timeout=60) as client:
        used, begun = processor_seconds(), time.perf_counter()
        await asyncio.gather(*(make(client, slots, image, folder, prompt, n, noticed) for prompt, n in plan["tasks"]))
        return {
            "seconds": time.perf_counter() - begun,
            "processor": processor_seconds() - used,
            "noticed": noticed,
        }


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(json.loads(sys.argv[1])))))
