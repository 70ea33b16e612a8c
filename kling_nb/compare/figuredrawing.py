"""Drawing a figure with matplotlib, without its global state, and turning it into a file."""

import contextlib
import functools
import io
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from kling_nb.compare import fonts
from kling_nb.compare.figurecontent import Item
from kling_nb.compare.figurefiles import jpeg, smaller_pdf, smaller_svg
from kling_nb.compare.figureparts import Box, Layout, Words, boxed, contained
from kling_nb.display import shrink, thumbnails
from kling_nb.errors import ConfigurationError, KlingError
from kling_nb.imagedata import NotAnImage
from kling_nb.workspace.workspace import Workspace

if TYPE_CHECKING:
    from PIL import Image

_SHOWN_PIXELS, _SHOWN_BYTES = 1400, 400_000
"""What a figure adds to a notebook at most; a file has all of it."""
_PRINT = {"pdf.fonttype": 42, "pdf.compression": 0, "svg.fonttype": "none", "svg.hashsalt": "kling_nb"}
_NOT_STYLE = ("backend", "backend_fallback", "interactive", "toolbar", "timezone")


@contextlib.contextmanager
def own_style(**more: Any) -> Iterator[None]:
    """Have matplotlib's defaults and what print needs, whatever style the notebook has set; and give that back."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise ConfigurationError(
            "figure() needs matplotlib, which is not installed.",
            money="",
            advice='Run `%pip install "kling_nb[compare]"`.',
        ) from None
    defaults = {name: value for name, value in mpl.rcParamsDefault.items() if name not in _NOT_STYLE}
    style: Any = {**defaults, **_PRINT, **more}
    with mpl.rc_context(style):
        yield


def shapes() -> bool:
    """Tell whether matplotlib lays out scripts whose letters join or that go leftwards; from 3.11 on it does."""
    from matplotlib import ft2font

    return hasattr(ft2font, "__libraqm_version__")


def measure(families: Sequence[str], dpi: float, *, bold: bool = False) -> Callable[[str, float], float]:
    """Return what measures a line of text: its width in pixels, at a size in pixels."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    renderer = cast("Any", RendererAgg)(1, 1, dpi)
    joins = shapes()

    @functools.lru_cache(maxsize=20_000)
    def width(text: str, size: float) -> float:
        clean = fonts.without_controls(text, shaping=joins)
        properties = FontProperties(family=list(families), weight="bold" if bold else "normal", size=size * 72 / dpi)
        return float(renderer.get_text_width_height_descent(clean, properties, ismath=False)[0]) if clean else 0.0

    return width


class Drawing:
    """Puts a layout on a matplotlib figure."""

    def __init__(
        self, layout: Layout, dpi: float, families: Sequence[str], workspace: Workspace, *, enlarge: bool
    ) -> None:
        self._layout = layout
        self._dpi = dpi
        self._families = list(families)
        self._workspace = workspace
        self._enlarge = enlarge
        self._joins = shapes()
        self._measure = measure(families, dpi)

    def figure(self) -> Any:
        """Return the figure."""
        from matplotlib.lines import Line2D

        layout = self._layout
        figure = _figure_class()(dpi=self._dpi)
        # Outlines that are PostScript's go in as drawings of letters, which are still text to search and to copy.
        postscript = any(fonts.is_postscript(family) for family in self._families)
        figure.pdf_style = {"pdf.fonttype": 3 if postscript else 42}
        figure.set_size_inches(_inches(layout.width, self._dpi), _inches(layout.height, self._dpi))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        axes.set_xlim(0, layout.width)
        axes.set_ylim(layout.height, 0)
        for rule in layout.rules:
            axes.add_artist(
                Line2D([rule.x0, rule.x1], [rule.y0, rule.y1], color=rule.colour, linewidth=rule.weight, clip_on=False)
            )
        for box, item in layout.pictures:
            self._picture(axes, box, item)
        for words in layout.words:
            self._words(axes, words)
        return figure

    def _picture(self, axes: Any, box: Box, item: Item) -> None:
        import numpy as np
        from matplotlib.image import AxesImage
        from PIL import Image

        image, problem = self._pixels(item)
        if image is None:
            self._outline(axes, box, problem)
            return
        wide, high = _inside(image.width / image.height, box)
        if self._enlarge or wide < image.width or high < image.height:
            image = image.resize((wide, high), Image.Resampling.LANCZOS)
        left, top = box.x + (box.width - wide) // 2, box.y + (box.height - high) // 2
        artist = AxesImage(
            axes, extent=(left, left + wide, top + high, top), origin="upper", interpolation="none", clip_on=False
        )
        artist.set_data(np.asarray(image))
        axes.add_artist(artist)

    def _pixels(self, item: Item) -> tuple["Image.Image | None", str]:
        """Return a picture, or None and why there is none."""
        try:
            if item.image is not None:
                data = self._workspace.read_image(item.image)
            elif item.reference is not None and item.reference.url is None:
                data = self._workspace.read_reference(item.reference)
            else:
                return None, "URL" if item.reference is not None else item.words
            return thumbnails.decode(data, 100_000), ""
        except (KlingError, NotAnImage, OSError):
            # One that someone deleted since is said to be missing; all others are there.
            return None, "file missing"

    def _outline(self, axes: Any, box: Box, words: str) -> None:
        from matplotlib.patches import Rectangle

        half = 0.3 * self._dpi / 72
        axes.add_artist(
            Rectangle(
                (box.x + half, box.y + half),
                box.width - 2 * half,
                box.height - 2 * half,
                fill=False,
                edgecolor="#777777",
                linewidth=0.6,
                linestyle=(0, (3, 2)),
                clip_on=False,
            )
        )
        self._words(axes, boxed(words, box, self._dpi, self._measure))

    def _words(self, axes: Any, words: Words) -> None:
        pixels = words.size * self._dpi / 72
        step = words.box.height / max(1, len(words.lines))
        x = words.box.x + (words.box.width / 2 if words.align == "center" else 0)
        for number, line in enumerate(words.lines):
            # The baseline, from the upper edge of a line: the same for all fonts, so that lines stand evenly.
            y = words.box.y + number * step + (step - pixels) / 2 + 0.82 * pixels
            axes.text(
                x,
                y,
                fonts.without_controls(line, shaping=self._joins),
                family=self._families,
                size=words.size,
                weight="bold" if words.bold else "normal",
                color=words.colour,
                ha=words.align,
                va="baseline",
                parse_math=False,
                clip_on=False,
            )


