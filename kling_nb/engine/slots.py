"""Which waiting tasks may start. Pure.

A task occupies ``n`` slots of its account and model from submission to its end (the vendor's rule), so
tasks weigh differently: small ones may go ahead of a large one that does not fit yet, but not for ever.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

PATIENCE = 8
"""How many later tasks may start before an earlier one that does not fit."""


class Waiting(NamedTuple):
    """A task that waits for slots.

    Parameters
    ----------
    id : str
        Ours.
    pool : str
        What shares a limit with it: the model.
    n : int
        Slots that it occupies.
    passed : int
        How many later tasks have started before it.
    """

    id: str
    pool: str
    n: int
    passed: int = 0


class Pool(NamedTuple):
    """The slots that tasks of one model share.

    Parameters
    ----------
    limit : int
        How many there are, as far as is known.
    busy : int
        How many are occupied.
    reach : float
        How many one task alone may fill, beyond the limit, to see whether there are more.
    gentle : bool
        Whether that is the smallest task, which is the likeliest to be taken and tells most when it is not,
        rather than the one whose turn it is.
    closed : bool
        Whether nothing may start just now.
    """

    limit: int
    busy: int = 0
    reach: float = 0
    gentle: bool = False
    closed: bool = False

    @property
    def has_room(self) -> bool:
        """Whether any task could start."""
        return not self.closed and (self.busy == 0 or self.busy < max(self.limit, self.reach))


def startable(waiting: Sequence[Waiting], pools: Mapping[str, Pool]) -> list[str]:
    """Choose the tasks that may start now.

    Parameters
    ----------
    waiting : sequence of Waiting
        Oldest first.
    pools : mapping of str to Pool
        Every pool that a waiting task names.

    Returns
    -------
    list of str
        Ids, in the order to start them. A task larger than the limit starts when its pool is empty; one
        that goes beyond the limit to see whether there is more is the only one of its pool, and goes when
        nothing fits: then a refusal tells which was too many, and about a pool that is full.
    """
    used = {name: pool.busy for name, pool in pools.items()}
    closed = {name for name, pool in pools.items() if pool.closed}
    started: set[str] = set()
    chosen: set[str] = set()
    beyond: dict[str, list[Waiting]] = {}
    for task in waiting:
        if task.pool in closed:
            continue
        pool, occupied = pools[task.pool], used[task.pool]
        if occupied == 0 or occupied + task.n <= pool.limit:
            used[task.pool] = occupied + task.n
            started.add(task.pool)
            chosen.add(task.id)
            continue
        if occupied + task.n <= pool.reach:
            beyond.setdefault(task.pool, []).append(task)
        if task.passed >= PATIENCE:
            closed.add(task.pool)
    for name, tasks in beyond.items():
        if name not in started:
            chosen.add((min(tasks, key=lambda task: task.n) if pools[name].gentle else tasks[0]).id)
    return [task.id for task in waiting if task.id in chosen]
