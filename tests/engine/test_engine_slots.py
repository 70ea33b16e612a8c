"""Which waiting tasks may start."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from kling_nb.engine.slots import PATIENCE, Pool, Waiting, startable


def line(*sizes, pool="m", passed=0):
    return [Waiting(str(number), pool, n, passed) for number, n in enumerate(sizes)]


def test_nothing_waits():
    assert startable([], {}) == []
    assert startable([], {"m": Pool(5, 3)}) == []


def test_as_many_as_fit_in_order():
    assert startable(line(1, 2, 2, 1), {"m": Pool(5)}) == ["0", "1", "2"]
    assert startable(line(1, 2, 2, 1), {"m": Pool(5, 3)}) == ["0", "3"]
    assert startable(line(1), {"m": Pool(5, 5)}) == []


def test_small_ones_go_ahead_of_a_large_one():
    assert startable(line(4, 1), {"m": Pool(5, 3)}) == ["1"]


def test_but_not_for_ever():
    large, *small = line(4, 1, 1)
    assert startable([large._replace(passed=PATIENCE - 1), *small], {"m": Pool(5, 3)}) == ["1", "2"]
    assert startable([large._replace(passed=PATIENCE), *small], {"m": Pool(5, 3)}) == []


def test_whoever_waits_in_vain_holds_up_its_own_pool_alone():
    large = Waiting("large", "m", 4, PATIENCE)
    others = [Waiting("a", "m", 1), Waiting("b", "other", 1)]
    assert startable([large, *others], {"m": Pool(5, 3), "other": Pool(5, 3)}) == ["b"]


def test_pools_do_not_share_slots():
    tasks = [Waiting("a", "m", 5), Waiting("b", "other", 5), Waiting("c", "m", 1)]
    assert startable(tasks, {"m": Pool(5), "other": Pool(5)}) == ["a", "b"]


def test_one_larger_than_the_limit_runs_alone():
    assert startable(line(9, 1), {"m": Pool(5)}) == ["0"]
    assert startable(line(9), {"m": Pool(5, 1)}) == []
    assert startable(line(1, 9), {"m": Pool(5)}) == ["0"]


def test_limits_may_differ_between_pools():
    tasks = [Waiting("a", "m", 2), Waiting("b", "m", 2), Waiting("c", "other", 2), Waiting("d", "other", 2)]
    assert startable(tasks, {"m": Pool(2), "other": Pool(20)}) == ["a", "c", "d"]


def test_one_goes_beyond_the_limit_to_see_whether_there_is_more():
    assert startable(line(2, 1), {"m": Pool(5, 5, reach=math.inf)}) == ["0"]
    assert startable(line(9), {"m": Pool(5, 5, reach=math.inf)}) == ["0"]


def test_nothing_goes_beyond_the_limit_together_with_others():
    """A refusal would not tell which of them was too many."""
    assert startable(line(1, 1), {"m": Pool(5, 4, reach=math.inf)}) == ["0"]
    assert startable(line(1, 4, 9), {"m": Pool(5, reach=math.inf)}) == ["0", "1"]


def test_what_fits_goes_first_and_beyond_the_limit_goes_what_comes_when_it_is_full():
    assert startable(line(4, 1), {"m": Pool(5, 4, reach=math.inf)}) == ["1"]
    assert startable(line(4, 1), {"m": Pool(5, 5, reach=math.inf)}) == ["0"]


def test_beyond_the_limit_goes_what_is_within_reach():
    assert startable(line(4, 2, 3), {"m": Pool(5, 5, reach=8)}) == ["1"]
    assert startable(line(4, 3), {"m": Pool(5, 5, reach=8)}) == ["1"]
    assert startable(line(4, 4), {"m": Pool(5, 5, reach=8)}) == []
    assert startable(line(3, 1, 1), {"m": Pool(5, 4, reach=5)}) == ["1"]


def test_gently_the_smallest_goes_beyond_and_of_equals_the_first():
    assert startable(line(3, 2, 2, 4), {"m": Pool(5, 5, reach=8, gentle=True)}) == ["1"]
    assert startable(line(3, 2), {"m": Pool(5, 5, reach=math.inf, gentle=True)}) == ["1"]


def test_nothing_goes_beyond_ahead_of_whoever_waited_long_enough():
    large, *small = line(4, 1, 1)
    large = large._replace(passed=PATIENCE)
    assert startable([large, *small], {"m": Pool(5, 5, reach=8, gentle=True)}) == []
    assert startable([large, *small], {"m": Pool(5, 5, reach=9, gentle=True)}) == ["0"]
    assert startable([small[0], large, small[1]], {"m": Pool(5, 5, reach=8, gentle=True)}) == ["1"]


def test_each_pool_has_its_own_that_goes_beyond():
    tasks = [Waiting("a", "m", 2), Waiting("b", "other", 3), Waiting("c", "m", 1), Waiting("d", "other", 1)]
    full = Pool(5, 5, reach=9)
    assert startable(tasks, {"m": full._replace(gentle=True), "other": full}) == ["b", "c"]


def test_also_whoever_waited_long_enough_may_go_beyond():
    assert startable(line(4, 1, passed=PATIENCE), {"m": Pool(5, 3, reach=math.inf)}) == ["0"]


def test_a_pool_that_is_closed_starts_nothing_and_holds_up_no_other():
    tasks = [Waiting("a", "m", 1), Waiting("b", "other", 1)]
    assert startable(tasks, {"m": Pool(5, closed=True, reach=math.inf), "other": Pool(5)}) == ["b"]


tasks = st.lists(
    st.builds(
        Waiting,
        id=st.uuids().map(str),
        pool=st.sampled_from("ab"),
        n=st.integers(1, 9),
        passed=st.integers(0, PATIENCE + 1),
    ),
    max_size=12,
)
reaches = st.one_of(st.integers(0, 30), st.just(math.inf))
pool = st.builds(Pool, st.integers(1, 20), st.integers(0, 20), reaches, st.booleans(), st.booleans())
pools = st.fixed_dictionaries({"a": pool, "b": pool})


@given(tasks, pools)
def test_never_more_than_the_limit_unless_alone(waiting, pools):
    chosen = startable(waiting, pools)
    started = [task for task in waiting if task.id in chosen]
    assert [task.id for task in started] == chosen
    for name, (limit, busy, reach, _, closed) in pools.items():
        mine = [task for task in started if task.pool == name]
        assert not (mine and closed)
        filled = busy + sum(task.n for task in mine)
        assert filled <= limit or not mine or (len(mine) == 1 and (filled <= reach or not busy))


@given(tasks, st.integers(1, 20), reaches)
def test_something_always_starts_where_nothing_runs(waiting, limit, reach):
    chosen = startable(waiting, {"a": Pool(limit, reach=reach), "b": Pool(limit, reach=reach)})
    assert {task.pool for task in waiting} == {task.pool for task in waiting if task.id in chosen}
    assert not waiting or waiting[0].id in chosen


@given(st.lists(st.integers(1, 9), min_size=1, max_size=30), st.integers(1, 20), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_every_task_starts_and_none_is_passed_by_many(sizes, limit, random):
    """A small simulation: tasks end in any order while small new ones come in all the time."""
    waiting = [Waiting(f"first{number}", "m", n) for number, n in enumerate(sizes)]
    running = []
    for newcomer in range(20 * (len(sizes) + PATIENCE) + 50):
        if not any(task.id.startswith("first") for task in waiting):
            return
        waiting.append(Waiting(f"later{newcomer}", "m", 1))
        chosen = startable(waiting, {"m": Pool(limit, sum(task.n for task in running))})
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


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(1, 20), st.integers(0, 25), st.integers(0, 30))
def test_nothing_starts_where_there_is_no_room(sizes, limit, busy, reach):
    for closed in (False, True):
        pool = Pool(limit, busy, reach, closed=closed)
        assert pool.has_room or not startable(line(*sizes), {"m": pool})
