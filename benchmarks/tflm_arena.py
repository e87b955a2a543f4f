"""Arena and flash of other people's models: what tinynas predicts beside what was measured.

    python benchmarks/tflm_arena.py [--models ../shared/models]

Measured: PyPI's `tflite_micro` on this machine (8-byte pointers, reference kernels), run here; TFLM with
CMSIS-NN on an emulated Cortex-M7 (../shared/reference/peers.md, gcc 12.2), quoted. The sizes of code are no
test of the model: five of the seven calibrate it. Prints a table and writes
benchmarks/results/tflm_arena.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from recording import record

from tinynas.board import load_board
from tinynas.cost import TflmRuntime, buffers, count, plan_greedy
from tinynas.cost.scratch import Kernels, scratch_of
from tinynas.cost.tail import HOST, tail_bytes
from tinynas.export.micro import measure_arena
from tinynas.graph import Graph
from tinynas.graph.tflite import read_tflite

ROOT = Path(__file__).resolve().parent.parent
#: arena with CMSIS-NN and code in flash, bytes, by model
FIRMWARE = {
    name: (entry["arena_bytes"], entry["code_bytes"])
    for name, entry in json.loads((ROOT / "benchmarks" / "results" / "peer_tflm_firmware.json").read_text())[
        "firmware"
    ].items()
}


@dataclass(frozen=True)
class Row:
    """Bytes of one model; `measured` is None where nobody measured."""

    model: str
    quantity: str
    predicted: int
    measured: int | None

    @property
    def difference(self) -> str:
        """Predicted over measured, as printed."""
        if self.measured is None:
            return ""
        off = self.predicted - self.measured
        return "exact" if not off else f"{off:+,} ({100 * off / self.measured:+.2f} %)"


def rows_of(file: Path) -> Iterator[Row]:
    """Every figure of one model."""
    graph, runtime, board = read_tflite(file), TflmRuntime(), load_board("stm32f746")
    host = measure_arena(file.read_bytes())
    head, tail = _reference_head(graph), int(tail_bytes(count(graph), HOST))
    arena, code = FIRMWARE.get(file.stem, (None, None))
    sram, flash = runtime.sram(graph, board), runtime.flash(graph, board)
    yield Row(file.stem, "host head", head, host.head)
    yield Row(file.stem, "host tail", tail, host.tail)
    yield Row(file.stem, "host total", head + tail, host.total)
    yield Row(file.stem, "CMSIS-NN total", sram.head + sram.tail, arena)
    yield Row(file.stem, "file", flash.total - flash.code, file.stat().st_size)
    yield Row(file.stem, "code", flash.code, code)


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", type=Path, default=ROOT.parent / "shared" / "models")
    files = sorted(parser.parse_args().models.glob("*.tflite"))
    if not files:
        sys.exit("no .tflite file there: name the folder with --models")
    rows = [row for file in files for row in rows_of(file)]
    for row in rows:
        measured = "" if row.measured is None else f"{row.measured:,}"
        print(f"{row.model:42} {row.quantity:15} {row.predicted:>10,} {measured:>10} {row.difference}")
    record("tflm_arena", {"unit": "bytes", "rows": [asdict(row) for row in rows]})


def _reference_head(graph: Graph) -> int:
    return plan_greedy(buffers(graph, scratch_of(graph, Kernels.REFERENCE))).peak


if __name__ == "__main__":
    main()
