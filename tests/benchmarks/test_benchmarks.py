"""The pure parts of the benchmarks; the benchmarks themselves are run by `make bench`, never by pytest."""

import importlib.util
import json
import random
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def figures():
    """The module, as it is for `python -m tests.benchmarks`, wherever pytest was started."""
    spec = importlib.util.spec_from_file_location("kling_bench_figures", Path(__file__).with_name("figures.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_a_round_has_every_contender_once_and_begins_with_another(figures):
    order = []
    results = figures.interleaved(3, {name: lambda name=name: order.append(name) or len(order) for name in "abc"})
    assert order == list("abcbcacab")
    assert results["a"] == [1, 6, 8]


def test_ratios_are_of_what_was_measured_side_by_side(figures):
    assert figures.ratio_of([1.0, 20.0, 3.0], [2.0, 40.0, 3.0]) == 0.5


def test_draws_are_the_same_for_a_seed_and_have_their_mean(figures):
    assert figures.lognormal(7, 50, 1.0, 0.5) == figures.lognormal(7, 50, 1.0, 0.5)
    draws = figures.lognormal(1, 20_000, 2.0, 0.5)
    assert sum(draws) / len(draws) == pytest.approx(2.0, rel=0.02)


def test_nothing_is_quicker_than_the_bound_and_without_loss_it_is_kept_up_with(figures):
    assert figures.lower_bound([1, 1], [4.0, 1.0], 20) == 4.0
    assert figures.lower_bound([5, 5], [1.0, 3.0], 5) == 4.0
    assert figures.lossless([1] * 40, [1.0] * 40, 20) == 2.0
    draw = random.Random(1)
    for _ in range(20):
        weights = [draw.randint(1, 9) for _ in range(30)]
        seconds = [draw.uniform(0.1, 3.0) for _ in weights]
        assert figures.lossless(weights, seconds, 20) >= figures.lower_bound(weights, seconds, 20) - 1e-9


def test_a_large_task_is_not_passed_for_ever(figures):
    # One of n=4 waits behind a long one; at most two small ones may go before it.
    assert figures.lossless([2, 4, *[1] * 10], [1.0, 1.0, *[1.0] * 10], 4, patience=2) >= 3.0


def test_more_questions_can_be_less_late(figures):
    few, many = (figures.fewest_delay(0.3, looks, 0.05) for looks in (2.5, 5.0))
    assert 0.02 < many < few < 0.2


def test_the_table_says_what_holds_what_does_not_and_what_was_left_out(figures):
    rows = [
        figures.Row("speed", "theirs", "≤ 0.5 ×", "0.40 ×", True, data={"raw": [1]}),
        figures.Row("memory", "theirs", "≤ 0.5 ×", "0.60 ×", False, "because"),
        figures.left_out("grid", "somebody", "", "not to be had here"),
    ]
    lines = figures.table(rows).splitlines()
    assert [line.split("|")[5].strip() for line in lines[2:5]] == ["yes", "NO", "–"]
    assert len({len(line) for line in lines[:5]}) == 1
    assert lines[6:] == ["* memory: because", "* grid: not to be had here"]
    assert json.loads(json.dumps(figures.document(rows, {"cores": 2})))["rows"][0]["data"] == {"raw": [1]}


@pytest.mark.parametrize(("value", "holds"), [(0.5, True), (0.5049, True), (0.5051, False)])
def test_a_figure_is_judged_as_it_is_shown(figures, value, holds):
    assert figures.at_most(value, 0.5) is holds


def test_pytest_takes_no_benchmark_for_a_test():
    assert [path.name for path in Path(__file__).parent.glob("*test*.py")] == [Path(__file__).name]
