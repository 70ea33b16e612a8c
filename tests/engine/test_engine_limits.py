"""How many slots an account has: what is learned from what is taken and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_nb.engine.limits import AGAIN, AGAIN_AT_MOST, ALONE, beginning, is_too_large, may_probe, refused, taken
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
    assert may_probe(FIVE, NOW)


@pytest.mark.parametrize(
    ("refusals", "pause"), [(1, AGAIN), (2, 2 * AGAIN), (3, 4 * AGAIN), (5, AGAIN_AT_MOST), (5000, AGAIN_AT_MOST)]
)
def test_after_a_refusal_it_waits_ever_longer(refusals, pause):
    limit = SlotLimit(5, 5, refusals=refusals, refused_at=NOW)
    assert not may_probe(limit, NOW)
    assert not may_probe(limit, NOW + pause - 0.001)
    assert may_probe(limit, NOW + pause)


def test_a_clock_that_was_set_back_does_not_stop_the_probing():
    assert may_probe(SlotLimit(5, 5, refusals=9, refused_at=NOW), NOW - 86_400.0)


@pytest.mark.parametrize(
    ("before", "n", "occupied", "after"),
    [
        (FIVE, 2, 2, SlotLimit(5, 5, largest=2)),
        (FIVE, 2, 5, SlotLimit(5, 5, largest=2)),
        (FIVE, 2, 7, SlotLimit(5, 7, largest=2)),
        (SlotLimit(5, 5, 9, 3, NOW), 1, 3, SlotLimit(5, 5, 9, 3, NOW)),
        (SlotLimit(5, 5, 9, 3, NOW), 1, 6, SlotLimit(5, 6, 9, 0, NOW)),
    ],
)
def test_what_is_taken_raises_the_limit_to_what_is_occupied(before, n, occupied, after):
    assert taken(before, n, occupied) == after


@pytest.mark.parametrize(
    ("before", "n", "occupied", "slots"),
    [
        (FIVE, 1, 5, 5),
        (FIVE, 1, 4, 4),
        (FIVE, 3, 1, 3),
        (FIVE, 1, 9, 5),
        # Alone: it wants more than there are.
        (FIVE, 4, 0, 3),
        (SlotLimit(5, 5, largest=3), 4, 0, 3),
        # Alone, and as many were taken before, or only one is wanted: someone else uses the account.
        (SlotLimit(5, 5, largest=4), 4, 0, 5),
        (FIVE, 1, 0, 5),
        (SlotLimit(1, 1), 1, 1, 1),
    ],
)
def test_what_is_refused_lowers_the_limit_to_what_there_may_be(before, n, occupied, slots):
    after = refused(before, n, occupied, NOW)
    assert after == SlotLimit(before.begun, slots, before.largest, before.refusals + 1, NOW)


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
            assert not may_probe(limit, now)
    assert limit.slots == real
