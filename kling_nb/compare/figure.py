"""A comparison as a figure for a paper: drawn with matplotlib, without its global state."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kling_nb.compare import fonts
from kling_nb.compare.figurecontent import Content, content
from kling_nb.compare.figuredrawing import Drawing, encoded, measure, own_style, shapes
from kling_nb.compare.figurelayout import Composer
from kling_nb.compare.figureparts import Layout
from kling_nb.errors import InvalidRequest
from kling_nb.request.problems import shown
from kling_nb.workspace import files
from kling_nb.workspace.workspace import Workspace

if TYPE_CHECKING:
    from kling_nb.compare.arrange import Table

FORMATS = (".pdf", ".svg", ".png", ".jpg", ".jpeg")
_VECTOR = (".pdf", ".svg")
_WIDTHS, _HEIGHTS, _DPIS = (1.0, 40.0), (1.0, 200.0), (30, 2400)
_MOST_PIXELS = 200_000_000
_LEAST_IMAGE = 8.0
"""Points; what is smaller cannot be seen, and the figure is to be arranged in another way."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a figure is to be; checked when it is made.

    Parameters
    ----------
    path : Path or None
        The file, or None for a matplotlib figure.
    width, height : float
        Inches; the height is what it should not exceed.
    dpi : float
        Pixels an inch.
    images : {"first", "all"} or int
        Which of each cell.
    references : bool
        Whether to show them.
    labels : mapping of str to str
        What is to be written for what.
    overwrite : bool
        Whether an existing file may be replaced.
    """

    path: Path | None
    width: float
    height: float
    dpi: float
    images: Any
    references: bool
    labels: Mapping[str, str]
    overwrite: bool


def options(
    path: Any, *, width: Any, height: Any, dpi: Any, images: Any, references: Any, labels: Any, overwrite: Any
) -> Options:
    """Check what the user asks for.

    Raises
    ------
    InvalidRequest
        With the first thing that is wrong.
    """
    for name, value, (least, most) in (("width", width, _WIDTHS), ("height", height, _HEIGHTS), ("dpi", dpi, _DPIS)):
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not number or not least <= value <= most:
            unit = "pixels an inch" if name == "dpi" else "inches"
            raise InvalidRequest(f"{name} is {shown(value)}; it can be {least:g} to {most:g} {unit}.", money="")
    for name, value in (("references", references), ("overwrite", overwrite)):
        if not isinstance(value, bool):
            raise InvalidRequest(f"{name} is {shown(value)}; it can be True or False.", money="")
    named = {} if labels is None else labels
    if not isinstance(named, Mapping) or not all(isinstance(each, str) for pair in named.items() for each in pair):
        raise InvalidRequest(f'labels is {shown(labels)}; it can be {{"a label": "what is written"}}.', money="")
    target = None if path is None else _target(path, overwrite=overwrite)
    return Options(target, float(width), float(height), float(dpi), images, references, dict(named), overwrite)


def _target(path: Any, *, overwrite: bool) -> Path:
    if not isinstance(path, str | Path) or not str(path).strip():
        raise InvalidRequest(f'path is {shown(path)}; it can be a file such as "figure.pdf".', money="")
    target = Path(path).expanduser().absolute()
    if target.suffix.lower() not in FORMATS:
        known = ", ".join(FORMATS[:-1])
        raise InvalidRequest(f"{path} does not end in a format that a figure can have: {known}.", money="")
    if target.is_dir():
        raise InvalidRequest(f"{path} is a folder.", money="", advice="Choose the name of a file.")
    if target.exists() and not overwrite:
        raise InvalidRequest(f"{path} exists.", money="", advice="Choose another name, or overwrite=True.")
    return target


def draw(table: "Table", workspace: Workspace, wanted: Options, *, title: str, sandbox: bool) -> Any:
    """Make a figure, and write it where it is to be written.

    Parameters
    ----------
    table : Table
        The comparison in rows and columns.
    workspace : Workspace
        Where its pictures are.
    wanted : Options
        As checked.
    title : str
        For the file's metadata.
    sandbox : bool
        Whether it must say so.

    Returns
    -------
    matplotlib.figure.Figure or Path
        The file, where one is wanted.

    Raises
    ------
    InvalidRequest
        It does not fit into its width, or is larger than can be.
    ConfigurationError
        matplotlib is not installed, or no font has what is to be written.
    WorkspaceError
        It cannot be written.
    """
    found = content(table, images=wanted.images, references=wanted.references, sandbox=sandbox, labels=wanted.labels)
    with own_style():
        families = _families(found, wanted.labels)
        layout = _laid_out(found, wanted, families)
        suffix = wanted.path.suffix.lower() if wanted.path is not None else ""
        figure = Drawing(layout, wanted.dpi, families, workspace, enlarge=suffix not in _VECTOR).figure()
        if wanted.path is None:
            return figure
        data = encoded(figure, suffix, title)
    return _written(wanted.path, data, overwrite=wanted.overwrite)


def _written(path: Path, data: bytes, *, overwrite: bool) -> Path:
    files.make_folder(path.parent)
    if overwrite:
        files.write(path, data)
    elif not files.write_new(path, data):
        raise InvalidRequest(f"{path} exists.", money="", advice="Choose another name, or overwrite=True.")
    return path


def _families(found: Content, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Choose fonts that have all that is written."""
    import matplotlib as mpl

    texts = found.texts()
    if not shapes():
        given = {" ".join(text.split()) for text in labels.values()}
        wrong = fonts.unshaped(text for text in texts if text not in given)
        if wrong:
            raise fonts.cannot_shape(wrong, mpl.__version__)
    characters = fonts.needed([*texts, "…–"])
    families, has = fonts.installed()
    choice = fonts.choose(characters, families, has)
    if choice.missing:
        raise fonts.lacking(choice.missing, fonts.unnoticed(choice.missing))
    return choice.families


def _laid_out(found: Content, wanted: Options, families: tuple[str, ...]) -> Layout:
    width = round(wanted.width * wanted.dpi)
    composer = Composer(
        found,
        width,
        wanted.dpi,
        wanted.height * wanted.dpi,
        *(measure(families, wanted.dpi, bold=bold) for bold in (False, True)),
    )
    layout = composer.lay_out()
    if composer.smallest() < _LEAST_IMAGE:
        raise InvalidRequest(
            f"The images would be only {composer.smallest() / 72:.2f} inches wide or high.",
            money="",
            advice='Give a larger width=, fewer columns= (the other axes go on rows), or images="first".',
        )
    if layout.width * layout.height > _MOST_PIXELS or layout.height > 200 * wanted.dpi:
        size = f"{layout.width:,} × {layout.height:,} pixels"
        raise InvalidRequest(f"The figure would have {size}.", money="", advice="Give a lower dpi or a smaller width.")
    return layout
