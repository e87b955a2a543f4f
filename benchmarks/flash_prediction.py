"""What firmware takes of SRAM and flash, predicted before it is built and as it was linked: to the byte?

    python benchmarks/flash_prediction.py [--models ../shared/models] [--board BOARD ...]

Firmware of every model in the folder, for every goal, on one board; and of the smallest model on all others
that need no framework. PlatformIO builds each as `tinynas build` does, but for the proof of the C. What does
not fit a board is counted as such. Exit status 1 if a prediction that is said to be exact is not. Writes
benchmarks/results/flash_prediction.json.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from recording import record

from tinynas.board import Board, load_board
from tinynas.cost import count
from tinynas.cost.code_table import code_table
from tinynas.cost.engine_flash import plan_flash
from tinynas.device.elf import firmware_size
from tinynas.device.golden import MODEL_NAME, add_golden
from tinynas.device.parts import MemoryParts
from tinynas.device.platformio import build, choose_environment
from tinynas.device.prediction import doubts, predicted_parts
from tinynas.device.project import find_project
from tinynas.engine.emit import emit
from tinynas.engine.goals import Goal
from tinynas.engine.planner import plan_network
from tinynas.errors import ModelError, RequestError
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import read_tflite
from tinynas.pipeline.aims import aim_on

ROOT = Path(__file__).resolve().parent.parent
_VECTORS = 2


@dataclass(frozen=True)
class Row:
    """Bytes of one firmware, predicted and linked; `doubts` is why the former may be off, None if exact."""

    model: str
    board: str
    goal: str
    sram: tuple[int, int]
    flash: tuple[int, int]
    wrong_parts: tuple[str, ...]
    doubts: str | None

    @property
    def is_wrong(self) -> bool:
        """Whether it is said to be exact, and is not."""
        return self.doubts is None and bool(self.wrong_parts)


def measured(model: Path, board: Board, goal: Goal, folder: Path) -> Row:
    """The firmware of `model`, predicted and built in `folder`."""
    graph = simplify(read_tflite(model))
    plan = plan_network(graph, aim_on(board, goal, graph))
    parts = predicted_parts(
        code_table(), board, plan, plan_flash(plan, count(plan.graph), board), vectors=_VECTORS
    )
    library = folder / "lib" / MODEL_NAME
    emit(plan, MODEL_NAME, library)
    ends = (plan.graph.inputs, plan.graph.outputs)
    golden = [[np.zeros((_VECTORS, plan.graph.tensors[i].size_bytes), np.int8) for i in end] for end in ends]
    add_golden(library, plan, b"", *golden)
    environment = choose_environment(board.id, find_project())
    firmware = build(environment, find_project(), libraries=folder / "lib", build_dir=folder / "build")
    size = firmware_size(firmware.elf)
    linked = MemoryParts.of_elf(size)
    told, found = parts.by_key(), linked.by_key()
    return Row(
        model.stem,
        board.id,
        goal.value,
        (parts.sram_bytes or 0, size.ram_bytes),
        (parts.flash_bytes or 0, size.flash_bytes),
        tuple(name for name in told if told[name] != found[name]),
        doubts(code_table(), board, environment),
    )


def asked(models: list[Path], boards: list[Board]) -> Iterator[tuple[Path, Board, Goal]]:
    """Every model on the first board, the smallest on the others; every goal."""
    smallest = min(models, key=lambda file: file.stat().st_size)
    for board in boards:
        for model in models if board is boards[0] else [smallest]:
            for goal in Goal:
                yield model, board, goal


def main() -> int:
    """Build, compare, record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=ROOT.parent / "shared" / "models")
    parser.add_argument("--board", nargs="+", default=["stm32f746", *sorted(code_table().boards)])
    options = parser.parse_args()
    boards = [load_board(name) for name in dict.fromkeys(options.board)]
    rows, left_out = [], []
    for model, board, goal in asked(sorted(options.models.glob("*.tflite")), boards):
        try:
            with TemporaryDirectory(prefix="tinynas-flash-") as folder:
                rows.append(measured(model, board, goal, Path(folder)))
        except (RequestError, ModelError) as error:  # it does not fit, or has an operator without a kernel
            left_out.append(f"{model.stem} for {goal.value} on {board.id}: {error}")
            continue
        row = rows[-1]
        verdict = row.doubts or (f"WRONG: {', '.join(row.wrong_parts)}" if row.is_wrong else "exact")
        sizes = " ".join(f"{size:>9,}" for size in row.flash)
        print(f"{row.model:40} {row.board:10} {row.goal:8} {sizes} {verdict}", flush=True)
    wrong = [row for row in rows if row.is_wrong]
    print(f"{len(rows)} firmwares, {len(wrong)} wrong; {len(left_out)} left out")
    figures = {
        "compiler": code_table().compiler,
        "firmwares": len(rows),
        "said_to_be_exact": sum(row.doubts is None for row in rows),
        "wrong": len(wrong),
        "left_out": left_out,
        "rows": [asdict(row) for row in rows],
    }
    record("flash_prediction", figures)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
