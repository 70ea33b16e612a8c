"""Fixtures: a sandbox on a clock of the test's own, and a plain client that speaks through sockets."""

import base64
import contextlib
import io

import httpx
import pytest
from PIL import Image, ImageDraw

from kling_nb.sandbox import Sandbox

PATH = "/v1/images/multi-image2image"


def picture(width=320, height=320, kind="JPEG", hue=30):
    """Bytes of a small photograph-like picture."""
    ramp = Image.linear_gradient("L").resize((width, height))
    layers = [Image.new("L", ramp.size, hue), Image.new("L", ramp.size, 160), ramp]
    image = Image.merge("HSV", layers).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.ellipse((width * 0.3, height * 0.25, width * 0.7, height * 0.75), (240, 220, 90))
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def encoded(data):
    return base64.b64encode(data).decode()


class Clock:
    """Time that passes when told to, in seconds since the epoch."""

    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += seconds


class Caller:
    """A plain client: it knows the protocol's paths and nothing else."""

    def __init__(self, sandbox, photo, token="any-token"):
        self.url = sandbox.base_url + PATH
        self.photo = photo
        # Only http is spoken; `verify=False` spares the loading of certificates, which takes longer
        # than most of these tests.
        options = {"timeout": 20, "verify": False}
        self.http = httpx.Client(headers={"Authorization": f"Bearer {token}"}, **options)
        self.downloads = httpx.Client(**options)

    def body(self, **changes):
        body = {
            "model_name": "kling-v2",
            "prompt": "a cat",
            "n": 1,
            "subject_image_list": [{"subject_image": self.photo}],
        }
        return {name: value for name, value in (body | changes).items() if value is not ...}

    def post(self, **changes):
        return self.http.post(self.url, json=self.body(**changes))

    def create(self, **changes):
        answer = self.post(**changes)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def get(self, name):
        return self.http.get(f"{self.url}/{name}")

    def query(self, name):
        answer = self.get(name)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def list(self, **arguments):
        return self.http.get(self.url, params=arguments)

    def images(self, name):
        return self.query(name)["task_result"]["images"]

    def download(self, url):
        return self.downloads.get(url)

    def close(self):
        self.http.close()
        self.downloads.close()


@pytest.fixture(scope="session")
def photo():
    """A valid reference as bare base64."""
    return encoded(picture())


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def start(tmp_path):
    """Start a sandbox on the test's folder; all are stopped at the end."""
    with contextlib.ExitStack() as stack:

        def started(folder=tmp_path, **options):
            return stack.enter_context(Sandbox(folder, **options))

        yield started


@pytest.fixture
def connect(photo):
    """Make a client of a sandbox; all are closed at the end."""
    callers = []

    def connected(sandbox, **options):
        callers.append(Caller(sandbox, photo, **options))
        return callers[-1]

    yield connected
    for caller in callers:
        caller.close()


@pytest.fixture
def sandbox(start, clock):
    """A sandbox whose tasks take two seconds of the test's clock, with constant images."""
    return start(clock=clock, images="constant")


@pytest.fixture
def caller(sandbox, connect):
    return connect(sandbox)


@pytest.fixture(scope="session")
def roomy(tmp_path_factory):
    """A sandbox shared by the tests that only look at answers: room for everything, no waiting."""
    folder = tmp_path_factory.mktemp("roomy")
    with Sandbox(folder, images="constant", slots=1_000_000, seconds=0) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def anyone(roomy, photo):
    """A client of the shared sandbox."""
    caller = Caller(roomy, photo)
    yield caller
    caller.close()
