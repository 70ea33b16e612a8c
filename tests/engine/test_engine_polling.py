"""When to ask for a task again."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kling_nb.engine.polling import FIRST, GUESSING, LONGEST, MANY, SHORTEST, Typical, next_look, typical

times = st.floats(0, 1e6)
usuals = st.none() | st.lists(st.floats(0.1, 5000), min_size=3, max_size=20).map(typical)


class TestTypical:
    @pytest.mark.parametrize("durations", [[], [5.0], [5.0, 6.0], [0.0, 0.0, 5.0, 6.0], [-1.0, -2.0, -3.0]])
    def test_too_few_to_say(self, durations):
        assert typical(durations) is None

    def test_summary(self):
        assert typical([3.0, 1.0, 2.0]) == Typical(1.0, 2.0)
        assert typical([float(number) for number in range(1, 101)]) == Typical(21.0, 51.0)

    @given(st.lists(st.floats(0, 1e6), max_size=60))
    def test_lies_within(self, durations):
        found = typical(durations)
        if found is not None:
            assert min(duration for duration in durations if duration) <= found.early <= found.median <= max(durations)


class TestFirstLook:
    def test_nothing_known(self):
        assert next_look(100.0, 100.0, None, None) == 101.0

    def test_when_the_quickest_were_done(self):
        assert next_look(100.0, 100.0, None, Typical(20.0, 30.0)) == 120.0

    def test_of_many_that_nothing_is_known_of_some_may_be_quick(self):
        assert next_look(100.0, 100.0, None, None, together=3) < 100.5

    def test_quick_tasks(self):
        assert next_look(100.0, 100.0, None, Typical(0.01, 0.02)) == 100.0 + SHORTEST

    def test_tasks_that_were_collected_a_day_later_do_not_delay_it(self):
        assert next_look(100.0, 100.0, None, Typical(50_000.0, 80_000.0)) == 100.0 + FIRST

    def test_a_task_that_was_submitted_long_ago_is_due(self):
        assert next_look(1000.0, 100.0, None, Typical(20.0, 30.0)) < 1000.0


class TestLaterLooks:
    def test_around_the_usual_time(self):
        assert next_look(120.0, 100.0, 120.0, Typical(20.0, 30.0)) == pytest.approx(123.15)

    def test_of_many_one_or_another_ends_any_moment(self):
        usual = Typical(20.0, 30.0)
        gaps = [next_look(120.0, 100.0, 120.0, usual, together=each) - 120.0 for each in (1, MANY, 2 * MANY, 4 * MANY)]
        assert gaps == pytest.approx([3.15, 3.15, 1.575, 0.7875])

    @given(st.floats(0.5, 100), st.integers(1, 400))
    def test_a_list_is_asked_for_twice_a_task_at_most(self, median, many):
        # So many tasks are under way at any time, each takes the median, and each question tells of all of them.
        gap = next_look(1e3, 1e3 - median, 1e3, Typical(0.7 * median, median), together=many) - 1e3
        assert gap == pytest.approx(SHORTEST) or median / gap / many <= 10 / min(many, MANY)

    def test_a_slow_one_is_asked_for_more_and_more_rarely(self):
        usual = Typical(20.0, 30.0)
        gaps = [next_look(100.0 + age, 100.0, 100.0 + age, usual) - 100.0 - age for age in (20, 59, 90, 900)]
        assert gaps == pytest.approx([3.15, 3.15, 6.3, LONGEST])

    def test_slower_and_slower(self):
        assert next_look(110.0, 100.0, 110.0, None) == 111.5
        assert next_look(140.0, 100.0, 140.0, None) == 146.0

    def test_bounds(self):
        assert next_look(100.1, 100.0, 100.1, None) == 100.1 + GUESSING
        assert next_look(9000.0, 100.0, 9000.0, None) == 9000.0 + LONGEST
        assert next_look(100.001, 100.0, 100.001, Typical(0.001, 0.002)) == 100.001 + SHORTEST

    @given(times, times, st.none() | times, usuals)
    def test_always_sane(self, now, began, looked, usual):
        at = next_look(now, began, looked, usual)
        assert math.isfinite(at)
        assert at <= now + max(LONGEST, FIRST)
        if looked is not None and looked <= now:
            assert SHORTEST - 1e-6 <= at - looked <= LONGEST + 1e-6

    @given(times, st.floats(0, 1000), usuals)
    def test_the_older_the_task_the_rarer_the_looks(self, began, elapsed, usual):
        assume(usual is None)
        gaps = [
            next_look(began + age, began, began + age, usual) - (began + age)
            for age in (elapsed, elapsed + 1, elapsed + 100)
        ]
        assert gaps[0] <= gaps[1] + 1e-6
        assert gaps[1] <= gaps[2] + 1e-6

    @given(times, times, st.none() | times, usuals, st.none() | st.floats(0, 60))
    def test_a_clock_that_was_set_back_delays_by_one_interval(self, now, began, looked, usual, fixed):
        at = next_look(now, began + 1e6, None if looked is None else looked + 1e6, usual, fixed)
        assert at <= now + (max(LONGEST, FIRST) if fixed is None else fixed)

    @given(times, st.floats(0, 100), st.floats(0, 100), st.floats(0, 100), usuals)
    def test_looking_later_never_brings_the_next_look_forward(self, began, elapsed, first, second, usual):
        now = began + elapsed + 200
        early, late = sorted((began + first, began + second))
        assert next_look(now, began, early, usual) <= next_look(now, began, late, usual)


class TestFixed:
    def test_counts_from_the_last_look(self):
        assert next_look(100.0, 90.0, 99.0, Typical(1.0, 2.0), 5.0) == 104.0
        assert next_look(100.0, 99.0, None, None, 5.0) == 104.0
        assert next_look(100.0, 99.0, 100.0, None, 0.0) == 100.0

    @given(times, times, st.none() | times, usuals, st.floats(0, 1e4))
    def test_always(self, now, began, looked, usual, fixed):
        assert next_look(now, began, looked, usual, fixed) <= now + fixed
