"""What the benchmarks compute: statistics, draws, bounds and the table. Pure."""

import heapq
import math
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field


@dataclass
class Row:
    """One line of the table.

    Parameters
    ----------
    what : str
        What was measured.
    against : str
        What it is measured against.
    figure : str
        What it should be; empty where it is only shown.
    reached : str
        What it was.
    holds : bool or None
        Whether it is as it should be; None where nothing is asked or it was left out.
    note : str
        What a reader needs to judge it: why it is missed, or why it was left out.
    data : dict
        Every number behind it, for the JSON.
    """

    what: str
    against: str
    figure: str
    reached: str
    holds: bool | None = None
    note: str = ""
    data: dict = field(default_factory=dict)

    @property
    def verdict(self):
        return {True: "yes", False: "NO", None: "–"}[self.holds]


def left_out(what, against, figure, why):
    """A row that could not be measured here, and why."""
    return Row(what, against, figure, "left out", note=why)


def at_most(value, limit, digits=2):
    """Whether a value is within its limit once it is rounded as it is shown."""
    return round(value, digits) <= limit


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def ratio_of(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of what was measured side by side."""
    return median([mine / other for mine, other in zip(ours, theirs, strict=True)])


def interleaved(rounds: int, contenders: dict[str, Callable[[], object]]) -> dict[str, list]:
    """Have each contender go once a round, and begin with another one each time."""
    names = list(contenders)
    results: dict[str, list] = {name: [] for name in names}
    for number in range(rounds):
        for place in range(len(names)):
            name = names[(place + number) % len(names)]
            results[name].append(contenders[name]())
    return results


def lognormal(seed: int, count: int, mean: float, sigma: float) -> list[float]:
    """Service times with that mean; always the same for a seed."""
    draw = random.Random(seed)
    middle = math.log(mean) - sigma * sigma / 2
    return [draw.lognormvariate(middle, sigma) for _ in range(count)]


def lower_bound(weights: Sequence[int], seconds: Sequence[float], slots: int) -> float:
    """No schedule takes less: the work divided by the slots, or the longest task."""
    work = sum(n * each for n, each in zip(weights, seconds, strict=True))
    return max(work / slots, max(seconds))


def lossless(weights: Sequence[int], seconds: Sequence[float], slots: int, patience: int = 8) -> float:
    """How long a queue takes that hears of every end at once and sends in no time, but does not know the future.

    Small tasks go ahead of one that does not fit, until `patience` of them have.
    """
    waiting = [[n, each, 0] for n, each in zip(weights, seconds, strict=True)]
    free, now, ends = slots, 0.0, []
    while waiting or ends:
        left = []
        stuck = False
        for task in waiting:
            if not stuck and task[0] <= free:
                free -= task[0]
                heapq.heappush(ends, (now + task[1], task[0]))
                for earlier in left:
                    earlier[2] += 1
            else:
                left.append(task)
                stuck = stuck or task[2] >= patience
        waiting = left
        now, n = heapq.heappop(ends)
        free += n
    return now


def fewest_delay(sigma: float, looks: float, step: float = 0.01) -> float:
    """The smallest mean delay with which any schedule of single questions notices ends, as a share of the mean.

    By dynamic programming over the true distribution, which a client would have to learn first. The end is noticed
    by the first question after it; `looks` is how many questions a task may take on average.

    Parameters
    ----------
    sigma : float
        Of the lognormal service times.
    looks : float
        Questions a task.
    step : float
        Of the grid on which questions are asked.
    """
    size = int(4 / step)
    times = [index * step for index in range(size + 1)]
    done = [_below(time, sigma) for time in times]
    area = [0.0]
    for index in range(size):
        area.append(area[-1] + (done[index] + done[index + 1]) / 2 * step)
    low, high = 1.0, 4000.0
    for _ in range(12):
        price = math.sqrt(low * high)
        asked, delay = _schedule(price, times, done, area)
        low, high = (price, high) if asked < looks else (low, price)
    return delay


def _schedule(price, times, done, area):
    size = len(times) - 1
    cost, following = [0.0] * (size + 1), [size] * (size + 1)

    def delay(here, there):
        return area[there] - area[here] - done[here] * (times[there] - times[here])

    for here in range(size - 1, -1, -1):
        # Nobody waits longer than a service time between two questions.
        reach = range(here + 1, min(size, here + size // 4) + 1)
        best = min(reach, key=lambda there: price * delay(here, there) + cost[there])
        cost[here] = 1 - done[here] + price * delay(here, best) + cost[best]
        following[here] = best
    here, asked, late = 0, 0.0, 0.0
    while here < size:
        asked += 1 - done[here]
        late += delay(here, following[here])
        here = following[here]
    return asked, late


def _below(time: float, sigma: float) -> float:
    if time <= 0:
        return 0.0
    return 0.5 * (1 + math.erf((math.log(time) + sigma * sigma / 2) / (sigma * math.sqrt(2))))


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, which is also what is printed."""
    head = ["what", "against", "figure", "reached", "holds"]
    lines = [head, *([row.what, row.against, row.figure or "shown", row.reached, row.verdict] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = [_line(line, widths) for line in lines]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    notes = [f"* {row.what}: {row.note}" for row in rows if row.note]
    return "\n".join([*text, "", *notes])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"


def document(rows: Sequence[Row], facts: dict) -> dict:
    """The same for machines."""
    return {"facts": facts, "rows": [asdict(row) for row in rows]}
