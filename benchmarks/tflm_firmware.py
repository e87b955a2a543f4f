"""TensorFlow Lite Micro with CMSIS-NN on a virtual board, beside the engine on the same model.

    python benchmarks/tflm_firmware.py TFLM.elf MODEL.tflite --board stm32f746 [--samples 5] [--record]

TFLM.elf is built outside of this project, of public sources that are no part of it. Over the board's UART it
answers a first byte with ``tflm``, its arena's bytes and its clock in Hz, then each ``i`` and input with
``done``, cycles, the output's length and the output (words of 4 bytes, little-endian). Every output is
compared with PyPI's tflite_micro; the engine's firmware of the same model runs on the same virtual board.
"""

from __future__ import annotations

import argparse
import json
import statistics
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from recording import record

from tinynas.device.elf import firmware_size
from tinynas.device.virtual.process import virtual_board
from tinynas.export.micro import run_micro_all
from tinynas.graph.tflite import read_tflite

#: seconds that one answer may take
_PATIENCE = 120.0


@dataclass(frozen=True)
class Answers:
    """What TFLM's firmware said: outputs that differ from tflite_micro's, cycles of each inference."""

    arena_bytes: int
    clock_hz: int
    wrong_samples: int
    cycles: tuple[int, ...]

    @property
    def latency_ms(self) -> float:
        """Modelled, of the median inference."""
        return 1e3 * statistics.median(self.cycles) / self.clock_hz


@contextmanager
def _port(elf: Path, board: str) -> Iterator[Any]:
    import serial

    with virtual_board(elf, board) as running, serial.serial_for_url(running.url, timeout=_PATIENCE) as port:
        yield port
        if (report := running.report()) is not None:
            raise SystemExit(report)


def ask(elf: Path, model: Path, board: str, samples: int) -> Answers:
    """The firmware's answers to random inputs."""
    graph = read_tflite(model)
    shape = graph.tensors[graph.inputs[0]].shape
    inputs = np.random.default_rng(0).integers(-128, 128, (samples, *shape), np.int8)
    expected = run_micro_all(model.read_bytes(), [inputs], 1)[0]
    wrong, cycles = 0, []
    with _port(elf, board) as port:
        port.write(b"?")
        arena, clock = struct.unpack("<II", port.read_until(b"tflm") and port.read(8))
        for given, right in zip(inputs, expected, strict=True):
            port.write(b"i" + given.tobytes())
            word, taken, count = struct.unpack("<4sII", port.read(12))
            if word != b"done":
                raise SystemExit(f"the firmware said {word!r}")
            wrong += port.read(count) != right.tobytes()
            cycles.append(taken)
    return Answers(arena, clock, wrong, tuple(cycles))


def engine(model: Path, board: str) -> dict[str, Any]:
    """What `tinynas deploy` finds of the model."""
    with TemporaryDirectory() as folder:
        words = ["deploy", str(model), "--board", board, "--virtual", "--samples", "2", "--runs", "2"]
        done = subprocess.run(
            [sys.executable, "-m", "tinynas", *words, "-o", folder, "--json"],
            stdout=subprocess.PIPE,
            check=True,
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """Prints both; exit status 1 where an output differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("elf", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--board", required=True)
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--record", action="store_true", help="write results/tflm_firmware_MODEL_BOARD.json")
    asked = parser.parse_args()
    theirs, ours = ask(asked.elf, asked.model, asked.board, asked.samples), engine(asked.model, asked.board)
    size = firmware_size(asked.elf)
    figures = {
        "model": asked.model.name,
        "board": asked.board,
        "times": ours["times"],
        "tflm": asdict(theirs)
        | {"latency_ms": theirs.latency_ms, "flash_bytes": size.flash_bytes, "sram_bytes": size.ram_bytes},
        "engine": {
            "cycles": ours["cycles"]["median"],
            "latency_ms": ours["latency_ms"],
            "flash_bytes": ours["flash_bytes"]["elf"],
            "sram_bytes": ours["sram_bytes"]["elf"],
        },
    }
    print(json.dumps(figures, indent=2))
    if asked.record:
        record(f"tflm_firmware_{asked.model.stem.split('__')[-1]}_{asked.board}", figures)
    sys.exit(1 if theirs.wrong_samples else 0)


if __name__ == "__main__":
    main()
