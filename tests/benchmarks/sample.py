"""The specification's sample code in a loop: http.client, one task after the other."""

import base64
import http.client
import json
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

PATH = "/v1/images/multi-image2image"
HEADERS = {"Authorization": "Bearer anything", "Content-Type": "application/json"}


def ask(base_url, method, path, body=""):
    parts = urlsplit(base_url)
    connection = http.client.HTTPConnection(parts.netloc)
    connection.request(method, parts.path + path, body, HEADERS)
    data = connection.getresponse().read()
    connection.close()
    return data


def main():
    plan = json.loads(sys.argv[1])
    folder = Path(plan["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    image = base64.b64encode(Path(plan["reference"]).read_bytes()).decode()
    begun = time.perf_counter()
    for prompt, n in plan["tasks"]:
        body = {"model_name": "kling-v2-1", "prompt": prompt, "subject_image_list": [{"subject_image": image}], "n": n}
        task = json.loads(ask(plan["base_url"], "POST", PATH, json.dumps(body)))["data"]
        while task["task_status"] not in ("succeed", "failed"):
            time.sleep(1)
            task = json.loads(ask(plan["base_url"], "GET", f"{PATH}/{task['task_id']}"))["data"]
        for result in task["task_result"]["images"]:
            (folder / f"{task['task_id']}_{result['index']}.jpg").write_bytes(ask(result["url"], "GET", ""))
    print(json.dumps({"seconds": time.perf_counter() - begun}))


if __name__ == "__main__":
    main()
