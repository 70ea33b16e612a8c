"""Rows about many tasks: how full the slots are, how often the server is asked, what a task costs."""

import random

from tests.benchmarks import figures, processes
from tests.benchmarks.figures import Row, at_most, median

SEED = 0
SLOTS = 20


def plan_of(weights, prefix="task"):
    return [(f"{prefix} {number}", n) for number, n in enumerate(weights)]


def run(who, tasks, times, *, lists=True, server_slots=SLOTS, slots=SLOTS, before=0, keep=None, **server):
    """Have tasks made by one contender on a new server; return what came of it, with what the server saw."""
    earlier = [(f"earlier {number}", 1) for number in range(before)]
    planned = {prompt: seconds for (prompt, _), seconds in zip(tasks, times, strict=True)}
    planned |= {prompt: median(times) for prompt, _ in earlier}
    with processes.folder() as folder, processes.Server(slots=server_slots, times=planned, lists=lists, **server) as it:
        plan = {
            "base_url": it.base_url,
            "tasks": tasks,
            "before": earlier,
            "slots": slots,
            "folder": str(keep or folder / "made"),
            "reference": processes.small_reference(folder),
        }
        result = processes.python(who, plan)
        seen = it.report()
    ended = {prompt: at for prompt, at in seen.pop("ended").items() if not prompt.startswith("earlier")}
    noticed = result.pop("noticed", {})
    late = [noticed[prompt] - at for prompt, at in ended.items() if prompt in noticed]
    return {**result, **seen, "late": sum(late) / len(late) if late else 0.0}


class Race:
    """The same tasks by us and by the expert, side by side, and the first of them by the sample."""

    def __init__(self, name, weights, seconds, limit, rounds, sampled):
        self.name = name
        self.tasks, self.times = plan_of(weights), seconds
        self.bound = figures.lower_bound(weights, seconds, SLOTS)
        self.lossless = figures.lossless(weights, seconds, SLOTS)
        self.limit = limit
        self.results = figures.interleaved(
            rounds,
            {who: lambda who=who: run(who, self.tasks, seconds) for who in ("ours", "expert")},
        )
        self.sample = run("sample", self.tasks[:sampled], seconds[:sampled])
        self.sampled = sampled

    def seconds(self, who):
        return [result["seconds"] for result in self.results[who]]

    def rows(self, *, refusals):
        ours, theirs = self.seconds("ours"), self.seconds("expert")
        makespan = median(ours) / self.bound
        data = {"bound": self.bound, "lossless": self.lossless, **self.results}
        lossless = self.lossless / self.bound
        reached = f"{makespan:.2f} ×"
        holds = at_most(makespan, self.limit)
        figure = f"≤ {self.limit} ×"
        late = median([each["late"] for each in self.results["ours"]])
        behind = figures.lossless([n for _, n in self.tasks], [each + late for each in self.times], SLOTS) / self.bound
        note = (
            f"a queue that loses no time and does not know the future takes {lossless:.2f} × for this draw, and "
            f"{behind:.2f} × where it hears of each end {late * 1000:.0f} ms late, as ours did on average with "
            f"{_questions(self.results['ours'], len(self.tasks)):.1f} status requests a task"
        )
        if refusals:
            share = 100 * median([each["refused"] for each in self.results["ours"]]) / len(self.tasks)
            reached += f", {share:.1f} % refused"
            figure += ", ≤ 2 % refused"
            holds = holds and share <= 2.0
        faster = figures.ratio_of(ours, theirs)
        scaled = self.sample["seconds"] * len(self.tasks) / self.sampled
        return [
            Row(self.name, "lower bound", figure, reached, holds, note, data),
            Row(self.name, "expert's loop", "≤ 0.8 ×", f"{faster:.2f} ×", at_most(faster, 0.8)),
            Row(
                self.name,
                "sample code",
                "",
                f"{median(ours) / scaled:.3f} ×",
                note=f"the sample made the first {self.sampled} one after the other; the rest is scaled",
                data=self.sample,
            ),
        ]


def makespan_small(short):
    count, rounds, sampled = (30, 1, 1) if short else (200, 2, 4)
    mean = 0.3 if short else 1.0
    race = Race(f"{count} tasks of n=1", [1] * count, figures.lognormal(SEED, count, mean, 0.5), 1.08, rounds, sampled)
    cost = [
        mine["processor"] / theirs["processor"]
        for mine, theirs in zip(race.results["ours"], race.results["expert"], strict=True)
    ]
    ours = [1000 * each["processor"] / count for each in race.results["ours"]]
    used = Row(
        "CPU a task, image decoding apart",
        "expert's loop",
        "≤ 1.5 ×",
        f"{median(cost):.2f} × ({median(ours):.0f} ms)",
        at_most(median(cost), 1.5),
        "the loop keeps no journal, asks for a task 2 times on average, and flushes, hashes and labels nothing",
        data={"ours ms": ours, "ratios": cost},
    )
    return [*race.rows(refusals=False), used, _asked(race.results["ours"], count)]


