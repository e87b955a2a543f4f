"""How fast times of new X-block networks are estimated (`tinynas.spaces.estimates`).

    python benchmarks/estimate_speed.py [--networks 2000]

Photographs for a hundred classes; networks are drawn as stage 1 draws them, a hundred from each of some
spaces of the grid, and estimated five spaces at a time. Each family, board and goal has a process of its own,
whose first networks meet what nobody remembers. All figures are networks a processor second: `first` of the
first 500, `later` of the others, `all` of all and of a garbage collection at the end, `known` of all once
more. Drawing is not counted. Prints and writes benchmarks/results/estimate_speed.json.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import time
from itertools import product

import numpy as np
from recording import record

from tinynas.board import Budget, load_board
from tinynas.cost import find_runtime
from tinynas.cost.runtime import aim_within
from tinynas.cost.times import require_latency_model
from tinynas.engine.goals import Goal
from tinynas.networks import Genotype, build_graph
from tinynas.spaces import Pictures, find_family
from tinynas.spaces.estimates import Estimates

FAMILIES = ("regnetx", "regnety", "anynetx-a")
BOARDS = ("stm32f746", "stm32h743", "stm32l4r5")
#: so that no limit takes a kernel
_WHOLE = Budget(2**30, 2**30)
#: networks of a space, and networks estimated together
_SAMPLES, _TOGETHER = 100, 500
#: networks whose Graphs are asked, too
_CHECKED = 5


def draw(family: str, count: int) -> list[Genotype]:
    """New networks of spaces evenly spread over the grid, `_SAMPLES` each."""
    spaces = find_family(family).spaces(Pictures(224, 3, 100))
    taken = [spaces[int(place)] for place in np.linspace(0, len(spaces) - 1, -(-count // _SAMPLES))]
    rngs = [np.random.default_rng([0, number]) for number in range(len(taken))]
    return [
        space.genotype(space.sample(rng))
        for space, rng in zip(taken, rngs, strict=True)
        for _ in range(_SAMPLES)
    ]


def time_estimates(family: str, board: str, goal: str, count: int) -> dict[str, float]:
    """Networks a processor second, of networks that this process has not met."""
    networks, target = draw(family, count), load_board(board)
    model = require_latency_model(target, find_runtime("engine", aim_within(Goal(goal), _WHOLE, target)))
    estimates, told, spent = Estimates(model), list[float](), []
    for start in range(0, len(networks), _TOGETHER):
        before = time.process_time()
        told += estimates.milliseconds(networks[start : start + _TOGETHER])
        spent.append(time.process_time() - before)
    before = time.process_time()
    gc.collect()
    collected = time.process_time() - before
    before = time.process_time()
    if estimates.milliseconds(networks) != told:
        raise SystemExit("estimates change when they are asked for again")
    known = time.process_time() - before
    for network, milliseconds in list(zip(networks, told, strict=True))[:: len(networks) // _CHECKED]:
        if model.estimate(build_graph(network)) != milliseconds:
            raise SystemExit(f"{network} is not what its Graph is estimated to take")
    return {
        "networks": len(networks),
        "first": round(_TOGETHER / spent[0]),
        "later": round((len(networks) - _TOGETHER) / sum(spent[1:])),
        "all": round(len(networks) / (sum(spent) + collected)),
        "known": round(len(networks) / known),
    }


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--networks", type=int, default=2000, help="new networks of each kind")
    options = parser.parse_args()
    rows: dict[str, dict[str, float]] = {}
    fresh = multiprocessing.get_context("spawn")
    for family, board, goal in product(FAMILIES, BOARDS, [goal.value for goal in Goal]):
        with fresh.Pool(1) as process:
            row = process.apply(time_estimates, (family, board, goal, options.networks))
        rows[f"{family}_{board}_{goal}"] = row
        print(
            f"{family:<10} {board:<10} {goal:<9} {row['networks']:,} new: {row['all']:,} a processor second "
            f"({row['first']:,} of the first {_TOGETHER}, {row['later']:,} later), known {row['known']:,}",
            flush=True,
        )
    record("estimate_speed", {"load_average": os.getloadavg()[0], "estimates": rows})


if __name__ == "__main__":
    main()
