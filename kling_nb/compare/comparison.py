"""A comparison as the user holds it."""

import time
from typing import TYPE_CHECKING, Any

from kling_nb.compare import frames, planview, records
from kling_nb.compare.analysis.entry import Analysable
from kling_nb.compare.arrange import Table, arrange
from kling_nb.compare.design import Cell, Design
from kling_nb.compare.figuring import Figures
from kling_nb.compare.grid import Grid
from kling_nb.compare.levels import Axis
from kling_nb.compare.looking import look, previews
from kling_nb.compare.records import ComparisonRecord, Filled
from kling_nb.compare.running import Key, Run
from kling_nb.compare.states import counts, in_words, state
from kling_nb.display import Bundle
from kling_nb.display.words import joined, plural
from kling_nb.engine.polling import typical
from kling_nb.errors import ConfigurationError, InvalidRequest, WaitInterrupted
from kling_nb.records import TaskRecord
from kling_nb.session.echo import ShownOnce
from kling_nb.session.history import TaskList
from kling_nb.session.image import ImageList, images_of
from kling_nb.session.screen import Screen, screen
from kling_nb.session.watching import seconds_of
from kling_nb.workspace.comparisons import StoredComparison

if TYPE_CHECKING:
    from kling_nb.session.session import Session

_LATELY = 60


