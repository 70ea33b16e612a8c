"""Which waiting tasks may start."""

from hypothesis import given, settings
from hypothesis import strategies as st

from kling_nb.engine.slots import PATIENCE, Waiting, startable


def line(*sizes, limit=5, pool="m", passed=0):
    return [Waiting(str(number), pool, n, limit, passed) for number, n in enumerate(sizes)]


def test_nothing_waits():
    assert startable([], {}) == []
    assert startable([], {"m": 3}) == []


def test_as_many_as_fit_in_order():
    assert startable(line(1, 2, 2, 1), {}) == ["0", "1", "2"]
    assert startable(line(1, 2, 2, 1), {"m": 3}) == ["0", "3"]
    assert startable(line(1), {"m": 5}) == []


def test_small_ones_go_ahead_of_a_large_one():
    assert startable(line(4, 1), {"m": 3}) == ["1"]


def test_but_not_for_ever():
    large, *small = line(4, 1, 1)
    assert startable([large._replace(passed=PATIENCE - 1), *small], {"m": 3}) == ["1", "2"]
    assert startable([large._replace(passed=PATIENCE), *small], {"m": 3}) == []


def test_whoever_waits_in_vain_holds_up_its_own_pool_alone():
    large = Waiting("large", "m", 4, 5, PATIENCE)
    others = [Waiting("a", "m", 1, 5), Waiting("b", "other", 1, 5)]
    assert startable([large, *others], {"m": 3, "other": 3}) == ["b"]


def test_pools_do_not_share_slots():
    tasks = [Waiting("a", "m", 5, 5), Waiting("b", "other", 5, 5), Waiting("c", "m", 1, 5)]
    assert startable(tasks, {}) == ["a", "b"]


def test_one_larger_than_the_limit_runs_alone():
    assert startable(line(9, 1, limit=5), {}) == ["0"]
    assert startable(line(9, limit=5), {"m": 1}) == []
    assert startable(line(1, 9, limit=5), {}) == ["0"]


def test_limits_may_differ_between_tasks():
    tasks = [Waiting("a", "m", 2, 2), Waiting("b", "m", 2, 2), Waiting("c", "m", 2, 20)]
    assert startable(tasks, {}) == ["a", "c"]


tasks = st.lists(
    st.builds(
        Waiting,
        id=st.uuids().map(str),
        pool=st.sampled_from("ab"),
        n=st.integers(1, 9),
        limit=st.just(0),
        passed=st.integers(0, PATIENCE + 1),
    ),
    max_size=12,
)


@given(tasks, st.integers(1, 20), st.dictionaries(st.sampled_from("ab"), st.integers(0, 20)))
def test_never_more_than_the_limit_unless_alone(waiting, limit, busy):
    waiting = [task._replace(limit=limit) for task in waiting]
    chosen = startable(waiting, busy)
    started = [task for task in waiting if task.id in chosen]
    assert [task.id for task in started] == chosen
    for pool in "ab":
        mine = [task for task in started if task.pool == pool]
        used = busy.get(pool, 0) + sum(task.n for task in mine)
        alone = len(mine) == 1 and not busy.get(pool)
        assert not mine or used <= limit or alone


@given(tasks, st.integers(1, 20))
def test_something_always_starts_where_nothing_runs(waiting, limit):
    waiting = [task._replace(limit=limit) for task in waiting]
    chosen = startable(waiting, {})
    assert {task.pool for task in waiting} == {task.pool for task in waiting if task.id in chosen}
    assert not waiting or waiting[0].id in chosen


@given(st.lists(st.integers(1, 9), min_size=1, max_size=30), st.integers(1, 20), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_every_task_starts_and_none_is_passed_by_many(sizes, limit, random):
    """A small simulation: tasks end in any order while small new ones come in all the time."""
    waiting = [Waiting(f"first{number}", "m", n, limit) for number, n in enumerate(sizes)]
    running = []
    for newcomer in range(20 * (len(sizes) + PATIENCE) + 50):
        if not any(task.id.startswith("first") for task in waiting):
            return
        waiting.append(Waiting(f"later{newcomer}", "m", 1, limit))
        chosen = startable(waiting, {"m": sum(task.n for task in running)})
        running += [task for task in waiting if task.id in chosen]
        waiting = [
            task._replace(passed=task.passed + sum(later.id in chosen for later in waiting[place + 1 :]))
            for place, task in enumerate(waiting)
            if task.id not in chosen
        ]
        assert all(task.passed < PATIENCE + limit for task in waiting)
        if running:
            running.pop(random.randrange(len(running)))
    raise AssertionError("a task never started")
