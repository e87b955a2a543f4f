"""How fast stage 1 is: networks a second with each runtime's memory, beside a loop over single Graphs.

    python benchmarks/space_speed.py [--samples 1000] [--loop 200] [--x-samples 100]

Photographs on an STM32F746 with 320 KiB / 1 MiB (12 resolutions x 9 widths), and the digits of the default
search. The loop builds each network's Graph and asks the runtime for its SRAM and flash, as stage 2 does;
under `engine` that is a whole plan.
Families of X blocks are measured on photographs under the engine, each goal and budget in a process of its
own, which remembers no block: memory alone, and with times within 100 ms. Their loop works out what stage 1
counts from each Graph.
Processor seconds stand beside elapsed ones, since other work may share the machine. Prints and writes
benchmarks/results/space_speed.json.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from dataclasses import replace
from itertools import product

import numpy as np
from recording import record

from tinynas.board import Budget, load_board
from tinynas.cost import find_runtime, macs
from tinynas.cost.counts import count
from tinynas.cost.runtime import aim_within
from tinynas.engine.goals import Goal
from tinynas.engine.planner import least_arena
from tinynas.graph.passes import simplify
from tinynas.networks import build_graph
from tinynas.spaces import Pictures, find_family, optimise_space
from tinynas.spaces.family import Target
from tinynas.spaces.x_families import network_needs

BUDGET = Budget(320 * 1024, 1024 * 1024)
#: native pixels, channels, classes
TASKS = {"photographs": (224, 3, 100), "digits": (8, 1, 10)}
RUNTIMES = ("engine", "tflm", "live")
X_FAMILIES = ("regnetx", "regnety", "anynetx-d")
#: KiB of SRAM, and the goal whose times count or none
X_BUDGETS = ((320, None), (320, "ram"), (320, "speed"), (64, None))
_LATENCY_MS = 100.0
_RUNS = 3


def time_stage(task: str, runtime: str, samples: int) -> dict[str, float]:
    """The fastest of three runs of the whole stage."""
    native, channels, classes = TASKS[task]
    board, rule, runs = load_board("stm32f746"), find_runtime(runtime), []
    for _ in range(_RUNS):
        before = time.process_time()
        report = optimise_space(
            board, BUDGET, rule, native=native, in_channels=channels, classes=classes, samples=samples
        )
        runs.append((report.seconds, time.process_time() - before, report.networks))
    seconds, processor, networks = min(runs)
    return {
        "networks": networks,
        "seconds": round(seconds, 3),
        "processor_seconds": round(processor, 3),
        "networks_per_second": round(networks / seconds),
        "networks_per_processor_second": round(networks / processor),
    }


def time_loop(task: str, runtime: str, count: int) -> float:
    """Networks a processor second, one Graph at a time, over spaces spread across the grid."""
    native, channels, classes = TASKS[task]
    spaces, rng = find_family("mobile").spaces(Pictures(native, channels, classes)), np.random.default_rng(0)
    board, rule = load_board("stm32f746"), find_runtime(runtime)
    before = time.process_time()
    for number in range(count):
        space = spaces[number * len(spaces) // count]
        graph = build_graph(space.genotype(space.sample(rng)))
        rule.sram(graph, board), rule.flash(graph, board), macs(graph)
    return count / (time.process_time() - before)


def time_x_stage(family: str, kib: int, goal: str | None, samples: int) -> dict[str, float]:
    """One run of the whole stage; what is remembered is part of it."""
    native, channels, classes = TASKS["photographs"]
    board = load_board("stm32f746")
    budget = Budget(kib * 1024, BUDGET.flash_bytes, _LATENCY_MS if goal else None)
    runtime = find_runtime("engine", aim_within(Goal(goal or "ram"), budget, board))
    before = time.process_time()
    report = optimise_space(
        board,
        budget,
        runtime,
        native=native,
        in_channels=channels,
        classes=classes,
        family=find_family(family),
        samples=samples,
    )
    processor = time.process_time() - before
    return {
        "networks": report.networks,
        "seconds": round(report.seconds, 3),
        "processor_seconds": round(processor, 3),
        "networks_per_second": round(report.networks / report.seconds),
        "networks_per_processor_second": round(report.networks / processor),
    }


def time_x_loop(family: str, kib: int, networks: int) -> float:
    """Networks a processor second, one Graph at a time; checks that stage 1 counts the same."""
    spaces, rng = find_family(family).spaces(Pictures(*TASKS["photographs"])), np.random.default_rng(0)
    board, runtime, enough = load_board("stm32f746"), find_runtime("engine"), kib * 1024
    taken = [spaces[number * len(spaces) // networks] for number in range(networks)]
    drawn, told = [space.genotype(space.sample(rng)) for space in taken], []
    before = time.process_time()
    for genotype in drawn:
        graph = build_graph(genotype)
        simple = simplify(graph)
        told.append((macs(graph), least_arena(simple, enough), runtime.flash_of(count(simple), board)))
    loop = networks / (time.process_time() - before)
    target = Target(board, replace(BUDGET, sram_bytes=enough), runtime)
    if not np.array_equal(np.transpose(network_needs(drawn, target, enough)), told):
        raise SystemExit(f"{family}: stage 1 counts something else than Graphs say")
    return loop


def beside(row: dict[str, float], loop: float) -> dict[str, float]:
    """The figures of a stage with those of a loop of so many networks a processor second."""
    return row | {
        "loop_networks_per_processor_second": round(loop),
        "ratio": round(row["networks_per_processor_second"] / loop, 1),
    }


def time_x_families(samples: int, loop: int) -> dict[str, dict[str, float]]:
    """Every family, budget and goal."""
    rows, fresh = {}, multiprocessing.get_context("spawn")
    for family, (kib, goal) in product(X_FAMILIES, X_BUDGETS):
        with fresh.Pool(1) as process:
            row = process.apply(time_x_stage, (family, kib, goal, samples))
            rate = process.apply(time_x_loop, (family, kib, loop))
        row = beside(row, rate)
        rows[f"{family}_{kib}k_{goal or 'memory'}"] = row
        print(
            f"{family:<10} {kib:>4} KiB {goal or 'memory':<6} {row['networks']:>7,} networks in "
            f"{row['seconds']:.2f} s ({row['processor_seconds']:.2f} s of processor): "
            f"{row['networks_per_processor_second']:,} a processor second, {row['ratio']:g} times a loop's "
            f"{row['loop_networks_per_processor_second']:,}",
            flush=True,
        )
    return rows


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--samples", type=int, default=1000, help="networks a space")
    parser.add_argument("--loop", type=int, default=200, help="networks of the plain loop")
    parser.add_argument("--x-samples", type=int, default=100, help="networks a space of X blocks")
    options = parser.parse_args()
    rows: dict[str, dict[str, float]] = {}
    for task in TASKS:
        for runtime in RUNTIMES:
            row = time_stage(task, runtime, options.samples)
            loop = time_loop(task, runtime, options.loop)
            row = beside(row, loop)
            rows[f"{task}_{runtime}"] = row
            print(
                f"{task:<12} {runtime:<6} {row['networks']:>8,} networks in {row['seconds']:.2f} s "
                f"({row['processor_seconds']:.2f} s of processor): {row['networks_per_second']:,} a second, "
                f"{row['ratio']:g} times a loop's {row['loop_networks_per_processor_second']:,}"
            )
    x_rows = time_x_families(options.x_samples, options.loop)
    figures = {"samples": options.samples, "x_samples": options.x_samples, "load_average": os.getloadavg()[0]}
    record("space_speed", {**figures, "stages": rows, "x_families": x_rows})


if __name__ == "__main__":
    main()
