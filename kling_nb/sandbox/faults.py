"""Faults on order: what a gateway, a proxy or a network can do to a client.

A fault strikes requests of one sort (`on`: ``create``, ``query``, ``list`` or ``image``), skips the
first `after` of those that match, then strikes `times` of them (None: all). `match` picks the task
by `task_id` or `external_task_id`, `index` the image. The kinds (`do`), with their details:

================== ===== ====================================================================
kind               where what happens; details and defaults
================== ===== ====================================================================
delay              all   wait `seconds=1.0` (real time), then go on; `processed=False`
hang               all   wait until `Fault.release` or `stop`, then go on; `processed=True`
status             all   an error in the plain envelope: `status=500, code=5000, message=""`,
                         `retry_after=""` (a header), `processed=False`
openai_error       all   an error as OpenAI-style gateways write it: `status=503`,
                         `code="no_available_channel"`, `message`, `type`, `processed=False`
html               all   a proxy's HTML page: `status=502, processed=False`
empty              all   an empty body: `status=200, processed=False`
not_json           all   plain text: `status=200, processed=False`
redirect           all   to `location` (required): `status=302, processed=False`
reset              all   the connection is reset (RST), no answer: `processed=False`
lost               all   the request is processed (and billed), then the connection is reset
endless            all   a body that ends when the client hangs up: `processed=False`
bomb               image a PNG of a few kilobytes and `side=14000` squared pixels
expired            image the image's life is over: `status=403` (or 404, 410)
no_list            list  the gateway does not forward it: `shape="404"` (or "405", "other")
reseller           API   a good answer in a reseller's envelope: `inner="envelope"` (or "data")
missing_images     reads fewer images than asked for: `keep=-1` (all but one; 0 is none)
late               reads the task is not found, not listed; with `seconds=0.0` above 0 only
                         while it is younger than that
no_external_ids    API   an `external_task_id` is not looked up, and not in any answer
unknown_status     API   a `task_status` nobody has heard of: `status="suspended"`
status_spelling    API   other words: `succeed="succeeded", failed="failed"`
text_code          API   the `code` is a string
second_timestamps  API   times are in seconds, not milliseconds
truncated_json     API   the body is cut: `keep=0.5` of it
drip               all   the body comes slowly: `piece=16` bytes every `seconds=0.05`
wrong_length       all   Content-Length is wrong `by=100` bytes (less, if negative)
wrong_type         all   another Content-Type: `content_type="text/plain"`
================== ===== ====================================================================

API is create, query and list; reads are query and list. `processed` says whether the request has its
effect (a create is billed) although its answer is replaced or held back. Faults combine: of those
that wait, that replace the answer and that spoil its bytes, the first that matches acts; of those
that change its content, all do.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kling_nb.sandbox.faultkinds import KINDS, check_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Call:
    """A request as faults see it.

    Parameters
    ----------
    on : {"create", "query", "list", "image"}
        What it is.
    names : callable
        Returns the ids of its task; called only if a fault asks for one.
    index : int or None
        Which image.
    """

    on: str
    names: Callable[[], frozenset[str]]
    index: int | None = None


class Fault:
    """A fault on order; made by `Faults.add`.

    Parameters
    ----------
    on, do : str
        Which requests it strikes, and how.
    times : int or None
        How many it strikes; None for all.
    after : int
        How many matching requests go free first.
    match : str or None
        The `task_id` or `external_task_id` it is for.
    index : int or None
        The image it is for.
    details : dict
        The details of its kind.

    Attributes
    ----------
    used : int
        How many requests it has struck.
    """

    def __init__(
        self,
        on: str,
        do: str,
        *,
        times: int | None,
        after: int,
        match: str | None,
        index: int | None,
        details: Mapping[str, Any],
    ) -> None:
        self.on = on
        self.do = do
        self.times = times
        self.after = after
        self.match = match
        self.index = index
        self.details = details
        self.used = 0
        self.released = threading.Event()
        self._seen = 0

    def __repr__(self) -> str:
        return f"<Fault {self.do} on {self.on}, used {self.used} of {self.times or 'any'} times>"

    def release(self) -> None:
        """Let the requests go on that this fault makes hang."""
        self.released.set()

    def concerns(self, call: Call) -> bool:
        """Tell whether a request is of the sort that this fault is for."""
        if self.on != call.on or (self.index is not None and self.index != call.index):
            return False
        return self.match is None or self.on == "list" or self.match in call.names()

    def strikes(self, *, free: bool) -> bool:
        """Count a request that it concerns; tell whether it is struck.

        Parameters
        ----------
        free : bool
            Whether no earlier fault acts in the same phase.
        """
        self._seen += 1
        spent = self.times is not None and self.used >= self.times
        if not free or spent or self._seen <= self.after:
            return False
        self.used += 1
        return True


@dataclass(frozen=True, slots=True)
class Strikes:
    """The faults that strike one request, at most one a phase but for `shape`."""

    wait: Fault | None = None
    answer: Fault | None = None
    wire: Fault | None = None
    shape: tuple[Fault, ...] = field(default=())


class Faults:
    """The script of faults of a sandbox. Thread-safe; see the module for the kinds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: tuple[Fault, ...] = ()
        self._used: list[Fault] = []

    def __len__(self) -> int:
        return len(self._faults)

    def __repr__(self) -> str:
        return f"<Faults: {len(self)} on order, {len(self._used)} strikes>"

    @property
    def used(self) -> list[Fault]:
        """The faults that struck, in their order; one that struck twice is there twice."""
        with self._lock:
            return list(self._used)

    def add(
        self,
        /,  # so that even a detail named "self" in a script is no more than an unknown detail
        on: str,
        do: str,
        *,
        times: int | None = 1,
        after: int = 0,
        match: str | None = None,
        index: int | None = None,
        **details: Any,
    ) -> Fault:
        """Order a fault.

        Parameters
        ----------
        on : {"create", "query", "list", "image"}
            Which requests it strikes.
        do : str
            What happens: a kind from the table of this module.
        times : int or None
            How many requests it strikes; None for all.
        after : int
            How many matching requests go free first.
        match : str or None
            Only the task with this `task_id` or `external_task_id`. On a list, it picks the objects
            that are changed.
        index : int or None
            Only this image of a task.
        **details
            What the kind has besides.

        Returns
        -------
        Fault
            The fault; its `used` counts, its `release` ends a hang.

        Raises
        ------
        ValueError
            Something in the order is unknown; the message names what is known.
        """
        checked = check_kind(on, do, details)
        _check_counts(on, do, times, after, match, index)
        fault = Fault(on, do, times=times, after=after, match=match, index=index, details=checked)
        with self._lock:
            self._faults = (*self._faults, fault)
        return fault

    def load(self, script: Any) -> None:
        """Order the faults of a JSON array of objects, such as ``[{"on": "create", "do": "lost"}]``.

        Raises
        ------
        ValueError
            Something in the script is unknown; no fault was ordered.
        """
        if not isinstance(script, list) or not all(isinstance(item, dict) for item in script):
            raise ValueError("a script of faults must be a JSON array of objects")
        for item in script:
            missing = {"on", "do"} - item.keys()
            if missing:
                raise ValueError(f"a fault needs {' and '.join(sorted(missing))}: {item}")
        trial = Faults()  # all or nothing
        for faults in (trial, self):
            for item in script:
                faults.add(**item)

    def clear(self) -> None:
        """Take all faults off, and let go what hangs. `used` is kept."""
        with self._lock:
            faults, self._faults = self._faults, ()
        for fault in faults:
            fault.release()

    def take(self, call: Call) -> Strikes | None:
        """Return the faults that strike a request, and count them; None if none does."""
        if not self._faults:  # the usual case: no lock
            return None
        acting: dict[str, Fault] = {}
        shapes: list[Fault] = []
        with self._lock:
            for fault in self._faults:
                if not fault.concerns(call):
                    continue
                phase = KINDS[fault.do].phase
                if not fault.strikes(free=phase == "shape" or phase not in acting):
                    continue
                self._used.append(fault)
                if phase == "shape":
                    shapes.append(fault)
                else:
                    acting[phase] = fault
        if not acting and not shapes:
            return None
        return Strikes(**acting, shape=tuple(shapes))


def _check_counts(on: str, do: str, times: int | None, after: int, match: str | None, index: int | None) -> None:
    counts = {"times": times, "after": after, "index": index}
    for name, value in counts.items():
        optional = value is None and name != "after"
        least = 1 if name == "times" else 0
        right = isinstance(value, int) and not isinstance(value, bool) and value >= least
        if not optional and not right:
            raise ValueError(f"{name} of a fault must be an integer from {least}, not {value!r}")
    if match is not None and not isinstance(match, str):
        raise ValueError(f"match of a fault must be an id, not {match!r}")
    if index is not None and on != "image":
        raise ValueError("index of a fault is for images only")
    if match is not None and on == "list" and KINDS[do].phase != "shape":
        raise ValueError(f"a list is of many tasks: a fault {do!r} cannot match one of them")