def _inches(pixels: int, dpi: float) -> float:
    """Return a length that comes to so many pixels also where it is multiplied and cut off."""
    inches = pixels / dpi
    while int(inches * dpi) < pixels:
        inches = math.nextafter(inches, math.inf)
    return inches


def _inside(aspect: float, box: Box) -> tuple[int, int]:
    """Return the size in a box of a picture that may turn out to have another shape than it was said to have."""
    if abs(box.height * aspect - box.width) < 1.5 or abs(box.width / aspect - box.height) < 1.5:
        return round(box.width), round(box.height)
    return contained(aspect, box.width, box.height)


@functools.cache
def _figure_class() -> Any:
    """Return matplotlib's figure with manners: small in a notebook, and saved in the style that it was made in."""
    from matplotlib.figure import Figure

    class ComparisonFigure(Figure):
        """A figure of a comparison; ``savefig`` writes it as it was laid out, whatever style the notebook has."""

        pdf_style: ClassVar[dict[str, Any]] = {}

        def savefig(self, *args: Any, **kwargs: Any) -> None:
            with own_style(**{"pdf.compression": 6}, **self.pdf_style):
                super().savefig(*args, **kwargs)

        def _ipython_display_(self) -> None:
            # The backend of notebooks would put in all its pixels, losslessly: megabytes.
            from IPython.display import display

            buffer = io.BytesIO()
            self.savefig(buffer, format="png")
            small = shrink(buffer.getvalue(), _SHOWN_PIXELS, _SHOWN_BYTES)
            wide = min(_SHOWN_PIXELS, round(self.get_figwidth() * 96))
            data = {"image/jpeg": small, "text/plain": repr(self)}
            cast("Any", display)(data, metadata={"image/jpeg": {"width": wide}}, raw=True)

    return ComparisonFigure


def encoded(figure: Any, suffix: str, title: str) -> bytes:
    """Return a figure as a file: the same bytes for the same figure.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Of `Drawing`, within `own_style`.
    suffix : str
        ``.pdf``, ``.svg``, ``.png``, ``.jpg`` or ``.jpeg``.
    title : str
        For its metadata.
    """
    from matplotlib.figure import Figure
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    buffer = io.BytesIO()
    if suffix == ".pdf":
        about = {"Title": title, "Creator": "kling_nb", "CreationDate": None}
        with own_style(**figure.pdf_style):
            Figure.savefig(figure, buffer, format="pdf", metadata=about)
        return smaller_pdf(buffer.getvalue())
    if suffix == ".svg":
        Figure.savefig(figure, buffer, format="svg", metadata={"Title": title, "Creator": "kling_nb", "Date": None})
        return smaller_svg(buffer.getvalue())
    Figure.savefig(figure, buffer, format="raw")
    pixels = figure.canvas.get_width_height()
    image = Image.frombytes("RGBA", pixels, buffer.getvalue()).convert("RGB")
    dpi = (figure.dpi, figure.dpi)
    if suffix != ".png":
        return jpeg(image, dpi=dpi, comment=title.encode())
    facts = PngInfo()
    for name, text in (("Title", title), ("Software", "kling_nb")):
        facts.add_text(name, text)
    out = io.BytesIO()
    image.save(out, "PNG", dpi=dpi, pnginfo=facts)
    return out.getvalue()
