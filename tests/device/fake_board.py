"""The real firmware as a process on this computer: main.c, tn_link.c and an emitted model over hal_host.c.

Also a line to it that loses, flips and repeats bytes. Tests and benchmarks/link_soak.py use both.
"""

from __future__ import annotations

import os
import random
import select
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "engine"))

from micro_oracle import Arrays, micro_outputs, random_inputs  # noqa: E402
from random_network import random_tflite  # noqa: E402

from tinynas.device.frames import Frame, encode  # noqa: E402
from tinynas.device.golden import MODEL_NAME, add_golden  # noqa: E402
from tinynas.device.link import Transport  # noqa: E402
from tinynas.engine.emit import emit  # noqa: E402
from tinynas.engine.host import compiler  # noqa: E402
from tinynas.engine.planner import plan_network  # noqa: E402
from tinynas.graph import Graph, GraphBuilder  # noqa: E402
from tinynas.graph.passes import simplify  # noqa: E402
from tinynas.graph.tflite import graph_from_bytes  # noqa: E402

FIRMWARE = HERE.parents[1] / "firmware"
SANITIZERS = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@dataclass(frozen=True)
class Built:
    """A firmware that runs here, and its model."""

    program: Path
    model: bytes
    graph: Graph
    golden: Arrays


def small_network() -> bytes:
    """A .tflite of five operators: 8x6x3 in, 10 out."""
    net = GraphBuilder("small", (8, 6, 3))
    x = net.conv(net.input, 8, kernel=3, stride=2)
    x = net.add(x, net.conv(net.depthwise(x, kernel=3), 8, kernel=1))
    return random_tflite(net.build(net.dense(net.global_mean(x), 10)), seed=2)


Compile = Callable[[Path], Path]


def build(model: bytes, folder: Path, vectors: int = 3, compile_with: Compile | None = None) -> Built:
    """The firmware around the .tflite `model`, with golden vectors from TFLite Micro.

    `compile_with` makes a program out of the library in `folder`; by default `compiled`.
    """
    graph = simplify(graph_from_bytes(model, "small.tflite"), keep_float_io=True)
    plan = plan_network(graph)
    inputs = random_inputs(graph, vectors, seed=1)
    emit(plan, MODEL_NAME, folder)
    add_golden(folder, plan, model, inputs, expected(model, graph, inputs))
    return Built((compile_with or compiled)(folder), model, graph, inputs)


def program_sources(library: Path) -> list[Path]:
    """All of the firmware but its chip: program, link, model."""
    parts = [FIRMWARE / "src" / "main.c", FIRMWARE / "link" / "tn_link.c"]
    return [*parts, *sorted((library / "src").glob("*.c"))]


def program_flags(library: Path, board: str) -> list[str]:
    """What `program_sources` are compiled with."""
    includes = [f"-I{each}" for each in (library / "src", FIRMWARE / "hal", FIRMWARE / "link")]
    return [*includes, f'-DTINYNAS_BOARD="{board}"', '-DTINYNAS_BUILD="test"']


def compiled(library: Path, flags: Sequence[str] = SANITIZERS) -> Path:
    """The program built for this computer out of the library of a model with its golden vectors."""
    program = library / "firmware"
    sources = [HERE / "hal_host.c", *program_sources(library)]
    words = [*program_flags(library, "host"), "-std=c99", "-Wall", "-Wextra", "-Werror"]
    command = [compiler(), *words, *flags, *map(str, sources), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


def expected(model: bytes, graph: Graph, inputs: Arrays) -> Arrays:
    """What TFLite Micro answers."""
    return [np.ascontiguousarray(each) for each in micro_outputs(model, inputs, len(graph.outputs))]


class FakeBoard:
    """The firmware on a pipe: a transport for `Link`, and a process whose death is noticed."""

    name = "fake board"

    def __init__(self, program: Path, tick: float = 0.01) -> None:
        self._tick = tick
        self.process = subprocess.Popen(
            [str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def read(self) -> bytes:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], self._tick)
        return os.read(self.process.stdout.fileno(), 4096) if ready else b""

    def close(self) -> str:
        """End it; what the sanitizers said."""
        _, words = self.process.communicate(timeout=10)
        return words.decode()


class NoisyLine:
    """A line that treats each byte, both ways, badly with probability `rate`; and cuts the board's power.

    A reset is what a power cut is to the line: the request that starts it passes unharmed and unasked.
    """

    def __init__(self, board: Transport, rate: float, seed: int, resets: float = 0.0) -> None:
        self.board, self.rate, self.resets = board, rate, resets
        self.name = board.name
        self.spoilt = self.restarts = 0
        self._random = random.Random(seed)

    def write(self, data: bytes) -> None:
        if self._random.random() < self.resets:
            self.restarts += 1
            self.board.write(encode(Frame(8, self._random.randrange(1 << 16), b"")))
        self.board.write(self._noisy(data))

    def read(self) -> bytes:
        return self._noisy(self.board.read())

    def _noisy(self, data: bytes) -> bytes:
        made = bytearray()
        for byte in data:
            if self._random.random() >= self.rate:
                made.append(byte)
                continue
            self.spoilt += 1
            harm = self._random.randrange(3)
            if harm == 1:
                made.append(byte ^ 1 << self._random.randrange(8))
            elif harm == 2:
                made += bytes([byte, byte])
        return bytes(made)
