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
    limit : int
        Slots that the pool has.
    passed : int
        How many later tasks have started before it.
    """

    id: str
    pool: str
    n: int
    limit: int
    passed: int = 0


def startable(waiting: Sequence[Waiting], busy: Mapping[str, int]) -> list[str]:
    """Choose the tasks that may start now.

    Parameters
    ----------
    waiting : sequence of Waiting
        Oldest first.
    busy : mapping of str to int
        Slots that are occupied in each pool.

    Returns
    -------
    list of str
        Ids, in the order to start them. A task larger than the limit starts when its pool is empty.
    """
    used = dict(busy)
    closed: set[str] = set()
    chosen = []
    for task in waiting:
        if task.pool in closed:
            continue
        occupied = used.get(task.pool, 0)
        if occupied == 0 or occupied + task.n <= task.limit:
            used[task.pool] = occupied + task.n
            chosen.append(task.id)
        elif task.passed >= PATIENCE:
            closed.add(task.pool)
    return chosen