def _questions(results, count):
    return median([(each["lists"] + each["queries"]) / count for each in results])


def _asked(results, count):
    asked = _questions(results, count)
    return Row("status requests, with the list", "tasks", "≤ 2 a task", f"{asked:.2f} a task", at_most(asked, 2.0))


def makespan_mixed(short):
    count, sampled, mean = (8, 1, 0.3) if short else (120, 2, 1.5)
    draw = random.Random(SEED)
    weights = [draw.randint(1, 9) for _ in range(count)]
    race = Race(f"{count} tasks of mixed n", weights, figures.lognormal(SEED, count, mean, 0.5), 1.15, 1, sampled)
    return race.rows(refusals=True)


def unknown_limit(short):
    count, mean = (15, 0.2) if short else (200, 1.0)
    times = figures.lognormal(SEED, count, mean, 0.5)
    tasks = plan_of([1] * count)
    known = run("ours", tasks, times)
    with processes.folder() as folder:
        first = run("ours", tasks, times, slots=5, keep=folder / "made")
        again = run("ours", tasks, times, slots=5, keep=folder / "made")
    learning, learned = first["seconds"] / known["seconds"], again["seconds"] / known["seconds"]
    return [
        Row(
            "limit unknown (5 to begin with, 20 there)",
            "knowing it",
            "≤ 1.25 ×, then right",
            f"{learning:.2f} ×, then {learned:.2f} ×",
            at_most(learning, 1.25) and at_most(learned, 1.1),
            f"{first['refused']} creates refused while it was learned, {again['refused']} the next time",
            {"known": known, "first": first, "again": again},
        )
    ]


def one_by_one(short):
    count, mean = (15, 0.3) if short else (160, 1.5)
    times = figures.lognormal(SEED, count, mean, 0.3)
    result = run("ours", plan_of([1] * count), times, lists=False, before=0 if short else 10)
    asked, late = result["queries"] / count, 100 * result["late"] / (sum(times) / count)
    least = 100 * figures.fewest_delay(0.3, 4.0, 0.01 if not short else 0.05)
    return [
        Row(
            "status requests, one by one",
            "tasks; service time",
            "≤ 4 a task, ≤ 5 % late",
            f"{asked:.1f} a task, {late:.1f} % late",
            at_most(asked, 4.0, 1) and at_most(late, 5.0, 1),
            f"no schedule of 4 questions can be less than {least:.1f} % late at σ = 0.3, also one that knows the "
            "distribution (by dynamic programming over it)",
            {**result, "least": least},
        )
    ]


def growth(short):
    counts = (10, 30) if short else (100, 1000, 3000)
    results = {}
    for count in counts:
        results[count] = run("ours", plan_of([1] * count), [0.0] * count, server_slots=100_000, slots=SLOTS)
    each = {count: 1000 * result["seconds"] / count for count, result in results.items()}
    worst = max(each.values()) / min(each.values())
    shown = ", ".join(f"{count}: {milliseconds:.0f} ms" for count, milliseconds in each.items())
    return [
        Row(
            "how the cost of a task grows",
            "fewest tasks",
            "flat within 1.3 ×",
            f"{worst:.2f} × ({shown})",
            at_most(worst, 1.3),
            data={str(count): result for count, result in results.items()},
        )
    ]


def memory(short):
    count = 3 if short else 223
    weights = [9] * count
    result = run("ours", plan_of(weights), [0.05] * count, server_slots=100_000, slots=SLOTS, before=1, large=True)
    grown = result["peak"] - result["resting"]
    return [
        Row(
            f"peak memory of a run of {result['images']:,} images, 2 MB each",
            "start of the run",
            "≤ + 100 MB",
            f"+ {grown:.0f} MB",
            grown <= 100,
            data=result,
        )
    ]


def server_alone(short):
    """What the sandbox does by itself, asked as fast as one bare connection can."""
    with processes.Server(slots=10**9, seconds=0.0) as server, processes.folder() as folder:
        plan = {
            "base_url": server.base_url,
            "reference": processes.small_reference(folder),
            "seconds": 0.5 if short else 2.0,
        }
        rates = processes.python("hammer", plan)
    needed = SLOTS / 1.0
    shown = ", ".join(f"{rate:.0f} {what}" for what, rate in rates.items())
    return [
        Row(
            "the sandbox by itself",
            "requests a second",
            "",
            shown,
            note=f"the runs above need about {needed:.0f} creates and images and {2 * needed:.0f} status requests a second",
            data=rates,
        )
    ]
