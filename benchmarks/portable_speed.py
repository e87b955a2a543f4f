"""Executed instructions of one inference on cores without DSP: the engine's portable path.

    python benchmarks/portable_speed.py [--models ../shared/models] [--only vww]

Models of up to 20 M multiply-accumulates are compiled for the goals ram and speed, built by arm-none-eabi-gcc
-O2 for a Cortex-M3 and a Cortex-M0+, and run under Unicorn on the input of ../shared/reference/peers.md;
output bytes must equal TensorFlow Lite Micro's. Prints a table and writes results/portable_speed.json.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from armv7em.build import CORTEX_M0_PLUS, CORTEX_M3, compiler_missing
from armv7em.unicorn_process import unicorn_missing
from recording import record
from rich.console import Console
from rich.table import Table
from speed import compiler, run_on

from tinynas.cost.compute import macs
from tinynas.engine.goals import Goal
from tinynas.errors import ModelError
from tinynas.graph.tflite import read_tflite

ROOT = Path(__file__).resolve().parent.parent
_MOST_MACS = 20_000_000


@dataclass(frozen=True)
class PortableSpeed:
    """One model on one core for one goal. `macs` are the .tflite's."""

    model: str
    core: str
    goal: str
    macs: int
    instructions: int
    arena_bytes: int


def measure(model: Path, total: int) -> list[PortableSpeed]:
    """A model of `total` multiply-accumulates on every core for every goal.

    Raises:
        ModelError: the engine cannot run the model.
        AssertionError: an output byte differs from TFLM's.
    """
    found = []
    for core in (CORTEX_M3, CORTEX_M0_PLUS):
        for goal in (Goal.RAM, Goal.SPEED):
            with tempfile.TemporaryDirectory() as folder:
                emitted, counted = run_on(core, model, goal, Path(folder))
            arena = emitted.plan.arena
            found.append(PortableSpeed(model.stem, core.cpu, goal.value, total, counted.total, arena))
    return found


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", type=Path, default=ROOT.parent / "shared" / "models")
    parser.add_argument("--only", default="", help="models whose name holds this; nothing is recorded")
    options = parser.parse_args()
    for missing in (compiler_missing(), unicorn_missing()):
        if missing:
            sys.exit(missing)
    speeds, refused = [], {}
    for file in sorted(options.models.glob("*.tflite")):
        if options.only not in file.stem or (total := macs(read_tflite(file))) > _MOST_MACS:
            continue
        try:
            speeds += measure(file, total)
        except ModelError as error:
            refused[file.stem] = str(error)
        print(file.stem, file=sys.stderr)
    if not speeds:
        sys.exit("no .tflite file there: name the folder with --models")
    table = Table("model", "core", "for")
    for heading in ("instructions", "a MAC", "arena B"):
        table.add_column(heading, justify="right")
    for each in speeds:
        figures = (f"{each.instructions:,}", f"{each.instructions / each.macs:.2f}", f"{each.arena_bytes:,}")
        table.add_row(each.model.split("__")[-1], each.core, each.goal, *figures)
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    if not options.only:
        models = [asdict(each) for each in speeds]
        record("portable_speed", {"compiler": compiler(), "models": models, "refused": refused})


if __name__ == "__main__":
    main()
