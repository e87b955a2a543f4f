"""How long the engine's planner takes for one network: its memory alone, and the whole plan.

    python benchmarks/plan_speed.py [--networks 100] [--runs 15]

Published networks, and networks drawn from the spaces of every task and size that stage 1 looks at. Processor
time, since other work may share the machine: of each network the median of all runs, and of the drawn ones
the median, the 90th percentile and the slowest. "Memory" is `arrange`, which the arena follows from; the plan
adds the order of all rows. The Graph is built and simplified before. `first` is the first time that a network
is planned in a process, when nothing about its windows is remembered from others or from an earlier run.
Prints and writes benchmarks/results/plan_speed.json.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import numpy as np
from recording import record

from tinynas.engine import operations, overlap, progress, rows, streaming
from tinynas.engine.planner import arrange, plan_network
from tinynas.graph import Graph
from tinynas.graph.passes import simplify
from tinynas.networks import PRESETS, build_graph
from tinynas.spaces import Pictures, find_family

#: native pixels, channels, classes
TASKS = ((224, 3, 1000), (96, 1, 2), (32, 3, 10), (8, 1, 10))
_TIMED: dict[str, Callable[[Graph], object]] = {"memory": arrange, "plan": plan_network}


def sampled(count: int) -> list[Graph]:
    """Networks of spaces spread over the grids of all tasks."""
    rng = np.random.default_rng(0)
    mobile = find_family("mobile")
    spaces = [space for task in TASKS for space in mobile.spaces(Pictures(*task))]
    chosen = [spaces[number * len(spaces) // count] for number in range(count)]
    return [simplify(build_graph(space.genotype(space.sample(rng)))) for space in chosen]


def forget() -> None:
    """Nothing about windows and shapes is remembered any more."""
    operations.forget()
    for module in (overlap, progress, rows, streaming):
        for remembering in vars(module).values():
            if hasattr(remembering, "cache_clear"):
                remembering.cache_clear()


def milliseconds(work: Callable[[Graph], object], graph: Graph, runs: int) -> float:
    """Processor time of `work`, the median of all runs."""
    spent = []
    for _ in range(runs):
        before = time.process_time()
        work(graph)
        spent.append(time.process_time() - before)
    return 1000 * statistics.median(spent)


def time_network(graph: Graph, runs: int) -> dict[str, float]:
    """Milliseconds of processor time for `graph`."""
    first = []
    for _ in range(3):
        forget()
        first.append(milliseconds(arrange, graph, 1))
    figures = {name: milliseconds(work, graph, runs) for name, work in _TIMED.items()}
    return {"operators": len(graph.operators), "first": statistics.median(first), **figures}


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--networks", type=int, default=100, help="networks drawn from the spaces")
    parser.add_argument("--runs", type=int, default=15, help="runs of each network")
    options = parser.parse_args()
    presets = {
        name: time_network(simplify(build_graph(genotype)), options.runs)
        for name, genotype in PRESETS.items()
    }
    drawn = [time_network(graph, options.runs) for graph in sampled(options.networks)]
    spread = {
        name: {
            "median": statistics.median(row[name] for row in drawn),
            "percentile_90": float(np.quantile([row[name] for row in drawn], 0.9)),
            "most": max(row[name] for row in drawn),
        }
        for name in ("operators", "first", *_TIMED)
    }
    print(f"{'':<20} {'operators':>9} {'memory':>8} {'plan':>8} {'first':>8}  ms of processor time")
    rows_of = {
        **presets,
        **{f"drawn, {key}": {n: v[key] for n, v in spread.items()} for key in spread["plan"]},
    }
    for name, row in rows_of.items():
        times = " ".join(f"{row[each]:8.2f}" for each in ("memory", "plan", "first"))
        print(f"{name:<20} {row['operators']:9.0f} {times}")
    record(
        "plan_speed",
        {
            "unit": "milliseconds of processor time",
            "networks": options.networks,
            "runs": options.runs,
            "load_average": os.getloadavg()[0],
            "presets": _rounded(presets),
            "drawn": _rounded(spread),
        },
    )


def _rounded(table: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {name: {key: round(value, 3) for key, value in row.items()} for name, row in table.items()}


if __name__ == "__main__":
    main()
