"""The images of a task: as served, as copies, and as references of the next."""

import hashlib
import io
import json
import os
from pathlib import Path

import pytest
from PIL import Image

from kling_nb import (
    GeneratedImage,
    ImageList,
    InvalidRequest,
    WorkspaceError,
)


def test_the_list_of_images(kling, cat):
    images = kling.generate("a cat", subject_images=cat, n=3).images
    assert isinstance(images, ImageList)
    assert isinstance(images[1:], ImageList)
    assert isinstance(images[-1], GeneratedImage)
    assert [image.index for image in images[::-1]] == [2, 1, 0]
    assert repr(images).count("<GeneratedImage") == 3
    assert f"<GeneratedImage 1 of 3, 512 × 512 px: {images[0].path.relative_to(Path.cwd())}>" in repr(images)
    assert repr(images[:0]) == "[]"
    image = images[0]
    assert image.image.size == (image.width, image.height) == (512, 512)
    assert image.media_type == "image/jpeg"
    assert image.url.startswith("http://127.0.0.1:")
    assert image.watermark_url is None or image.watermark_url.startswith("http")
    data, _ = images._repr_mimebundle_()
    assert "text/html" in data
    assert image._repr_mimebundle_()[0]["text/html"].count("<img") == 1
    assert images[:0]._repr_mimebundle_() == ({"text/plain": "[]"}, {})


def test_save_writes_a_copy_that_says_how_it_was_made(kling, cat):
    image = kling.generate("a cat", subject_images=cat).images[0]
    before = image.bytes
    target = image.save("copies/new.jpg")
    assert target == Path("copies/new.jpg")
    copy = Image.open(io.BytesIO(target.read_bytes()))
    assert copy.tobytes() == image.image.tobytes()
    assert json.loads(copy.info["comment"]) == image.metadata
    assert b"trainedAlgorithmicMedia" in target.read_bytes()
    png = Image.open(image.save("copies/new.png"))
    assert json.loads(png.text["kling_nb"]) == image.metadata
    assert png.convert("RGB").tobytes() == image.image.tobytes()
    assert image.save("plain.jpg", metadata=False).read_bytes() == before
    assert image.bytes == before


def test_save_does_not_write_over_a_file_unless_told(kling, cat):
    image = kling.generate("a cat", subject_images=cat).images[0]
    Path("mine.png").write_bytes(b"mine")
    with pytest.raises(InvalidRequest, match=r"mine\.png exists") as caught:
        image.save("mine.png")
    assert "overwrite=True" in caught.value.advice
    assert Path("mine.png").read_bytes() == b"mine"
    image.save("mine.png", overwrite=True)
    assert Path("mine.png").read_bytes() != b"mine"


def test_the_original_is_never_written_over(kling, cat):
    images = kling.generate("a cat", subject_images=cat, n=2).images
    before = [image.bytes for image in images]
    for attempt in (
        lambda: images[0].save(images[0].path, overwrite=True),
        lambda: images.save(images[0].path.parent, overwrite=True),
        lambda: images[0].save(os.path.relpath(images[0].path), overwrite=True),
        lambda: images[0].save(images[0].path),
    ):
        with pytest.raises(InvalidRequest):
            attempt()
    assert [image.bytes for image in images] == before


def test_a_folder_keeps_the_name(kling, cat):
    images = kling.generate("a cat", subject_images=cat, n=2).images
    Path("folder").mkdir()
    assert images[0].save("folder") == Path("folder") / images[0].path.name
    paths = images.save("~/made/for me") if os.environ.get("HOME") == str(Path.cwd()) else images.save("made/for me")
    assert [path.name for path in paths] == [image.path.name for image in images]
    assert all(path.is_file() for path in paths)
    with pytest.raises(InvalidRequest, match="exists"):
        images.save("made/for me")


@pytest.mark.parametrize("name", ["copy.gif", "copy", "copy.tiff"])
def test_a_bad_ending_leaves_nothing(kling, cat, name):
    image = kling.generate("a cat", subject_images=cat).images[0]
    with pytest.raises(InvalidRequest, match="A copy cannot be saved as"):
        image.save(f"new folder/{name}")
    assert not Path("new folder").exists()


def test_where_it_cannot_be_written_is_a_workspace_error(kling, cat):
    image = kling.generate("a cat", subject_images=cat).images[0]
    Path("file").write_text("")
    with pytest.raises(WorkspaceError):
        image.save("file/copy.png")


def test_images_and_tasks_are_references_of_the_next(kling, cat):
    first = kling.generate("a cat", subject_images=cat, n=2)
    second = kling.generate(
        "b", subject_images=first.images[1], style_image=first.images[:1], scene_image=first.images[0]
    )
    subject, scene, style = second.references
    assert subject.sha256 == first.images[1].sha256
    assert scene.sha256 == style.sha256 == first.images[0].sha256
    assert subject.origin == f"{first.id} image 2"
    assert subject.name == first.images[1].path.name
    whole = kling.generate("c", subject_images=first)
    assert [reference.sha256 for reference in whole.references] == [image.sha256 for image in first.images]
    assert kling.generate("d", subject_images=[first.images, cat]).n == 1
    assert whole.images[0].metadata["references"][1]["origin"] == f"{first.id} image 2"


def test_a_task_without_images_is_no_reference(kling, sandbox, cat):
    sandbox.hold()
    task = kling.submit("a cat", subject_images=cat)
    with pytest.raises(InvalidRequest, match=f"Task {task.id} has no images yet") as caught:
        kling.submit("b", subject_images=task)
    assert "%kling wait" in str(caught.value)


def test_an_image_file_that_was_deleted_says_so(kling, cat):
    task = kling.generate("a cat", subject_images=cat)
    image = task.images[0]
    image.path.unlink()
    for use in (
        lambda: image.bytes,
        lambda: image.image,
        lambda: image.save("x.png"),
        lambda: kling.dry_run("b", subject_images=image),
    ):
        with pytest.raises(WorkspaceError, match="is not there any more") as caught:
            use()
        assert str(image.path) in caught.value.message
        assert image.url in caught.value.advice
    assert task.bundle()


def test_thumbnails_are_made_again(kling, cat):
    import shutil

    task = kling.generate("a cat", subject_images=cat)
    folder = Path("kling_runs/sandbox/thumbnails")
    before = task.bundle()
    names = {path.name for path in folder.iterdir()}
    assert names >= {f"{task.images[0].sha256}.jpg", f"{hashlib.sha256(cat).hexdigest()}_96.jpg"}
    [sheet] = [name for name in names if name.endswith("_sheet.jpg")]
    shutil.rmtree(folder)
    assert task.bundle() == before
    assert {path.name for path in folder.iterdir()} == {*names, sheet}
    shutil.rmtree(folder)
    task.images[0].path.unlink()
    shutil.rmtree("kling_runs/sandbox/references")
    assert task.bundle()[0]["text/html"]
