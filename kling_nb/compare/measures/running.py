"""Measuring a comparison: what is not known yet is computed, and kept as it comes."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import groupby
from typing import TYPE_CHECKING

from kling_nb.compare.measures.asking import Measure
from kling_nb.compare.measures.fingerprint import fingerprint
from kling_nb.compare.measures.jobs import Job, ReferenceImage, Source, outcomes
from kling_nb.compare.measures.results import Keeper, Kept, known
from kling_nb.compare.measures.sending import Batch, is_local, send
from kling_nb.compare.measures.units import Key, Unit, spread, units
from kling_nb.compare.measures.values import WANTED, Failure, NotAValue, Outcome
from kling_nb.compare.progress import Progress
from kling_nb.compare.records import Filled
from kling_nb.display.words import plural
from kling_nb.errors import InvalidRequest, KlingError, WaitInterrupted, WorkspaceError
from kling_nb.records import ImageRecord, Reference
from kling_nb.session.screen import Screen

if TYPE_CHECKING:
    from kling_nb.workspace.workspace import Workspace

_NOT_CONTENT = ("callback_url", "external_task_id")
"""Fields that change no image; what depended on them would be kept under the wrong digest."""

_JOB_BYTES = 3_000_000
"""Dask warns of jobs above 10 MB."""

_TRIED_FIRST = 20
_MOST_THREADS = 4
_KEPT_REFERENCES = 12
_KEPT = "What was measured is kept, and measured once."


def run(
    measure: Measure,
    filled: Sequence[Filled],
    workspace: "Workspace",
    kept: Kept,
    *,
    executor: Executor | None,
    where: Screen,
) -> None:
    """Measure what has no result yet, and once more what has failed.

    Parameters
    ----------
    measure : Measure
        Which.
    filled : sequence of Filled
        Cells with their tasks.
    workspace : Workspace
        Where pictures are.
    kept : Kept
        Where results are, and are written to.
    executor : Executor, optional
        Whose workers do it; this thread where there is none.
    where : Screen
        Shows progress.

    Raises
    ------
    InvalidRequest
        There is no image, the function gave no value for any of them, or the executor cannot be used.
    WorkspaceError
        Results cannot be written.
    WaitInterrupted
        What was measured is kept.
    """
    every = units(filled, measure.over)
    if not every:
        advice = "`.run()` asks for them."
        raise InvalidRequest("There is no image yet that could be measured.", money="", advice=advice)
    Run(measure, every, workspace, kept, where).run(executor)


class Run:
    """One run of a measure over what a comparison has.

    Parameters
    ----------
    measure : Measure
        Which.
    every : sequence of Unit
        All that it applies to, measured or not.
    workspace : Workspace
        Where pictures are.
    kept : Kept
        Where results are, and are written to.
    where : Screen
        Shows progress.
    """

    def __init__(
        self, measure: Measure, every: Sequence[Unit], workspace: "Workspace", kept: Kept, where: Screen
    ) -> None:
        self._measure = measure
        self._every = every
        self._workspace = workspace
        self._kept = kept
        self._where = where
        self._keeper = Keeper(kept, measure.name, measure.version, measure.over)
        self._outcomes = self._known()
        self._tried = 0
        self._failures: list[Failure] = []
        self._failed_in: set[tuple[object, ...]] = set()
        # Several jobs of a cell need the same references.
        self._read_reference: Callable[[Reference], bytes] = lru_cache(_KEPT_REFERENCES)(workspace.read_reference)

    def run(self, executor: Executor | None) -> None:
        """Measure; see `run`."""
        lacking = {unit.key: unit for unit in self._every if not self._is_known(unit.key)}
        if not lacking:
            self._ask_again()
            return
        total = plural(len(lacking), self._measure.over)
        progress = Progress(self._where, f"Measuring {self._measure.name}", len(lacking))
        try:
            try:
                self._do(list(lacking.values()), executor, progress)
            finally:
                self._keeper.flush()
        except BaseException as error:
            self._where.done()
            if isinstance(error, KeyboardInterrupt):
                done = f"{self._measure.name}: {self._tried} of {total} measured and kept."
                raise WaitInterrupted(f"{done}\nMeasuring again goes on with the rest.") from None
            raise
        self._end(progress, total)

    def _known(self) -> dict[Key, Outcome]:
        this = self._measure
        digests = sorted({unit.cell.digest for unit in self._every})
        found = known(each for each in self._kept.find(digests, this.name) if each.version == this.version)
        return next((dict(each.outcomes) for each in found if each.over == this.over), {})

    def _is_known(self, key: Key) -> bool:
        return key in self._outcomes and self._outcomes[key].failure is None

    def _ask_again(self) -> None:
        """Note that this version was asked for last, by one of its results."""
        key = self._every[0].key
        self._keeper.add(key, self._outcomes[key])
        self._keeper.flush()

    def _do(self, lacking: Sequence[Unit], executor: Executor | None, progress: Progress) -> None:
        def keep(unit: Unit, outcome: Outcome) -> None:
            self._keep(unit, outcome)
            progress.step()

        groups = self._groups(lacking)
        batches = self._batches(groups, local=is_local(executor), keep=keep)
        if executor is not None:
            send(batches, executor, keep)
        elif self._measure.built_in and len(groups) > 1:
            # Decoding and arithmetic on arrays go on beside each other in threads.
            with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as own:
                send(batches, own, keep)
        else:
            for some, _, job in batches:
                for unit, outcome in zip(some, outcomes(job()), strict=True):
                    keep(unit, outcome)

    def _groups(self, lacking: Sequence[Unit]) -> list[list[Unit]]:
        """Return what one job each is of, beginning with some that lie evenly among all."""
        found = [group for _, same in groupby(lacking, lambda unit: unit.place[:2]) for group in _small(list(same))]
        return [found[number] for number in spread(len(found), _TRIED_FIRST)]

    def _batches(
        self, groups: Sequence[list[Unit]], *, local: bool, keep: Callable[[Unit, Outcome], None]
    ) -> Iterator[Batch]:
        for group in groups:
            self._give_up_if_hopeless()
            if local:
                pictures = [(unit, tuple(partial(self._image, image) for image in unit.images)) for unit in group]
                yield tuple(group), 0, partial(self._job, group[0], [each for _, each in pictures], local=True)
                continue
            # A file that is gone is a failure of its own, and no reason to send nothing.
            carried = [(unit, found) for unit in group if (found := self._carried(unit, keep)) is not None]
            if carried:
                size = sum(len(data) for _, found in carried for data in found)
                size += sum(each.size or 0 for each in group[0].cell.references if each.role in self._measure.roles)
                some = [found for _, found in carried]
                yield tuple(unit for unit, _ in carried), size, partial(self._job, group[0], some, local=False)

    def _job(self, first: Unit, calls: Sequence[tuple[Source, ...]], *, local: bool) -> Job:
        this, cell = self._measure, first.cell
        references = tuple(self._reference(each, local=local) for each in cell.references)
        request = {field: value for field, value in cell.request.items() if field not in _NOT_CONTENT}
        return Job(this.function, this.over == "image", tuple(calls), references, request)

    def _reference(self, reference: Reference, *, local: bool) -> ReferenceImage:
        facts = (reference.role, reference.name, reference.sha256)
        if reference.url is not None:
            return ReferenceImage(*facts, None, f"The {reference.role} image {reference.name} was sent as a URL.")
        if reference.role not in self._measure.roles:
            return ReferenceImage(*facts, None, f"The {reference.role} image is not read by {self._measure.name}.")
        if local:
            return ReferenceImage(*facts, partial(self._read_reference, reference))
        try:
            return ReferenceImage(*facts, self._read_reference(reference))
        except WorkspaceError as error:
            return ReferenceImage(*facts, None, error.message)

    def _carried(self, unit: Unit, keep: Callable[[Unit, Outcome], None]) -> tuple[bytes, ...] | None:
        try:
            return tuple(self._image(image) for image in unit.images)
        except KlingError as error:
            keep(unit, Outcome(None, Failure(type(error).__name__, error.message)))
            return None

    def _image(self, image: ImageRecord) -> bytes:
        data = self._workspace.read_image(image)
        if hashlib.sha256(data).hexdigest() != image.sha256:
            # Its value would be kept as that of the image that was served.
            raise WorkspaceError(f"The file {image.path} is not the one that was served any more.")
        return data

    def _keep(self, unit: Unit, outcome: Outcome) -> None:
        self._outcomes[unit.key] = outcome
        self._keeper.add(unit.key, outcome)
        self._tried += 1
        if outcome.failure is not None:
            self._failures.append(outcome.failure)
            self._failed_in.add(unit.place[:2])

    # ---- what is said --------------------------------------------------------------------------------

    def _give_up_if_hopeless(self) -> None:
        """Stop where some that lie evenly among all have come to nothing: the rest would, too."""
        if len(self._failed_in) >= _TRIED_FIRST and self._is_hopeless():
            tried = plural(self._tried, self._measure.over)
            raise self._hopeless(f"any of the first {tried} that were tried, of {len(self._every):,}")

    def _is_hopeless(self) -> bool:
        return not any(outcome.failure is None for outcome in self._outcomes.values())

    def _hopeless(self, of_what: str) -> InvalidRequest:
        name, first = self._measure.name, self._failures[0]
        if all(each.kind == NotAValue.__name__ for each in self._failures):
            message = f"{name} {first.message}, and gave no value for {of_what}; wanted is {WANTED}."
        else:
            message = f"{name} gave no value for {of_what}. The first failure: {first}."
        return InvalidRequest(message, money="")

    def _end(self, progress: Progress, total: str) -> None:
        if self._is_hopeless():
            self._where.done()
            raise self._hopeless(f"any of {total}")
        notes = []
        if self._failures:
            failed = plural(len(self._failures), "failure")
            notes.append(f"{failed}, the first: {self._failures[0]}. Measuring again tries what failed once more.")
        if self._measure.told and fingerprint(self._measure.function) != self._measure.version:
            changed = "changed a value that it reads, and so the next call would measure anew"
            notes.append(f'{self._measure.name} {changed}; version="{self._measure.version}" keeps to these results.')
        progress.end(f"Measured {self._measure.name} of {total}.", notes)


def _small(units: Sequence[Unit]) -> list[list[Unit]]:
    """Return the units of a task in portions that can be sent."""
    found: list[list[Unit]] = []
    size = 0
    for unit in units:
        own = sum(image.size or 0 for image in unit.images)
        if not found or size + own > _JOB_BYTES:
            found.append([])
            size = 0
        found[-1].append(unit)
        size += own
    return found
