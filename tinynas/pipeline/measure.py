"""What a board with our firmware tells of itself, and whether its outputs are those of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.board import Board
from tinynas.cost.kept import heard
from tinynas.device.client import Client
from tinynas.device.link import Link, Transport
from tinynas.device.measurement import Hello, Measurement, MemoryUse, Profile
from tinynas.device.parts import MemoryParts, beside
from tinynas.engine.goals import Goal
from tinynas.errors import VerificationError
from tinynas.export.micro import run_micro_all
from tinynas.pipeline.observer import Observer
from tinynas.pipeline.subject import Subject
from tinynas.pipeline.target import Target

Values = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Outputs of a board beside TFLite Micro's; the accuracy where the samples have labels.

    `operators` are those of the compiled network, by kind.
    """

    model: str
    operators: tuple[str, ...]
    samples: int
    wrong_samples: int
    accuracy: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return {
            "model": self.model,
            "operators": list(self.operators),
            "samples": self.samples,
            "wrong_samples": self.wrong_samples,
            "accuracy_on_board": self.accuracy,
        }


@dataclass(frozen=True, slots=True)
class Measured:
    """What a board said. `times` is how they were found; `comparison` is None where no model was at hand."""

    port: str
    times: str
    hello: Hello
    latency: Measurement
    memory: MemoryUse
    profile: Profile | None
    comparison: Comparison | None

    @property
    def wrong_samples(self) -> int:
        """Samples whose outputs are not TFLite Micro's."""
        return 0 if self.comparison is None else self.comparison.wrong_samples

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``; sizes in bytes, times in milliseconds."""
        hello, latency, memory = self.hello, self.latency, self.memory
        return {
            "board": hello.board,
            "port": self.port,
            "times": self.times,
            "model": hello.model,
            "model_sha256": hello.model_sha256,
            "firmware_build": hello.build,
            "compiler": hello.compiler,
            "kernels": hello.kernels,
            "optimize": hello.goal.value,
            "clock_hz": hello.clock_hz,
            "caches": {"instructions": hello.icache, "data": hello.dcache, "prefetch": hello.prefetch},
            "runs": len(latency.cycles),
            # of a board that does not know its clock only the cycles are known
            "latency_ms": latency.latency_ms if latency.clock_hz else None,
            "latency_min_ms": latency.milliseconds(latency.minimum) if latency.clock_hz else None,
            "latency_max_ms": latency.milliseconds(latency.maximum) if latency.clock_hz else None,
            "cycles": {"min": latency.minimum, "median": latency.median, "max": latency.maximum},
            "cycles_by_operator": list(self.profile.cycles) if self.profile else None,
            "arena_bytes": {"board": memory.arena},
            "sram_bytes": {"board": memory.sram},
            "flash_bytes": {"board": memory.flash},
            "parts": beside(board=MemoryParts.of_board(memory)),
            "memory": asdict(memory),
            "self_check_vectors": hello.golden_vectors,
        } | (self.comparison.to_dict() if self.comparison else {})


def measure(
    line: Transport,
    board: Board,
    target: Target,
    watch: Observer,
    *,
    subject: Subject | None = None,
    goal: Goal | None = None,
    runs: int = 10,
    layers: bool = False,
) -> Measured:
    """Ask the board on `line`, which leads to `target`, everything: self-check, latency, memory, outputs.

    Outputs are compared on the samples of the `subject`, where one is given. `layers` asks for the cycles of
    every operator, too. The firmware tells what it was planned for, which may be anything without a `goal`,
    and its compiler: where the board was calibrated with another one, that is told and noted.

    Raises:
        FirmwareError: the firmware is another's, for another board or goal, or of another model.
        VerificationError: the board's golden vectors or arena are not what they must be.
        DeviceError: as `Client`.
    """
    client = Client(Link(line))
    client.require(board.id, subject.sha256 if subject else None, goal)
    watch.note(
        f"{client.hello.board} answers: {client.hello.clock_hz / 1e6:g} MHz, {client.hello.kernels} kernels"
    )
    _require_sound(client)
    watch.begin("timing", runs)
    latency = client.measure(
        runs, progress=lambda cycles: watch.advance(len(cycles), f"{cycles[-1]:,} cycles")
    )
    watch.end()
    profile = client.profile() if layers else None
    comparison = _compare(subject, client, watch) if subject else None
    memory = client.memory()
    if subject:
        _require_arena(subject, client.hello.goal, memory.arena)
    if other := heard(board.id, not target.suffix, client.hello.compiler):
        watch.note(other)
    return Measured(client.link.name, target.times(board), client.hello, latency, memory, profile, comparison)


def _require_arena(subject: Subject, goal: Goal, arena: int) -> None:
    predicted = subject.planned_for(goal).plan.arena
    if arena != predicted:
        raise VerificationError(
            f"the board's arena takes {arena:,} B and {predicted:,} B were predicted: "
            "this is a defect of tinynas, please report it"
        )


def _require_sound(client: Client) -> None:
    if not (check := client.check()).passed:
        raise VerificationError(
            f"the board's self-check failed (wrong bytes by vector: {list(check.wrong_bytes)}): its compiler "
            "or memory is at fault; build again with another compiler, or try another board"
        )


def _compare(subject: Subject, client: Client, watch: Observer) -> Comparison:
    """Samples on which the board differs from TFLite Micro; its accuracy where labels are known."""
    expected = run_micro_all(subject.file, subject.samples, len(subject.original.outputs))
    inputs = subject.network_inputs()
    wrong, classes = 0, []
    watch.begin("comparing outputs", subject.count)
    for sample in range(subject.count):
        made = _outputs(subject, client, [values[sample] for values in inputs])
        equal = (
            mine.tobytes() == theirs[sample].tobytes() for mine, theirs in zip(made, expected, strict=True)
        )
        wrong += not all(equal)
        classes.append(int(made[0].argmax()))
        watch.advance(sample + 1, f"{wrong} of them differ" if wrong else "all equal")
    watch.end()
    accuracy = None if subject.labels is None else float((np.array(classes) == subject.labels).mean())
    return Comparison(subject.name, subject.operators, subject.count, wrong, accuracy)


def _outputs(subject: Subject, client: Client, sample: Sequence[Values]) -> list[Values]:
    """The board's outputs on one sample, as the file gives them."""
    graph = subject.plan.graph
    raw = client.infer([np.ascontiguousarray(values).tobytes() for values in sample]).outputs
    tensors = [graph.tensors[index] for index in graph.outputs]
    made = [
        np.frombuffer(content, np.dtype(tensor.dtype.label)).reshape(1, *tensor.shape)
        for tensor, content in zip(tensors, raw, strict=True)
    ]
    return subject.file_outputs(made)
