"""Whole firmware's times on a virtual F746, for every goal, beside the best published for the real one.

    python benchmarks/firmware_speed.py [--models ../shared/models]

Runs `tinynas deploy MODEL --board stm32f746 --virtual` for MLPerf Tiny's four: firmware as users build it,
with caches and flash wait states, and kernels chosen by the board's calibration. Outputs must equal those of
TensorFlow Lite Micro. Times are modelled: virtual_mlperf.py says how far they are from published ones. Prints
a table and writes results/firmware_speed.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from published import F746_MS
from recording import record
from rich.console import Console
from rich.table import Table

from tinynas.engine.goals import Goal

ROOT = Path(__file__).resolve().parent.parent
_BOARD = "stm32f746"


@dataclass(frozen=True)
class FirmwareSpeed:
    """One model deployed for one goal: an inference's median, `times` says how it is known."""

    model: str
    goal: str
    cycles: int
    ms: float
    times: str
    arena_bytes: int
    flash_bytes: int
    plumerai_ms: float


def deploy(model: Path, goal: Goal) -> FirmwareSpeed:
    """Firmware of `model`, on the virtual board.

    Raises:
        AssertionError: an output differs from TFLM's.
        subprocess.CalledProcessError: it cannot be deployed; the reason is on stderr.
    """
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tinynas", "deploy", str(model), "--board", _BOARD, "--virtual"]
        command += ["--optimize", goal.value, "--output", folder, "--samples", "3", "--json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    if told["wrong_samples"]:
        raise AssertionError(f"{model.stem}: {told['wrong_samples']} outputs differ from TFLM's")
    return FirmwareSpeed(
        model.stem,
        goal.value,
        told["cycles"]["median"],
        round(told["latency_ms"], 2),
        told["times"],
        told["arena_bytes"]["board"],
        told["flash_bytes"]["board"],
        F746_MS[model.stem],
    )


def show(speeds: Iterable[FirmwareSpeed]) -> None:
    """The table."""
    table = Table(title=f"One inference on the virtual {_BOARD}", title_justify="left")
    for heading in ("model", "for", "cycles", "ms", "arena B", "flash B", "Plumerai ms"):
        table.add_column(heading, justify="left" if heading in ("model", "for") else "right")
    for each in speeds:
        table.add_row(
            each.model.split("__")[-1],
            each.goal,
            f"{each.cycles:,}",
            f"{each.ms:.2f}",
            f"{each.arena_bytes:,}",
            f"{each.flash_bytes:,}",
            f"{each.plumerai_ms:.1f}",
        )
    Console().print(table)


def main() -> None:
    """Deploy, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", type=Path, default=ROOT.parent / "shared" / "models")
    options = parser.parse_args()
    if missing := [name for name in F746_MS if not (options.models / f"{name}.tflite").is_file()]:
        sys.exit(f"{options.models} lacks {', '.join(missing)}: name the folder of models with --models")
    speeds = [deploy(options.models / f"{name}.tflite", goal) for name in F746_MS for goal in Goal]
    show(speeds)
    record("firmware_speed", {"board": _BOARD, "firmwares": [asdict(each) for each in speeds]})


if __name__ == "__main__":
    main()
