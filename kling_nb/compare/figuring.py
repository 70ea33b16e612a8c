"""What a comparison offers of figures. Loads nothing before it is used."""

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from kling_nb.compare.comparison import Comparison


class Figures:
    """The figures of a comparison; a part of `Comparison`."""

    def figure(
        self,
        path: Any = None,
        rows: Any = None,
        columns: Any = None,
        *,
        width: float = 7.0,
        height: float = 9.0,
        dpi: float = 300,
        images: Any = "first",
        references: bool = True,
        labels: Any = None,
        overwrite: bool = False,
    ) -> Any:
        """Make a figure for a paper: references first, methods as columns, prompts as rows.

        A cell without its image is an outlined box that says why: failed, refused, planned. Pictures are brought to
        the resolution with Lanczos' filter; in PDF and SVG they are JPEGs of quality 92 where that is smaller.
        Two calls give the same bytes.

        Parameters
        ----------
        path : str or Path, optional
            Its ending chooses the format: ``.pdf``, ``.svg``, ``.png`` or ``.jpg``.
        rows, columns : str or list of str, optional
            As for `grid`.
        width : float
            Inches: the text of a page of two columns is 7 wide, one of them 3.3.
        height : float
            Inches that it does not exceed unless images would become smaller than about a third of an inch.
        dpi : float
            Pixels an inch.
        images : {"first", "all"} or int
            Of each cell: its first image that is there; all of all samples; or one by its place among all that the
            cell's samples were asked for, from 0.
        references : bool
            Whether to show the input images.
        labels : mapping of str to str, optional
            What is written in place of a label, an axis' name or any other text of the figure.
        overwrite : bool
            Whether an existing file may be replaced.

        Returns
        -------
        Path or matplotlib.figure.Figure
            The file; without a path the figure, which shows itself in a notebook.

        Raises
        ------
        InvalidRequest
            An argument is wrong, the file exists, or so many columns do not fit into the width.
        ConfigurationError
            matplotlib is not installed, or no installed font has a character of the labels. matplotlib before 3.11
            does not lay out Arabic, Hebrew or Indic scripts, and this then says so.
        WorkspaceError
            The file cannot be written.
        """
        from kling_nb.compare import figure
        from kling_nb.compare.arrange import arrange
        from kling_nb.records import SANDBOX_GATEWAY

        wanted = figure.options(
            path,
            width=width,
            height=height,
            dpi=dpi,
            images=images,
            references=references,
            labels=labels,
            overwrite=overwrite,
        )
        this = cast("Comparison", self)
        table = arrange(this.design, this.filled(), rows, columns)
        sandbox = this.gateway == SANDBOX_GATEWAY
        return figure.draw(table, this.session.workspace, wanted, title=this.name, sandbox=sandbox)