class Comparison(Analysable, Figures, ShownOnce):
    """A designed set of tasks: axes with levels span cells, and each cell holds samples.

    In a notebook it shows its plan, and when it was run, its grid. Made by `Kling.compare`.

    Parameters
    ----------
    session : Session
        Where it is asked for.
    record : ComparisonRecord
        Its design.
    """

    def __init__(self, session: "Session", record: ComparisonRecord) -> None:
        self.session = session
        self._record = record

    # ---- what it is --------------------------------------------------------------------------------

    @property
    def record(self) -> ComparisonRecord:
        """All of what it is, as it is stored."""
        return self._record

    @property
    def id(self) -> str:
        """Ours; sorts by time."""
        return self._record.id

    @property
    def name(self) -> str:
        """As given; the id where none was."""
        return self._record.name

    @property
    def gateway(self) -> str:
        """Where it is asked for: a base URL, or ``sandbox``."""
        return self._record.gateway

    @property
    def seed(self) -> str:
        """Of the order in which its tasks are asked for, so that what drifts at the gateway is no level's doing."""
        return self._record.seed

    @property
    def design(self) -> Design:
        """Axes, cells and samples."""
        return self._record.design

    @property
    def axes(self) -> tuple[Axis, ...]:
        """What is varied."""
        return self.design.axes

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The combinations of levels, each with its request."""
        return self.design.cells

    @property
    def samples(self) -> int:
        """Tasks a cell; each is a new sample, because the API has no seed."""
        return self.design.samples

    # ---- what came of it ---------------------------------------------------------------------------

    @property
    def tasks(self) -> TaskList:
        """Those asked for so far, in the order of the design; one that was tried again is there as it is now."""
        found = [record for each in self.filled() for record in each.samples if record is not None]
        return TaskList([self.session.as_task(record) for record in found], self.session)

    @property
    def images(self) -> ImageList:
        """All that are saved so far, in the order of the design."""
        found = [record for each in self.filled() for record in each.samples if record is not None]
        return ImageList(image for record in found for image in images_of(record, self.session.workspace))

    @property
    def counts(self) -> dict[str, int]:
        """How many samples stand how: ``done``, ``under way``, ``planned``, ``failed``, ``refused`` and so on."""
        return {str(name): count for name, count in counts(self.filled()).items()}

    def records(self) -> dict[Key, TaskRecord]:
        """Return the newest task of every sample that has one, as the journal has it."""
        workspace = self.session.workspace
        if not workspace.exists:
            return {}
        wanted = {cell.digest for cell in self.cells}
        found = workspace.journal.comparisons.tasks(self.gateway, sorted(wanted))
        own = {(digest, sample - self._record.first_sample): record for (digest, sample), record in found.items()}
        return {key: record for key, record in own.items() if 0 <= key[1] < self.samples}

    def filled(self, tasks: dict[Key, TaskRecord] | None = None) -> tuple[Filled, ...]:
        """Return every cell with its tasks.

        Parameters
        ----------
        tasks : dict, optional
            As of `records`, where they are known.
        """
        return records.filled(self.design, self.records() if tasks is None else tasks)

    # ---- running it --------------------------------------------------------------------------------

    def run(
        self, *, yes: bool = False, timeout: float | None = None, quiet: bool = False, background: bool = False
    ) -> "Comparison":
        """Ask for everything that is lacking and wait for it; what is there already is not paid again.

        Parameters
        ----------
        yes : bool
            Agree to more than ``confirm_above`` images.
        timeout : float, optional
            Seconds without anything having happened, after which the wait ends; the setting of that name otherwise.
        quiet : bool
            Show nothing.
        background : bool
            Return at once; tasks are sent and followed in the background.

        Returns
        -------
        Comparison
            This one. Tasks that failed or were refused are counted and shown as such, and raise nothing.

        Raises
        ------
        InvalidRequest, ConfigurationError, WorkspaceError
            Nothing was sent.
        WaitTimeout
            Nothing came for so long; what is under way is followed on.
        AuthenticationFailed, OutOfBalance, NotPermitted
            The account is refused; what was not sent stays planned.
        """
        self.run_on(screen(quiet=quiet), yes=yes, timeout=timeout, background=background)
        return self

    def retry_failed(self, *, yes: bool = False, timeout: float | None = None, quiet: bool = False) -> "Comparison":
        """Ask anew for what has failed or was refused, and for what is lacking; the earlier tasks stay in the history.

        Parameters
        ----------
        yes, timeout, quiet
            As for `run`.

        Returns
        -------
        Comparison
            This one.

        Raises
        ------
        KlingError
            As `run`.
        """
        self.run_on(screen(quiet=quiet), yes=yes, timeout=timeout, retry=True)
        return self

    def run_on(
        self, where: Screen, *, yes: bool, timeout: float | None = None, retry: bool = False, background: bool = False
    ) -> None:
        """Run it with a screen of the caller's; see `run` and `retry_failed`."""
        if background and not where.in_background:
            # Its line is the next prompt's when the cell has ended.
            where = Screen()
        seconds = seconds_of(timeout, self.session.settings.timeout)
        run = Run(self, lambda tasks, notes: self._show_progress(where, tasks, notes))
        try:
            run.begin(yes=yes, retry=retry)
            if background:
                run.keep_current(lambda: self._show_end(where))
            else:
                run.watch(seconds)
        except BaseException as error:
            # An interrupt between two steps is no other than one within them: what was not sent is not sent.
            bare = isinstance(error, KeyboardInterrupt) and not isinstance(error, WaitInterrupted)
            interrupted = run.interrupted() if bare and run.jobs else None
            if not run.jobs:
                where.done()
            elif where.in_background and not isinstance(error, (InvalidRequest, ConfigurationError)):
                # What is under way goes on, and so does what is shown of it.
                run.keep_current(lambda: self._show_end(where))
            else:
                self._show_end(where)
            if interrupted is not None:
                raise interrupted from None
            raise
        if not background:
            self._show_end(where)
        self.shown()

    def _show_progress(self, where: Screen, tasks: dict[Key, TaskRecord], notes: list[str]) -> None:
        durations = self.session.gateway.runner.durations
        usual = typical([took for model in self._models for took in durations(model)])
        expected = usual.median if usual else None
        table = arrange(self.design, self.filled(tasks))
        where.live(*planview.progress(list(tasks.values()), table, notes, now=time.time(), expected=expected))

    def _show_end(self, where: Screen) -> None:
        where.bundle(self.bundle())

    # ---- showing it --------------------------------------------------------------------------------

    def grid(self, rows: Any = None, columns: Any = None, page: int = 1) -> Grid:
        """Return the images in labelled rows and columns.

        Parameters
        ----------
        rows, columns : str or list of str, optional
            Axes, the outermost first; what is named on neither goes on rows. Without a wish, variants or models
            are columns.
        page : int
            From 1: a page has at most 60 images, and as many bytes as one output may add to a notebook.

        Returns
        -------
        Grid
            In a notebook it shows itself; ``len()`` is the number of its pages.

        Raises
        ------
        InvalidRequest
            There is no such axis or page, or an axis is named twice.
        """
        return self._grid(arrange(self.design, self.filled(), rows, columns), page)

    def _grid(self, table: Table, page: int = 1) -> Grid:
        return Grid(self._record, table, lambda part: look(part, self.session.workspace), page)

    def to_dataframe(self) -> Any:
        """Return one row an image; a sample without images is one row, with its status.

        Returns
        -------
        pandas.DataFrame
            A column for each axis, with the levels' labels in their order (categorical); ``sample`` from 0; then
            the API's names as in the history. What is varied and sent is in columns that end in ``_sent``. Last come
            what raters said of the image and what was measured.

        Raises
        ------
        ConfigurationError
            pandas is not installed.
        """
        return frames.frame(self._record, self.filled(), self.session.workspace.folder, self.added())

    def bundle(self) -> Bundle:
        """Return what a front end shows: the plan of what was not begun, and the grid of what was."""
        tasks = self.records()
        if not any(record.task_status != "cancelled" for record in tasks.values()):
            return self._plan(tasks)
        filled = self.filled(tasks)
        return self._grid(arrange(self.design, filled)).bundle_with(self._remaining(filled))

    def plan(self) -> "Plan":
        """Return the plan, also of what was begun: cells, and what is still to be asked for, with price and time."""
        return Plan(self._plan(self.records()))

    def stored(self) -> StoredComparison:
        """Return it as the journal keeps it."""
        record = self._record
        text = records.to_text(record.design)
        facts = (record.id, record.name, record.gateway, record.created_at, record.seed)
        return StoredComparison(*facts, text, record.replicate)

    def _plan(self, tasks: dict[Key, TaskRecord]) -> Bundle:
        filled = self.filled(tasks)
        keep = self.session.workspace.exists
        small = previews(self.design, self.session.workspace, keep=keep)
        return planview.plan_bundle(self._record, self._costs(filled), small, arrange(self.design, filled))

    def _costs(self, filled: tuple[Filled, ...]) -> planview.Costs:
        lacking = [each.cell.n for each in filled for record in each.samples if state(record) == "planned"]
        images, slots = sum(lacking), self._slots()
        seconds = planview.expected_seconds(images, max(lacking, default=0), slots, self._whole())
        return planview.Costs(len(lacking), images, self.session.price(images), slots, seconds)

    def _slots(self) -> int:
        workspace = self.session.workspace
        if not workspace.exists:
            return self.session.settings.slots
        known = [workspace.journal.slots.read(self.gateway, model) for model in self._models]
        found = [limit.slots for limit in known if limit is not None]
        return min(found) if found else self.session.settings.slots

    @property
    def _models(self) -> set[str]:
        return {str(cell.request["model_name"]) for cell in self.cells}

    def _whole(self) -> float | None:
        """Return how many seconds a task takes until its images are saved, as far as the journal knows."""
        if not self.session.workspace.exists:
            return None
        models = self._models
        known = [
            record.saved_at - record.submitted_at
            for record in self.session.workspace.journal.newest(limit=_LATELY)
            if record.gateway == self.gateway and record.model_name in models
            if record.saved_at is not None and record.submitted_at is not None and record.task_status == "succeeded"
        ]
        usual = typical(known)
        return usual.median if usual else None

    def _remaining(self, filled: tuple[Filled, ...]) -> str:
        """Say what can be done about what is not there."""
        found = counts(filled)
        said = []
        if found["planned"]:
            costs = self._costs(filled)
            takes = joined(plural(costs.images, "image"), costs.price)
            said.append(f"{plural(found['planned'], 'task')} not sent ({takes}): `.run()` sends, `.plan()` says more.")
        if found["failed"] or found["refused"]:
            count = found["failed"] + found["refused"]
            said.append(f"{plural(count, 'task')} failed or refused: `.retry_failed()` asks anew.")
        if found["images missing"] or found["under way"]:
            said.append("`.run()` waits for what is under way, and fetches what is missing.")
        if found["uncertain"]:
            said.append(f"{plural(found['uncertain'], 'task')} uncertain: `%kling resume` says more.")
        return " ".join(said)

    def __repr__(self) -> str:
        axes = " × ".join(f"{axis.name} ({len(axis.levels)})" for axis in self.axes)
        return f"<Comparison {self.name}: {axes}{', ' if axes else ''}{in_words(counts(self.filled()))}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:  # noqa: ARG002 - IPython's signature
        return self.bundle()


class Plan:
    """What a comparison takes, as a notebook shows it.

    Parameters
    ----------
    bundle : (dict, dict)
        Data by MIME type, and metadata.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def bundle(self) -> Bundle:
        """Return what a front end shows: data by MIME type, and metadata."""
        return self._bundle

    def __repr__(self) -> str:
        return str(self._bundle[0]["text/plain"])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:  # noqa: ARG002 - IPython's signature
        return self._bundle
