"""How long to wait before trying again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_nb.engine.backoff import delay

jitters = st.floats(0, 1)
firsts = st.floats(0.01, 10)
longests = st.floats(10, 600)


def test_doubles():
    assert [delay(failures, first=1.0, longest=30.0, jitter=1.0) for failures in range(1, 8)] == [
        *[1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    ]


@pytest.mark.parametrize(("jitter", "expected"), [(0.0, 2.0), (0.5, 3.0), (1.0, 4.0)])
def test_jitter_takes_away_half_at_most(jitter, expected):
    assert delay(3, first=1.0, longest=30.0, jitter=jitter) == expected


@given(st.integers(1, 10**6), firsts, longests, jitters)
def test_bounded(failures, first, longest, jitter):
    assert first / 2 <= delay(failures, first=first, longest=longest, jitter=jitter) <= longest


@given(st.integers(1, 100), firsts, longests, jitters)
def test_never_shorter_after_more_failures(failures, first, longest, jitter):
    before = delay(failures, first=first, longest=longest, jitter=jitter)
    assert before <= delay(failures + 1, first=first, longest=longest, jitter=jitter)
