"""Looking, patiently, for the tasks whose create's answer was lost, and deciding what to do about them."""

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from kling_nb import errors
from kling_nb.engine.jobs import Job, after_create, before_sending
from kling_nb.engine.lookup import Look, is_named, look_up
from kling_nb.records import TaskState

if TYPE_CHECKING:
    from kling_nb.engine.runner import Runner

FIRST = 1.0
LONGEST = 15.0
LATER = 60.0
LOOK_FOR = 1800.0
"""Seconds after which a task that never turned up is looked for no more, until `resume`."""
CONFIRM = 12.0
"""The share of the grace, a twelfth, that passes between two looks that must both show the absence."""
SENDS = 3
"""Times that one request is sent without asking the user."""

Decision = Literal["wait", "send", "aside", "uncertain"]


@dataclass(slots=True, eq=False)
class _Search:
    job: Job
    began: float
    due: float
    looks: int = 0
    absent_since: float | None = None


def decide(job: Job, look: Look, *, waited: float) -> Decision:
    """Decide what to do about a task that a look did not find. Pure.

    Parameters
    ----------
    job : Job
        The task.
    look : Look
        What the last look has shown.
    waited : float
        Seconds since the create was sent.

    Returns
    -------
    {"wait", "send", "aside", "uncertain"}
        ``send`` sends it again, ``aside`` leaves it planned for the user to send, and ``uncertain`` leaves
        it so.
    """
    if job.insist:
        return "send"
    if waited < job.grace + (0.0 if look.whole else LATER):
        return "wait"
    # A task that the gateway once acknowledged did exist, whatever it says now.
    if not look.proven or job.when_absent == "nothing" or job.record.task_id is not None:
        return "uncertain"
    if job.when_absent == "ask":
        return "aside"
    return "send" if job.record.sends < SENDS else "uncertain"


def next_look(now: float, began: float, looks: int, grace_ends: float) -> float:
    """Return when to look again. Pure.

    Parameters
    ----------
    now : float
        The time.
    began : float
        When the search began.
    looks : int
        How often the task was looked for.
    grace_ends : float
        When its absence may be believed.

    Returns
    -------
    float
        Ever later, with a look at the very end of the grace; every minute from then on.
    """
    if not looks:
        return now
    if now >= grace_ends:
        return now + LATER
    return min(now + min(LONGEST, max(FIRST, 0.5 * (now - began))), grace_ends)


