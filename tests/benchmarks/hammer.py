"""How many requests a second the server answers one bare connection."""

import base64
import http.client
import json
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

PATH = "/v1/images/multi-image2image"
HEADERS = {"Authorization": "Bearer anything", "Content-Type": "application/json"}


def rate(seconds, base_url, requests):
    parts = urlsplit(base_url)
    connection = http.client.HTTPConnection(parts.netloc)
    done, begun, answers = 0, time.perf_counter(), []
    while time.perf_counter() - begun < seconds:
        method, path, body = requests(done)
        connection.request(method, parts.path + path, body, HEADERS)
        answer = connection.getresponse()
        answers.append(answer.read())
        if answer.status != 200:
            raise RuntimeError(f"{path}: HTTP {answer.status}")
        done += 1
    connection.close()
    return done / (time.perf_counter() - begun), answers


def main():
    plan = json.loads(sys.argv[1])
    image = base64.b64encode(Path(plan["reference"]).read_bytes()).decode()

    def create(number):
        body = {
            "model_name": "kling-v2-1",
            "prompt": str(number),
            "n": 1,
            "subject_image_list": [{"subject_image": image}],
        }
        return "POST", PATH, json.dumps(body)

    seconds, base_url = plan["seconds"], plan["base_url"]
    creates, answers = rate(seconds, base_url, create)
    some_id = json.loads(answers[0])["data"]["task_id"]
    queries, answers = rate(seconds, base_url, lambda _: ("GET", f"{PATH}/{some_id}", None))
    lists, _ = rate(seconds, base_url, lambda _: ("GET", f"{PATH}?pageNum=1&pageSize=40", None))
    url = urlsplit(json.loads(answers[0])["data"]["task_result"]["images"][0]["url"])
    images, _ = rate(seconds, f"{url.scheme}://{url.netloc}", lambda _: ("GET", url.path, None))
    print(json.dumps({"creates": creates, "queries": queries, "lists of 40": lists, "images": images}))


if __name__ == "__main__":
    main()
