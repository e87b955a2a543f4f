"""How fast stage 1 is: networks a second with each runtime's memory, beside a loop over single Graphs.

    python benchmarks/space_speed.py [--samples 1000] [--loop 200]

Photographs on an STM32F746 with 320 KiB / 1 MiB (12 resolutions x 9 widths), and the digits of the default
search. The loop builds each network's Graph and asks the runtime for its SRAM and flash, as stage 2 does;
under `engine` that is a whole plan.
Processor seconds stand beside elapsed ones, since other work may share the machine. Prints and writes
benchmarks/results/space_speed.json.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
from recording import record

from tinynas.board import Budget, load_board
from tinynas.cost import find_runtime, macs
from tinynas.networks import build_graph
from tinynas.spaces import Pictures, find_family, optimise_space

BUDGET = Budget(320 * 1024, 1024 * 1024)
#: native pixels, channels, classes
TASKS = {"photographs": (224, 3, 100), "digits": (8, 1, 10)}
RUNTIMES = ("engine", "tflm", "live")
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


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--samples", type=int, default=1000, help="networks a space")
    parser.add_argument("--loop", type=int, default=200, help="networks of the plain loop")
    options = parser.parse_args()
    rows: dict[str, dict[str, float]] = {}
    for task in TASKS:
        for runtime in RUNTIMES:
            row = time_stage(task, runtime, options.samples)
            loop = time_loop(task, runtime, options.loop)
            row |= {
                "loop_networks_per_processor_second": round(loop),
                "ratio": round(row["networks_per_processor_second"] / loop, 1),
            }
            rows[f"{task}_{runtime}"] = row
            print(
                f"{task:<12} {runtime:<6} {row['networks']:>8,} networks in {row['seconds']:.2f} s "
                f"({row['processor_seconds']:.2f} s of processor): {row['networks_per_second']:,} a second, "
                f"{row['ratio']:g} times a loop's {row['loop_networks_per_processor_second']:,}"
            )
    record("space_speed", {"samples": options.samples, "load_average": os.getloadavg()[0], "stages": rows})


if __name__ == "__main__":
    main()
