"""What a comparison offers of measures. Loads nothing before it is used."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from kling_nb.compare.comparison import Comparison
    from kling_nb.compare.measures.measured import Measured
    from kling_nb.compare.measures.results import Kept, Known, Memory
    from kling_nb.compare.records import Filled


class Measuring:
    """The measures of a comparison; a part of `Comparison`."""

    _results_in_memory: "Memory | None" = None

    def measure(
        self,
        function: Callable[..., Any] | str,
        name: str | None = None,
        *,
        version: str | int | None = None,
        over: Literal["image", "task", "cell"] | None = None,
        executor: "Executor | None" = None,
        quiet: bool = False,
    ) -> "Measured":
        """Find a number for every image, by a built-in measure or by a function, and keep it.

        What was measured before, by the same version, is not measured again: in any kernel, and also where a design
        has grown. What has failed is kept with its reason, and tried again by the next call.

        Parameters
        ----------
        function : callable or str
            A built-in: ``aspect_ratio``, ``sharpness`` or ``palette_distance`` of each image, ``count`` of each task,
            ``near_duplicates`` or ``diversity`` of each cell; `kling_nb.compare.measures` says what they are. Or a
            function of ``(image, references, request)``: a `PIL.Image.Image` as served, neither decoded nor
            converted; the input images, each with ``role`` (subject, scene or style), ``name``, ``sha256`` and
            ``image``; and the request's fields by the API's names, as a dict. It returns a finite number, a flat dict
            of text to number, or None where it does not apply.
        name : str, optional
            What its column is called; otherwise the function's name. A dict has the columns ``name.key``.
        version : str or int, optional
            Results of another version are not used. Otherwise a hash of the function's code, with the functions and
            plain values of its own module that it reads. The weights of a model and other modules are not part of
            that: give a version where a measure has some.
        over : {"image", "task", "cell"}, optional
            What the function is called once for. For ``task`` and ``cell`` (all samples of it) the first argument is a
            sequence of images. ``image`` where nothing is said.
        executor : concurrent.futures.Executor, optional
            Whose workers call it: threads, processes, or ``client.get_executor()`` of a Dask client. Otherwise it is
            called in this thread, one image after the other.
        quiet : bool
            Show no progress, and say nothing of failures.

        Returns
        -------
        Measured
            In a notebook a short table by level; ``to_dataframe()``, ``values``, ``failures``.

        Raises
        ------
        InvalidRequest
            An argument is wrong; the function raised, or returned no number, for all there is; or the executor
            cannot be used.
        ConfigurationError
            A built-in measure needs numpy, which is not installed.
        WorkspaceError
            Results cannot be kept.
        """
        from kling_nb.compare.measures.asking import asked
        from kling_nb.compare.measures.data import placed
        from kling_nb.compare.measures.running import run
        from kling_nb.compare.measures.sending import checked
        from kling_nb.session.screen import screen

        this = cast("Comparison", self)
        wanted = asked(function, name, version, over)
        workers = checked(executor, wanted.function)
        filled = this.filled()
        where = screen(quiet=quiet)
        run(wanted, filled, this.session.workspace, self._results(filled), executor=workers, where=where)
        found = self._known(filled, wanted.name)
        this_one = (wanted.version, wanted.over)
        return self._placed(placed(each, filled) for each in found if (each.version, each.over) == this_one)[
            wanted.name
        ]

    @property
    def measures(self) -> "dict[str, Measured]":
        """What was measured of its images so far, also by another kernel: by name, the version asked for last."""
        from kling_nb.compare.measures.data import newest

        filled = cast("Comparison", self).filled()
        return self._placed(newest(self._known(filled), filled))

    def _known(self, filled: "tuple[Filled, ...]", name: str | None = None) -> "list[Known]":
        from kling_nb.compare.measures.results import known

        return known(self._results(filled).find([cell.digest for cell in cast("Comparison", self).cells], name))

    def _placed(self, measured: "Iterable[Measured]") -> "dict[str, Measured]":
        from dataclasses import replace

        design = cast("Comparison", self).design
        return {each.name: replace(each, design=design) for each in measured}

    def _results(self, filled: "tuple[Filled, ...]") -> "Kept":
        """Return where results are: in the journal, or in memory, beginning with what a manifest has."""
        this = cast("Comparison", self)
        if this.session.workspace.exists:
            return this.session.workspace.journal.measures
        if self._results_in_memory is None:
            from kling_nb.compare.measures.data import from_data, stored
            from kling_nb.compare.measures.results import Memory

            self._results_in_memory = Memory(stored(from_data(this.more.get("measures", [])), filled))
        return self._results_in_memory
