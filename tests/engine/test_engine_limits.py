"""How many slots an account has: what is learned from what is taken and what is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_nb.engine.limits import AGAIN, AGAIN_AT_MOST, ALONE, SOON, beginning, is_too_large, reach, refused, taken
from kling_nb.records import SlotLimit

NOW = 1_000_000.0
FIVE = SlotLimit(5, 5)


def test_the_setting_is_the_beginning_and_what_was_learned_from_it_goes_on():
    learned = SlotLimit(5, 17, largest=9, refusals=2, refused_at=3.0)
    assert beginning(None, 5) == FIVE
    assert beginning(learned, 5) == learned


def test_a_setting_that_the_user_has_changed_begins_anew():
    assert beginning(SlotLimit(5, 17, 9), 6) == SlotLimit(6, 6)


def test_what_was_never_refused_goes_beyond_the_limit():
    assert reach(FIVE, NOW) == math.inf


@pytest.mark.parametrize(
    ("ceiling", "most", "refusals", "pause"),
    [
        (7, 5, 1, AGAIN),
        (7, 7, 2, 2 * AGAIN),
        (7, 5, 3, 4 * AGAIN),
        (7, 5, 5, AGAIN_AT_MOST),
        (7, 5, 5000, AGAIN_AT_MOST),
        # More was held before, so someone else uses the account.
        (7, 8, 1, SOON),
        (7, 8, 2, 2 * SOON),
        (7, 20, 5000, AGAIN),
        # No refusal is at hand that would say how many there are.
        (0, 8, 1, AGAIN),
    ],
)
def test_beyond_the_ceiling_it_waits_ever_longer(ceiling, most, refusals, pause):
    limit = SlotLimit(5, 5, refusals=refusals, refused_at=NOW, ceiling=ceiling, most=most)
    assert reach(limit, NOW) == ceiling
    assert reach(limit, NOW + pause - 0.001) == ceiling
    assert reach(limit, NOW + pause) == math.inf


def test_a_clock_that_was_set_back_does_not_stop_the_probing():
    assert reach(SlotLimit(5, 5, refusals=9, refused_at=NOW, ceiling=5), NOW - 86_400.0) == math.inf


@pytest.mark.parametrize(
    ("before", "n", "occupied", "after"),
    [
        (FIVE, 2, 2, SlotLimit(5, 5, largest=2, most=2)),
        (FIVE, 2, 5, SlotLimit(5, 5, largest=2, most=5)),
        (FIVE, 2, 7, SlotLimit(5, 7, largest=2, most=7)),
        # Within what is known, and below the ceiling: the refusals still say what they said.
        (SlotLimit(5, 5, 9, 3, NOW, 8, 5), 1, 3, SlotLimit(5, 5, 9, 3, NOW, 8, 5)),
        (SlotLimit(5, 5, 9, 3, NOW, 8, 5), 1, 6, SlotLimit(5, 6, 9, 3, NOW, 8, 6)),
        (SlotLimit(5, 5, 9, 3, NOW, 8, 5), 3, 8, SlotLimit(5, 8, 9, 3, NOW, 8, 8)),
        # Beyond the ceiling: it is none, and the next may try at once.
        (SlotLimit(5, 8, 9, 3, NOW, 8, 8), 1, 9, SlotLimit(5, 9, 9, 2, 0.0, 0, 9)),
        (SlotLimit(5, 2, 9, 3, NOW, 2, 20), 2, 4, SlotLimit(5, 4, 9, 2, 0.0, 0, 20)),
        (SlotLimit(5, 2, 9, 0, 0.0, 0, 20), 2, 4, SlotLimit(5, 4, 9, 0, 0.0, 0, 20)),
    ],
)
def test_what_is_taken_raises_the_limit_to_what_is_occupied(before, n, occupied, after):
    assert taken(before, n, occupied) == after


@pytest.mark.parametrize(
    ("before", "n", "occupied", "slots", "ceiling"),
    [
        # As many as are thought to be there, and perhaps some more.
        (FIVE, 1, 5, 5, 5),
        (FIVE, 4, 5, 5, 8),
        (FIVE, 4, 3, 5, 6),
        # The lowest of the ceilings holds.
        (SlotLimit(5, 5, ceiling=6), 4, 5, 5, 6),
        (SlotLimit(5, 5, ceiling=8), 2, 5, 5, 6),
        # Fewer than were thought: what is held is known to work, and there may be more.
        (FIVE, 1, 4, 4, 4),
        (FIVE, 3, 1, 1, 3),
        (SlotLimit(1, 1), 1, 1, 1, 1),
        # Alone: it wants more than there are.
        (FIVE, 4, 0, 3, 3),
        (FIVE, 9, 0, 5, 8),
        (SlotLimit(5, 5, largest=3), 4, 0, 3, 3),
    ],
)
def test_what_is_refused_shows_a_ceiling_and_lowers_the_limit_to_what_is_held(before, n, occupied, slots, ceiling):
    after = refused(before, n, occupied, NOW)
    assert after == SlotLimit(before.begun, slots, before.largest, before.refusals + 1, NOW, ceiling)


@pytest.mark.parametrize(("before", "n"), [(FIVE, 1), (SlotLimit(5, 2, 4, 3, NOW, 2, 20), 4)])
def test_alone_and_no_larger_than_was_taken_before_someone_else_uses_the_account(before, n):
    """And what the refusals before have shown may be due to them as well."""
    after = refused(before, n, 0, NOW + 1.0)
    assert (after.slots, after.most, after.largest) == (before.slots, before.most, before.largest)
    assert (after.refusals, after.ceiling, reach(after, NOW + 1.0)) == (0, 0, math.inf)


def test_those_refused_together_count_once_and_show_the_lowest_ceiling():
    first = refused(FIVE, 1, 4, NOW)
    second = refused(first, 1, 3, NOW, together=True)
    assert (second.refusals, second.slots, second.ceiling) == (1, 3, 3)


@pytest.mark.parametrize(
    ("before", "n", "occupied", "most"),
    [
        # Just found, and refused at once: there it got the place of one that had ended unseen.
        (SlotLimit(5, 6, largest=4, most=6), 1, 5, 5),
        (SlotLimit(5, 8, largest=4, most=8), 1, 5, 5),
        (SlotLimit(5, 9, largest=4, most=9), 1, 4, 9),
        # Found long ago: one too many is as good as none.
        (SlotLimit(5, 6, largest=4, refusals=1, refused_at=NOW, ceiling=6, most=6), 1, 5, 5),
        (SlotLimit(5, 7, largest=4, refusals=1, refused_at=NOW, ceiling=7, most=7), 1, 5, 7),
        # Lowered already: someone else uses the account.
        (SlotLimit(5, 6, largest=4, most=7), 1, 5, 7),
        (SlotLimit(5, 6, largest=4, most=6), 2, 6, 6),
    ],
)
def test_the_most_that_were_held_may_be_a_mistake(before, n, occupied, most):
    assert refused(before, n, occupied, NOW).most == most


@pytest.mark.parametrize(
    ("largest", "n", "alone", "verdict"),
    [
        (0, 4, ALONE, True),
        (0, 4, ALONE - 1, False),
        (3, 4, ALONE, True),
        (4, 4, ALONE + 9, False),
        (0, 1, ALONE + 9, False),
    ],
)
def test_too_large_is_what_was_refused_alone_and_never_taken(largest, n, alone, verdict):
    assert is_too_large(SlotLimit(5, 5, largest), n, alone) is verdict


@given(st.integers(1, 40), st.integers(1, 40))
def test_the_queue_finds_out_how_many_there_are(setting, real):
    """So many tasks of one image are under way as are thought to fit, and one more is sent."""
    limit, now = beginning(None, setting), NOW
    for _ in range(45):
        now += AGAIN_AT_MOST
        occupied = min(limit.slots, real)
        if occupied < real:
            limit = taken(limit, 1, occupied + 1)
        else:
            limit = refused(limit, 1, occupied, now)
            assert reach(limit, now) <= limit.ceiling
    assert limit.slots == real
