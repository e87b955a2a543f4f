"""A run folder as a search leaves it, at any of its stages: real costs, invented accuracies, no training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tinynas.board import Budget, load_board
from tinynas.cost import find_runtime
from tinynas.cost.latency import latency_model
from tinynas.networks import build_graph, parse_genotype
from tinynas.search import Candidate, Limits, Origin, open_run
from tinynas.search.history import HistoryWriter
from tinynas.spaces import SpaceReport, SpaceStats
from tinynas.spaces.statistics import QUANTILES
from tinynas.supernet.phase import Progress

BOARD = load_board("stm32f746")
BUDGET = Budget(64 * 1024, 256 * 1024)
REQUEST: dict[str, Any] = {
    "board": "stm32f746",
    "sram_bytes": BUDGET.sram_bytes,
    "flash_bytes": BUDGET.flash_bytes,
    "runtime": "engine",
    "data": "digits",
    "effort": "quick",
    "seed": 7,
    "backend": "tensorflow",
    "strategy": "evolution",
    "numbers": {"population": 4, "iterations": 1},
}
#: in the order of a search
STAGES = ("request", "space", "training", "candidates", "chosen", "result", "deployed")
#: accuracy falls with the place; the first is a little of everything
GENOTYPES = tuple(
    f"r16x1 conv_k3_s2_c8 ir_k{k}_s1_e{e}_c8 ir_k5_s2_e4_c16_se0.25 ir_k3_s1_e{e}_c16 fc_c10"
    for k, e in ((7, 6), (5, 4), (3, 4), (3, 1))
)
ACCURACIES = (0.9, 0.85, 0.8, 0.6)


def make_run(folder: Path, upto: str = "deployed", **changes: Any) -> Path:
    """A run in `folder` that got as far as the stage `upto`; `changes` of its request."""
    reached = STAGES[: STAGES.index(upto) + 1]
    with open_run(folder, REQUEST | changes) as run:
        if "space" in reached:
            run.write_json("space.json", _space().to_dict())
            run.write_json("times.json", {"space": 5.5, "supernet": 65.0})
        if "training" in reached:
            for phase, steps in (("largest network", 40), ("supernet", 20)):
                train(folder / "history.jsonl", phase, steps)
            run.write_json("supernet.json", {})
        if "candidates" in reached:
            for candidate in candidates():
                run.journal.append(candidate)
        if "chosen" in reached:
            run.write_json("winner.json", {"genotype": GENOTYPES[0], "candidates": len(GENOTYPES)})
        if "result" in reached:
            run.write_json("result.json", result())
            run.write_json(
                "environment.json", [{"tinynas": "0.1.0", "commit": None, "packages": {"numpy": "2"}}]
            )
        if "deployed" in reached:
            run.write_json("deployments/stm32f746-virtual.json", deployment())
    return folder


def train(path: Path, phase: str, steps: int, done: int | None = None) -> None:
    """The curve of a phase of which `done` steps were taken."""
    writer = HistoryWriter(path, phase, 0)
    for step in range(1, (done or steps) + 1):
        writer.note(Progress(phase, step, steps, step / 10, 2.3 - step / steps, step / steps))
    writer.flush()


@cache
def candidates() -> tuple[Candidate[Mapping[str, Any]], ...]:
    """Four networks of two generations, with what they really take."""
    engine = find_runtime("engine")
    latency = latency_model(BOARD, engine)
    limits = Limits(runtime=engine, board=BOARD, budget=BUDGET, latency=latency)
    origins = (Origin.MUTATION, Origin.CROSSOVER, Origin.RANDOM, Origin.SEED)
    return tuple(
        Candidate(text, {}, accuracy, limits.footprint(parse_genotype(text)), 1 - place // 2, origin)
        for place, (text, accuracy, origin) in enumerate(zip(GENOTYPES, ACCURACIES, origins, strict=True))
    )


def result() -> dict[str, Any]:
    """What an export writes of the first network."""
    footprint = candidates()[0].footprint
    return {
        "board": "stm32f746",
        "genotype": GENOTYPES[0],
        "space": "w0.2-r16",
        "model": "model.tflite",
        "params": footprint.params,
        "macs": footprint.macs,
        "sram_bytes": footprint.sram_bytes,
        "sram_budget_bytes": BUDGET.sram_bytes,
        "flash_bytes": footprint.flash_bytes,
        "flash_budget_bytes": BUDGET.flash_bytes,
        "accuracy_float": 0.975,
        "accuracy_int8": 0.95,
        "test_pictures": 360,
        "compared_pictures": 32,
        "warning": None,
    }


def deployment() -> dict[str, Any]:
    """What a virtual board answers for the first network."""
    operators = find_runtime("engine").runs(build_graph(parse_genotype(GENOTYPES[0]))).operators
    cycles = [1000 * (place + 1) for place in range(len(operators))]
    return {
        "board": "stm32f746",
        "model": "run",
        "times": "modelled, +-15 %; by the virtual board",
        "clock_hz": 216_000_000,
        "kernels": "dsp",
        "compiler": "GCC 12.2.1",
        "caches": {"instructions": True, "data": False},
        "runs": 10,
        "latency_ms": sum(cycles) / 216e3,
        "cycles": {"min": 1, "median": sum(cycles), "max": 2},
        "cycles_by_operator": cycles,
        "operators": [operator.kind.value for operator in operators],
        "sram_bytes": {"predicted": 9000, "elf": 9000, "board": 9000},
        "flash_bytes": {"predicted": 50_500, "elf": 50_000, "board": 50_000},
        "parts": {"engine_bytes": {"predicted": 8500, "elf": 8000, "board": None}},
        "samples": 100,
        "wrong_samples": 0,
        "accuracy_on_board": 0.94,
    }


def damage(file: Path, content: object) -> None:
    """Replaces a file of a run."""
    file.write_text(content if isinstance(content, str) else json.dumps(content))


def _space() -> SpaceReport:
    spaces = tuple(_stats(width / 10, 1e5 * width) for width in range(3, 7))
    return SpaceReport(
        family="mobile",
        board="stm32f746",
        budget=BUDGET,
        runtime="engine",
        native=16,
        in_channels=1,
        classes=10,
        samples=100,
        seed=7,
        min_share=0.05,
        spaces=spaces,
        chosen_name=spaces[-1].name,
        note="",
        seconds=1.0,
    )


def _stats(width: float, mean: float) -> SpaceStats:
    return SpaceStats(
        name=f"w{width:g}-r16",
        resolution=16,
        share=0.5,
        share_sram=0.5,
        share_flash=1.0,
        mean_macs=mean,
        p80_macs=1.3 * mean,
        smallest_sram_bytes=5_000,
        smallest_flash_bytes=20_000,
        smallest_macs=100_000,
        smallest_satisfies=True,
        macs_quantiles=tuple(int(macs) for macs in np.linspace(mean / 2, 1.5 * mean, QUANTILES)),
    )
