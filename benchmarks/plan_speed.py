"""How long the engine's planner takes for one network: its memory alone, and the whole plan.

    python benchmarks/plan_speed.py [--networks 100] [--runs 15]

Published networks, and networks drawn from the spaces of every task and size that stage 1 looks at. Processor
time, since other work may share the machine: of each network the median of all runs, and of the drawn ones
the median, the 90th percentile and the slowest. "Memory" is `arrange`, which the arena follows from; the plan
adds the order of all rows. The Graph is built and simplified before. What the planner remembers of operators
and windows makes a difference, so there are three cases:

- `first`: nothing is remembered, as for the first network in a process;
- `memory`, `plan`: the same network was planned before, so that all is;
- `searched`: as in a search, where no network comes twice. Of each of ten spaces of a family a hundred
  networks are planned, then twenty others are timed, once each. `least` is `least_arena`.

Prints and writes benchmarks/results/plan_speed.json.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import time
from collections.abc import Callable

import numpy as np
from recording import record

from tinynas.engine import alike, choosing, leaner, operations, overlap, progress, rows, streaming
from tinynas.engine.planner import arrange, least_arena, plan_network
from tinynas.graph import Graph
from tinynas.graph.passes import simplify
from tinynas.networks import PRESETS, build_graph
from tinynas.spaces import Pictures, find_family

#: native pixels, channels, classes
TASKS = ((224, 3, 1000), (96, 1, 2), (32, 3, 10), (8, 1, 10))
_TIMED: dict[str, Callable[[Graph], object]] = {"memory": arrange, "plan": plan_network}
#: families, their spaces, networks of each planned before, and timed
_FAMILIES, _SPACES, _BEFORE, _THEN = ("mobile", "regnetx", "regnety"), 10, 100, 20


def sampled(count: int) -> list[Graph]:
    """Networks of spaces spread over the grids of all tasks."""
    rng = np.random.default_rng(0)
    mobile = find_family("mobile")
    spaces = [space for task in TASKS for space in mobile.spaces(Pictures(*task))]
    chosen = [spaces[number * len(spaces) // count] for number in range(count)]
    return [simplify(build_graph(space.genotype(space.sample(rng)))) for space in chosen]


def searched(name: str) -> dict[str, list[float]]:
    """Milliseconds for networks of spaces of the family `name`, after others of the same space."""
    rng = np.random.default_rng(1)
    family = find_family(name)
    spaces = [space for task in TASKS for space in family.spaces(Pictures(*task))]
    spent: dict[str, list[float]] = {"operators": [], "memory": [], "least": []}
    for number in range(_SPACES):
        space = spaces[number * len(spaces) // _SPACES]
        drawn = {space.genotype(space.sample(rng)): None for _ in range(_BEFORE + _THEN)}
        graphs = [simplify(build_graph(genotype)) for genotype in drawn]
        forget()
        for graph in graphs[:-_THEN]:
            arrange(graph)
        for turn, graph in enumerate(graphs[-_THEN:]):
            # neither may find what the other has just remembered
            figure, work = (("memory", arrange), ("least", least_arena))[turn % 2]
            spent["operators"].append(len(graph.operators))
            spent[figure].append(milliseconds(work, graph, 1))
    return spent


def spread(values: list[float]) -> dict[str, float]:
    """What is said of many networks."""
    return {
        "median": statistics.median(values),
        "percentile_90": float(np.quantile(values, 0.9)),
        "most": max(values),
    }


def forget() -> None:
    """Nothing about operators, windows and shapes is remembered any more."""
    for module in (alike, choosing, leaner, operations):
        module.forget()
    for module in (overlap, progress, rows, streaming):
        for remembering in vars(module).values():
            if hasattr(remembering, "cache_clear"):
                remembering.cache_clear()


def milliseconds(work: Callable[[Graph], object], graph: Graph, runs: int) -> float:
    """Processor time of `work`, the median of all runs, without garbage collection, as `timeit` has it."""
    spent = []
    gc.collect(1)
    gc.disable()
    for _ in range(runs):
        before = time.process_time()
        work(graph)
        spent.append(time.process_time() - before)
    gc.enable()
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
    spreads = {name: spread([row[name] for row in drawn]) for name in ("operators", "first", *_TIMED)}
    families = {
        family: {figure: spread(values) for figure, values in searched(family).items()}
        for family in _FAMILIES
    }
    print(f"{'':<20} {'operators':>9} {'memory':>8} {'plan':>8} {'first':>8}  ms of processor time")
    rows_of = {
        **presets,
        **{f"drawn, {key}": {n: v[key] for n, v in spreads.items()} for key in spreads["plan"]},
    }
    for name, row in rows_of.items():
        times = " ".join(f"{row[each]:8.2f}" for each in ("memory", "plan", "first"))
        print(f"{name:<20} {row['operators']:9.0f} {times}")
    print("\nafter a hundred others of the space, each network once: memory, the least bytes alone")
    for family, figures in families.items():
        for key in figures["memory"]:
            times = " ".join(f"{figures[each][key]:8.2f}" for each in ("memory", "least"))
            print(f"{f'{family}, {key}':<20} {figures['operators'][key]:9.0f} {times}")
    record(
        "plan_speed",
        {
            "unit": "milliseconds of processor time",
            "networks": options.networks,
            "runs": options.runs,
            "load_average": os.getloadavg()[0],
            "presets": _rounded(presets),
            "drawn": _rounded(spreads),
            "searched": {family: _rounded(figures) for family, figures in families.items()},
        },
    )


def _rounded(table: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {name: {key: round(value, 3) for key, value in row.items()} for name, row in table.items()}


if __name__ == "__main__":
    main()
