"""A generated image, and a list of them."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kling_nb.display import images_bundle
from kling_nb.records import ImageRecord, TaskRecord
from kling_nb.session.places import shown
from kling_nb.session.views import view_of
from kling_nb.workspace import embedding, files, sidecar
from kling_nb.workspace.workspace import Workspace

if TYPE_CHECKING:
    from PIL import Image


class GeneratedImage:
    """One image that a task made, as it was served and saved.

    It can be a reference of the next request. In a notebook it shows itself.

    Parameters
    ----------
    record : TaskRecord
        The task.
    image : ImageRecord
        Which of its images; saved.
    workspace : Workspace
        Where it is saved.
    """

    def __init__(self, record: TaskRecord, image: ImageRecord, workspace: Workspace) -> None:
        self._record = record
        self._image = image
        self._workspace = workspace

    def __repr__(self) -> str:
        size = f"{self.width} × {self.height} px"
        return f"<GeneratedImage {self.index + 1} of {self._record.n}, {size}: {shown(self.path)}>"

    @property
    def index(self) -> int:
        """Its place within the task, from 0, as the API counts."""
        return self._image.index

    @property
    def path(self) -> Path:
        """The file, bit for bit as served."""
        return self._workspace.folder / (self._image.path or "")

    @property
    def bytes(self) -> bytes:
        """The file's content."""
        return self._workspace.read_image(self._image)

    @property
    def image(self) -> "Image.Image":
        """A decoded `PIL.Image.Image`."""
        from kling_nb.imagedata import open_image

        image = open_image(self.bytes)
        image.load()
        return image

    @property
    def width(self) -> int:
        """Pixels."""
        return self._image.width or 0

    @property
    def height(self) -> int:
        """Pixels."""
        return self._image.height or 0

    @property
    def sha256(self) -> str:
        """Hexadecimal hash of the file."""
        return self._image.sha256 or ""

    @property
    def media_type(self) -> str:
        """By content, for example ``image/png``."""
        return self._image.media_type or ""

    @property
    def url(self) -> str | None:
        """Where the gateway served it; dies after days."""
        return self._image.url

    @property
    def watermark_url(self) -> str | None:
        """Where the gateway serves the watermarked copy, if one was asked for."""
        return self._image.watermark_url

    @property
    def metadata(self) -> dict[str, Any]:
        """Everything needed to say how it was made: the same as in the JSON beside the file."""
        return sidecar.describe(self._record, self._image)

    def save(self, path: str | Path, *, metadata: bool = True, overwrite: bool = False) -> Path:
        """Save a copy that says how it was made.

        The copy carries XMP with the IPTC fields for generated images (``DigitalSourceType``
        trainedAlgorithmicMedia, and the prompt and system fields of IPTC Photo Metadata 2025.1), and
        `metadata` as JSON. The original at `path` stays as served, with any content credentials.

        Parameters
        ----------
        path : str or Path
            The name's ending chooses the format: ``.png``, ``.jpg`` or ``.webp``; the pixels are
            encoded again only when it differs from the original's. A folder keeps the name.
        metadata : bool
            False copies the pixels without saying anything.
        overwrite : bool
            Whether an existing file may be replaced.

        Returns
        -------
        Path
            The copy.

        Raises
        ------
        InvalidRequest
            The format is not one of the three, or the file exists, or it is the original.
        WorkspaceError
            It cannot be written.
        """
        from kling_nb.errors import InvalidRequest

        target = Path(path).expanduser()
        if target.is_dir():
            target /= self.path.name
        exists = InvalidRequest(f"{target} exists.", money="", advice="Choose another name, or overwrite=True.")
        if target.exists():
            if not overwrite:
                raise exists
            if self.path.exists() and target.samefile(self.path):
                raise InvalidRequest(f"{target} is the original.", money="", advice="Choose another name.")
        data = embedding.in_format(self.bytes, self.media_type, target.suffix)
        if metadata:
            data = embedding.embed(data, self.metadata)
        files.make_folder(target.absolute().parent)
        if overwrite:
            files.write(target.absolute(), data)
        elif not files.write_new(target.absolute(), data):
            raise exists
        return target

    def __kling_reference__(self) -> Any:
        from kling_nb.request import NamedSource

        return NamedSource(self.bytes, name=self.path.name, origin=f"{self._record.id} image {self.index + 1}")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:  # noqa: ARG002 - IPython's signature
        return ImageList([self])._repr_mimebundle_()


class ImageList(list[GeneratedImage]):
    """Generated images, shown side by side."""

    def __repr__(self) -> str:
        return "[" + ",\n ".join(map(repr, self)) + "]"

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        return ImageList(found) if isinstance(key, slice) else found

    def save(self, folder: str | Path, *, metadata: bool = True, overwrite: bool = False) -> list[Path]:
        """Save a copy of each into a folder, which is made; see `GeneratedImage.save`.

        Parameters
        ----------
        folder : str or Path
            Where.
        metadata, overwrite : bool
            As for one image.

        Returns
        -------
        list of Path
            The copies.
        """
        files.make_folder(Path(folder).expanduser().absolute())
        return [image.save(folder, metadata=metadata, overwrite=overwrite) for image in self]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:  # noqa: ARG002 - IPython's signature
        if not self:
            return {"text/plain": repr(self)}, {}
        views = [(view_of(image._record, image._workspace, only={image.index}), image.index) for image in self]
        return images_bundle(views)


def images_of(record: TaskRecord, workspace: Workspace) -> ImageList:
    """Return the saved images of a task."""
    return ImageList(GeneratedImage(record, image, workspace) for image in _saved(record.images))


def _saved(images: Iterable[ImageRecord]) -> Iterable[ImageRecord]:
    return (image for image in images if image.path is not None)
