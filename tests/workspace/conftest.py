"""Records and pictures made on the spot, and workspaces that are closed when their test is over."""

import io
import os
from dataclasses import replace

import pytest
from PIL import Image

from kling_nb.records import ImageRecord, Reference, TaskRecord
from kling_nb.workspace import owners
from kling_nb.workspace.journal import Journal
from kling_nb.workspace.workspace import Workspace

GATEWAY = "https://gateway.example/kling"


def make_record(number=1, **changes):
    """A task as it is planned; the number tells it from others."""
    request = {
        "model_name": "kling-v2-1",
        "prompt": "a cat wearing the hat",
        "subject_image_list": [{"subject_image": "sha256:" + "ab" * 32}],
        "n": 2,
    }
    request.update(changes.pop("request", {}))
    plain = TaskRecord(
        id=f"20261122-143005-{number:05d}",
        gateway=GATEWAY,
        request=request,
        digest=f"{number:064x}",
        references=(Reference("subject", "cat", "ab" * 32, media_type="image/png", width=300, height=300, size=9),),
        external_task_id=f"kling_nb-external-{number}",
        created_at=1_795_357_805.0 + number,
    )
    return replace(plain, **changes)


def make_image(index=0, data=b"picture", media_type="image/png"):
    """An image as it was fetched, before it is saved."""
    import hashlib

    return ImageRecord(
        index,
        url=f"https://images.example/{index}.png?signature=secret",
        sha256=hashlib.sha256(data).hexdigest(),
        media_type=media_type,
        width=8,
        height=6,
        size=len(data),
    )


def encode(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(width=64, height=48, mode="RGB", seed=1):
    """Pixels that tell whether they were moved or changed."""
    import random

    bands = len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, (width, height), random.Random(seed).randbytes(width * height * bands))


@pytest.fixture(scope="session")
def record():
    return make_record


@pytest.fixture(scope="session")
def fetched():
    return make_image


@pytest.fixture(scope="session")
def encoded():
    return encode


@pytest.fixture(scope="session")
def pixels():
    return noise


@pytest.fixture(scope="session")
def neighbour():
    """The name of another process of this machine, which lives as long as this one."""
    parent = os.getppid()
    return "|".join((*owners._machine(), str(parent), owners._started(parent)))


@pytest.fixture
def journal(tmp_path):
    opened = Journal(tmp_path / "journal.sqlite3")
    yield opened
    opened.close()


@pytest.fixture
def workspace(tmp_path):
    made = Workspace(tmp_path / "kling_runs")
    yield made
    made.close()