class Searcher:
    """Looks for the tasks of a runner with one thread, so that nothing else waits for them.

    Parameters
    ----------
    runner : Runner
        Whose tasks they are.
    """

    def __init__(self, runner: "Runner") -> None:
        self._runner = runner
        self._searches: dict[str, _Search] = {}
        self._thread: threading.Thread | None = None

    def search(self, job: Job) -> None:
        """Look for a task until it is found, or until more looking makes no sense."""
        now = time.monotonic()
        with self._runner.changed:
            job.sought = True
            self._searches[job.record.id] = _Search(job, now, now)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="kling-search", daemon=True)
                self._thread.start()
            self._runner.changed.notify_all()

    def found(self, state: TaskState) -> bool:
        """Take up the task that a state is of, if it is one that is looked for."""
        if state.external_task_id is None or not self._searches:
            return False
        with self._runner.changed:
            searches = list(self._searches.values())
        search = next((each for each in searches if is_named(state, each.job.record)), None)
        return search is not None and self._take_up(search, state)

    def stop(self, join: float) -> None:
        """Wait for the thread to end."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(join)

    def _run(self) -> None:
        runner = self._runner
        while True:
            with runner.changed:
                if not self._searches or runner.stopping:
                    self._thread = None
                    return
                search = min(self._searches.values(), key=lambda each: each.due)
                wait = search.due - time.monotonic()
                if wait > 0:
                    runner.changed.wait(min(wait, LATER))
                    continue
            self._look(search)

    def _look(self, search: _Search) -> None:
        search.looks += 1
        waited = self._waited(search)
        try:
            self._look_once(search, waited)
        except Exception as error:  # noqa: BLE001 - what cannot be asked shows nothing
            search.absent_since = None
            self._again(search, waited, f"{_said(error)} ")

    def _waited(self, search: _Search) -> float:
        """Return the seconds since a task was sent, whatever was done to the clock."""
        job = search.job
        here = time.monotonic() - search.began
        there = self._runner.remote.time_there
        if job.claimed or there is None:
            return here
        # Sent by an earlier kernel: this machine's clock may have been set since, and the gateway's was not.
        return max(here, min(self._runner.clock(), there) - (job.record.sent_at or 0.0))

    def _look_once(self, search: _Search, waited: float) -> None:
        job = search.job
        look = look_up(self._runner.remote, job.store.journal, job.record, prove=waited >= job.grace)
        if look.state is not None:
            self._take_up(search, look.state)
            return
        decision = decide(job, look, waited=waited)
        if decision in ("send", "aside") and not job.insist and not self._is_confirmed(search):
            decision = "wait"
        elif decision not in ("send", "aside"):
            search.absent_since = None
        if decision in ("send", "aside"):
            # Unless a list has named it since the look: then it is followed, and must not be sent.
            if self._drop(search):
                self._leave(job, decision)
        else:
            self._again(search, waited, "", settle=decision == "uncertain")

    def _is_confirmed(self, search: _Search) -> bool:
        """Tell whether an earlier look has shown the absence as well: one alone may meet a restart."""
        now = time.monotonic()
        if search.absent_since is None:
            search.absent_since = now
            return False
        return now - search.absent_since >= search.job.grace / CONFIRM

    def _leave(self, job: Job, decision: Decision) -> None:
        runner = self._runner
        if decision == "send":
            runner.send_again(job)
            return
        runner.advance(job, replace(before_sending(job.record), owner=""))
        job.aside = True
        runner.announce(job)

    def _again(self, search: _Search, waited: float, why: str, *, settle: bool = False) -> None:
        job, now = search.job, time.monotonic()
        left = max(0.0, job.grace - waited)
        with self._runner.changed:
            if not self._is_current(search):
                return
            search.due = next_look(now, search.began, search.looks, now + left)
            if search.absent_since is not None:
                search.due = min(search.due, now + job.grace / CONFIRM)
            if now - search.began > max(LOOK_FOR, 2 * job.grace):
                settle = True
                self._drop(search)
            if settle:
                # The user is told so, and may act on it: from now on it can only turn up.
                job.sought, job.when_absent, job.note = False, "nothing", ""
            elif job.sought:
                job.note = f"{why}Looking whether the gateway has the task; nothing is sent twice."
        self._runner.announce(job)

    def _take_up(self, search: _Search, state: TaskState) -> bool:
        """Go on with a task that was found; whoever comes second finds it gone."""
        job, runner = search.job, self._runner
        with runner.changed:
            if not self._drop(search):
                return False
            # Still sought until it is written down, or whoever waits would take it for settled.
            job.sought, job.aside, job.note, job.error = True, False, "", None
            sent_at = job.record.sent_at or runner.clock()
            job.began = time.monotonic() - max(0.0, runner.clock() - sent_at)
            runner.jobs[job.record.id] = job
        # Its task_id is written down first; what has become of it is the follower's to say.
        ours = runner.advance(job, after_create(job.record, state, job.record.submitted_at or sent_at))
        job.sought = False
        if ours:
            runner.follow(job, state)
        return True

    def _is_current(self, search: _Search) -> bool:
        return self._searches.get(search.job.record.id) is search

    def _drop(self, search: _Search) -> bool:
        """End a search; tell whether it was still on: it may have been taken up, or begun anew."""
        with self._runner.changed:
            if not self._is_current(search):
                return False
            del self._searches[search.job.record.id]
            return True


def _said(error: Exception) -> str:
    return error.message if isinstance(error, errors.KlingError) else f"{type(error).__name__}: {error}."
