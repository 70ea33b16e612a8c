"""Asking for what a comparison lacks, in its own random order, and waiting for all of it."""

import functools
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from kling_nb.compare.design import Cell
from kling_nb.compare.records import place, without_bytes
from kling_nb.display.words import plural
from kling_nb.engine.jobs import Job
from kling_nb.errors import WaitInterrupted, WaitTimeout
from kling_nb.records import OF_THE_ACCOUNT, TaskRecord
from kling_nb.session.outcome import error_of, in_words
from kling_nb.session.planning import plan
from kling_nb.session.watching import QUICK, TICK

if TYPE_CHECKING:
    from kling_nb.compare.comparison import Comparison
    from kling_nb.session.session import Session

Key = tuple[str, int]
"""A cell's digest and the number of the sample."""


class Run:
    """One going through a comparison.

    Parameters
    ----------
    comparison : Comparison
        Which.
    show : callable
        Shows how it gets on; given the records by key, and what the user should know.
    """

    def __init__(self, comparison: "Comparison", show: Callable[[dict[Key, TaskRecord], list[str]], None]) -> None:
        self.comparison = comparison
        self.jobs: dict[Key, Job] = {}
        self._session: Session = comparison.session
        self._show = show
        self._records: dict[Key, TaskRecord] = {}
        self._elsewhere: set[Key] = set()
        self._planned: list[TaskRecord] = []

    def begin(self, *, yes: bool, retry: bool = False) -> None:
        """Have everything sent that is lacking, and take up what was left unfinished; returns at once.

        Parameters
        ----------
        yes : bool
            Whether the user has agreed to more than ``confirm_above`` images.
        retry : bool
            Whether to ask anew for what has failed.

        Raises
        ------
        InvalidRequest
            Nobody agreed.
        ConfigurationError
            There is no key, or ``max_images`` is reached.
        WorkspaceError
            It cannot be journalled, or a picture is not in the workspace any more. Nothing was sent.
        WaitInterrupted
            The user pressed Interrupt; what was not sent is not sent.
        """
        self._records = self.comparison.records()
        wanted = [key for key in self._order() if self._is_lacking(self._records.get(key), retry=retry)]
        asked = set(wanted)
        left = [key for key, record in self._records.items() if not record.complete and key not in asked]
        unsent = [record for key in left if self._is_unsent(record := self._records[key])]
        cells = {cell.digest: cell for cell in self.comparison.design.cells}
        images = sum(cells[digest].n for digest, _ in wanted) + sum(record.n for record in unsent)
        if images:
            self._session.may_spend(images, yes=yes)
        due = sum(record.n for record in unsent)
        try:
            self._keep()
            if wanted:
                self._submit(self._claim([(cells[digest], sample) for digest, sample in wanted]))
        except BaseException as error:
            due = 0
            self._withdraw()
            if isinstance(error, KeyboardInterrupt):
                raise self.interrupted() from None
            raise
        finally:
            # What another kernel was quicker to ask for, or what was not sent, is not this one's expense.
            self._session.gateway.spend(due + sum(job.record.n for job in self.jobs.values()) - images, None)
        self._elsewhere = {*left, *wanted} - self.jobs.keys()

    def watch(self, timeout: float) -> None:
        """Wait until there is nothing more to wait for.

        Parameters
        ----------
        timeout : float
            Seconds without anything having happened.

        Raises
        ------
        WaitTimeout
            So long; what is under way is followed on.
        WaitInterrupted
            The user pressed Interrupt.
        KlingError
            The account is refused, and so is everything that would be sent.
        """
        try:
            self._watch(timeout)
        except KeyboardInterrupt:
            raise self.interrupted() from None
        refused = next((job.record for job in self.jobs.values() if _is_refused(job.record)), None)
        error = error_of(refused) if refused is not None else None
        if error is not None:
            error.money = "The tasks that were not sent cost nothing, and what was sent before is followed."
            raise error

    def keep_current(self, ended: Callable[[], None]) -> None:
        """Go on showing how it gets on from the engine's threads, until everything that this process has is settled.

        Parameters
        ----------
        ended : callable
            Called once, at the end.
        """
        self._look_elsewhere()
        jobs = list(self.jobs.values())
        lock, last = threading.Lock(), [-QUICK, False]

        def changed(_job: Job) -> None:
            with lock:
                over = all(job.ended for job in jobs)
                if last[1] or not (over or time.monotonic() - last[0] >= QUICK):
                    return
                last[:] = [time.monotonic(), over]
                if over:
                    ended()
                else:
                    self._show(self.now(), self._notes())

        for job in jobs:
            job.listeners.append(changed)
        if not jobs:
            ended()
        for job in jobs[:1]:
            with job.speaking:
                changed(job)

    def interrupted(self) -> WaitInterrupted:
        """Cancel what was not sent, and return the interrupt that says what is under way."""
        while True:
            try:
                self._session.gateway.runner.cancel(self.jobs.values())
                records = [job.record for job in self.jobs.values()]
                break
            except KeyboardInterrupt:
                # Pressed again, out of impatience: what was not sent is to be cancelled all the more.
                continue
        unsent = sum(record.task_status == "cancelled" for record in records)
        going = sum(not job.settled for job in self.jobs.values())
        said = ["Interrupted."]
        said += [f"{in_words(unsent)} not sent: nothing to pay."] if unsent else []
        said += [f"{in_words(going)} under way: paid once, and followed on in the background."] if going else []
        name = self.comparison.name
        return WaitInterrupted(" ".join([*said, f"`kling.comparison({name!r}).run()` goes on, in any kernel."]))

    # ---- beginning ---------------------------------------------------------------------------------

    def _order(self) -> list[Key]:
        design, seed = self.comparison.design, self.comparison.seed
        keys = [(cell.digest, sample) for cell in design.cells for sample in range(design.samples)]
        return sorted(keys, key=lambda key: place(seed, *key))

    def _is_lacking(self, record: TaskRecord | None, *, retry: bool) -> bool:
        return record is None or record.unmade or (retry and record.task_status == "failed")

    def _is_unsent(self, record: TaskRecord) -> bool:
        unsent = record.task_status in ("planned", "sending", "uncertain")
        return unsent and not self._session.in_other_hands(record)

    def _keep(self) -> None:
        """Have the comparison found by its name, also where another has asked for all its cells."""
        workspace = self._session.workspace
        workspace.keep_references(self.comparison.design.references)
        workspace.journal.comparisons.save(self.comparison.stored())

    def _claim(self, wanted: list[tuple[Cell, int]]) -> list[tuple[TaskRecord, int]]:
        """Journal tasks for what is lacking, all at once; what another kernel has claimed meanwhile is left out."""
        session, workspace = self._session, self._session.workspace
        for reference in self.comparison.design.references:
            if reference.data is None and reference.url is None:
                workspace.read_reference(reference)
        first = self.comparison.record.first_sample
        planned: list[tuple[TaskRecord, int]] = []
        taken: set[str] = set()
        for cell, sample in wanted:
            record = plan(session, cell.request, cell.digest, without_bytes(cell.references), cell.warnings, taken)
            taken.add(record.id)
            planned.append((record, first + sample))
        self._planned = [record for record, _ in planned]
        failed = [record.id for record in self._records.values() if record.task_status == "failed"]
        claimed = workspace.journal.comparisons.claim(planned, replacing=failed)
        return [(record, sample - first) for record, sample in claimed]

    def _submit(self, claimed: list[tuple[TaskRecord, int]]) -> None:
        runner = self._session.gateway.runner
        journal = self._session.workspace.journal
        for model_name in {record.model_name for record, _ in claimed}:
            runner.learn(model_name, functools.partial(journal.durations, self.comparison.gateway, model_name))
        for record, sample in claimed:
            self.jobs[record.digest, sample] = job = self._session.job_of(record)
            runner.submit(job)

    def _withdraw(self) -> None:
        """Leave no task for somebody to wait for that the engine has not got: nobody would send it."""
        runner, journal = self._session.gateway.runner, self._session.workspace.journal
        self.jobs = {key: job for key, job in self.jobs.items() if job.record.id in runner.jobs or job.claimed}
        held = {job.record.id for job in self.jobs.values()}
        stored = [journal.get(record.id) for record in self._planned if record.id not in held]
        now = time.time()
        left = [record for record in stored if record is not None and record.task_status == "planned"]
        journal.update(*(replace(record, task_status="cancelled", finished_at=now) for record in left))

    # ---- waiting -----------------------------------------------------------------------------------

    def _watch(self, timeout: float) -> None:
        runner = self._session.gateway.runner
        began, looked, before = time.monotonic(), -TICK, self._states()
        while True:
            if self._elsewhere and time.monotonic() - looked >= TICK:
                self._look_elsewhere()
                looked = time.monotonic()
            unsettled = [job for job in self.jobs.values() if not job.settled]
            if not unsettled and not self._elsewhere:
                return
            self._show(self.now(), self._notes())
            states = self._states()
            began, before = (time.monotonic(), states) if states != before else (began, before)
            if time.monotonic() - began >= timeout:
                raise self._still(timeout)
            if unsettled:
                runner.wait(lambda known=states: self._states() != known, min(TICK, timeout))  # type: ignore[misc]
                # Much may happen at once, and a page is not to be drawn for each of it.
                runner.wait(lambda: all(job.settled for job in self.jobs.values()), QUICK)
            else:
                # Where another kernel is at work, a little at random, so that several do not look in step.
                time.sleep(min(TICK, timeout) * random.uniform(0.8, 1.0))  # noqa: S311 - no secret

    def _look_elsewhere(self) -> None:
        """See what became of tasks in other hands; take over what is in no living kernel's."""
        self._records = self.comparison.records()
        for key in list(self._elsewhere):
            record = self._records.get(key)
            task = self._session.as_task(record) if record is not None else None
            if record is None or task is None or record.complete:
                self._elsewhere.discard(key)
            elif task.live and task.job is not None:
                # Followed on since an earlier run of this kernel.
                self.jobs[key] = task.job
                self._elsewhere.discard(key)
            elif not self._session.in_other_hands(record):
                if self._session.take_over(task, send="absent") and task.job is not None:
                    self.jobs[key] = task.job
                elif self._session.in_other_hands(record):
                    continue
                self._elsewhere.discard(key)
        for key, job in self.jobs.items():
            # A machine that slept finds another kernel at work on what it had.
            if job.aside and self._session.in_other_hands(job.record):
                self._elsewhere.add(key)

    def now(self) -> dict[Key, TaskRecord]:
        """Return the tasks as they are known to be."""
        return self._records | {key: job.record for key, job in self.jobs.items()}

    def _states(self) -> list[object]:
        theirs = [record.task_status for key, record in self._records.items() if key in self._elsewhere]
        return [*((job.record.task_status, job.settled) for job in self.jobs.values()), *theirs, len(self._elsewhere)]

    def _notes(self) -> list[str]:
        notes = list(dict.fromkeys(job.note for job in self.jobs.values() if job.note and not job.settled))
        if self._elsewhere:
            notes.append(f"{plural(len(self._elsewhere), 'task')} in the hands of another kernel of this workspace.")
        return notes

    def _still(self, seconds: float) -> WaitTimeout:
        unsettled = [job.record for job in self.jobs.values() if not job.settled]
        unsent = sum(record.task_status == "planned" for record in unsettled)
        message = (
            f"{in_words(len(unsettled) + len(self._elsewhere))} still under way, and none got on for {seconds:g} s."
        )
        money = f"{in_words(unsent)} of them not sent yet, and so not paid. " if unsent else ""
        money += "What was sent is paid once, and is followed on in the background."
        advice = f"`kling.comparison({self.comparison.name!r}).run()` goes on waiting."
        return WaitTimeout(message, money=money, advice=advice)


def _is_refused(record: TaskRecord) -> bool:
    """Tell whether a task came to nothing for a reason that is everything else's too."""
    return record.unmade and record.failure is not None and record.failure.kind in OF_THE_ACCOUNT
