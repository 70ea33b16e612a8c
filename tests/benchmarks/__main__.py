"""Runs the benchmarks and prints one table: ``python -m tests.benchmarks``."""

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import time
import traceback
from pathlib import Path

from tests.benchmarks import figures, processes

GROUPS = {
    "makespan": "rows_tasks.makespan_small",
    "mixed": "rows_tasks.makespan_mixed",
    "limit": "rows_tasks.unknown_limit",
    "one-by-one": "rows_tasks.one_by_one",
    "request": "rows_requests.request",
    "decoding": "rows_requests.decoding",
    "memory": "rows_tasks.memory",
    "load": "rows_notebook.load",
    "first": "rows_notebook.first",
    "grid": "rows_notebook.grid",
    "comparison": "rows_notebook.comparison",
    "history": "rows_notebook.history",
    "growth": "rows_tasks.growth",
    "server": "rows_tasks.server_alone",
}


def main(arguments=None):
    options = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    options.add_argument("--short", action="store_true", help="see that every row works; the figures say nothing")
    options.add_argument("--only", default="", help=f"some of: {', '.join(GROUPS)}")
    options.add_argument("--json", type=Path, help="where the numbers go", metavar="FILE")
    chosen = options.parse_args(arguments)
    names = chosen.only.split(",") if chosen.only else list(GROUPS)
    rows, broken, begun = [], [], time.perf_counter()
    for name in names:
        module, _, function = GROUPS[name].rpartition(".")
        started = time.perf_counter()
        try:
            rows += getattr(importlib.import_module(f"tests.benchmarks.{module}"), function)(chosen.short)
        except Exception as error:  # the other rows are to be seen all the same
            broken.append(name)
            traceback.print_exc()
            rows.append(figures.left_out(name, "", "", f"it broke: {type(error).__name__}"))
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    print(figures.table(rows))
    print(f"\n{time.perf_counter() - begun:.0f} s in all, {facts()['cores']} cores, load {os.getloadavg()[0]:.1f}")
    if chosen.json:
        chosen.json.write_text(json.dumps(figures.document(rows, facts()), indent=1, ensure_ascii=False, default=str))
    return 1 if broken else 0


def facts():
    """Where and on what the table was made."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=processes.ROOT, check=False
    )
    return {
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
    }


if __name__ == "__main__":
    sys.exit(main())
