"""Work side by side: in order, all of it, and with the first thing that went wrong."""

import threading

import pytest

from kling_nb.parallel import THREADS, in_parallel


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_results_come_in_the_order_of_the_items(count):
    assert in_parallel(lambda number: number * number, iter(range(count))) == [n * n for n in range(count)]


def test_it_is_side_by_side():
    together = threading.Barrier(THREADS, timeout=60)
    assert in_parallel(lambda _: together.wait() >= 0, range(2 * THREADS)) == [True] * (2 * THREADS)


def test_one_thing_alone_needs_no_thread():
    assert in_parallel(lambda _: threading.current_thread(), [1]) == [threading.current_thread()]


def test_the_first_failure_in_the_order_of_the_items_is_raised_and_the_others_are_done():
    done, late = [], threading.Event()

    def work(number):
        if number == 2:
            late.wait(60)
            raise KeyError(number)
        if number == 4:
            late.set()
            raise ValueError(number)
        done.append(number)

    with pytest.raises(KeyError):
        in_parallel(work, range(7))
    assert sorted(done) == [0, 1, 3, 5, 6]
