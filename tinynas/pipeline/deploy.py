"""Onto a board and back: firmware of a model, built, run on a real or virtual board, and compared."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.board import Board
from tinynas.cost import EngineRuntime
from tinynas.device.client import Client
from tinynas.device.elf import FirmwareSize, firmware_size
from tinynas.device.golden import MODEL_NAME, add_golden
from tinynas.device.link import Link
from tinynas.device.measurement import Hello, Measurement, MemoryUse, Profile
from tinynas.device.platformio import Firmware, build, choose_environment, find_project, upload
from tinynas.device.ports import SerialLine, choose_port, list_ports
from tinynas.device.virtual.process import virtual_board
from tinynas.engine.emit import emit
from tinynas.engine.host import HostProgram
from tinynas.errors import DeviceError, VerificationError
from tinynas.export.micro import run_micro_all
from tinynas.pipeline.compile_check import check_compiled, input_borders, output_borders
from tinynas.pipeline.subject import Subject

Values = NDArray[Any]
Tell = Callable[[str], None]

#: samples whose outputs are kept in flash for the self-check
GOLDEN_VECTORS = 2
DEPLOYMENT = "deployment.json"


@dataclass(frozen=True)
class Built:
    """Firmware for one board: what PlatformIO made, what it takes, and what was predicted."""

    board: Board
    firmware: Firmware
    size: FirmwareSize
    predicted_arena: int
    predicted_flash: int


@dataclass(frozen=True)
class Deployment:
    """What a board said, beside what was predicted. `labelled` is how its times were found."""

    model: str
    operators: tuple[str, ...]
    built: Built
    labelled: str
    hello: Hello
    latency: Measurement
    memory: MemoryUse
    profile: Profile | None
    samples: int
    wrong_samples: int
    accuracy: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json`` and the run's folder; sizes in bytes, times in milliseconds."""
        cycles = self.latency
        return {
            "model": self.model,
            "board": self.built.board.id,
            "times": self.labelled,
            "environment": self.built.firmware.environment,
            "compiler": self.hello.compiler,
            "kernels": self.hello.kernels,
            "clock_hz": self.hello.clock_hz,
            "arena_bytes": {
                "predicted": self.built.predicted_arena,
                "elf": self.built.size.arena_bytes,
                "board": self.memory.arena,
            },
            "flash_bytes": {"predicted": self.built.predicted_flash, "elf": self.built.size.flash_bytes},
            "sram_bytes": {"elf": self.built.size.ram_bytes},
            "firmware": self.built.size.to_dict(),
            "memory": asdict(self.memory),
            "latency_ms": cycles.latency_ms,
            "cycles": {"min": cycles.minimum, "median": cycles.median, "max": cycles.maximum},
            "cycles_by_operator": list(self.profile.cycles) if self.profile else None,
            "operators": list(self.operators),
            "samples": self.samples,
            "wrong_samples": self.wrong_samples,
            "accuracy_on_board": self.accuracy,
        }


@dataclass(frozen=True, slots=True)
class Places:
    """Where the compiled network goes (its folder `model` in `libraries`), and PlatformIO's build folder."""

    libraries: Path
    build: Path


def places(folder: Path | None) -> Places:
    """Inside `folder`; without one, where plain `pio run` looks too.

    Raises:
        ToolchainError: as `find_project`.
    """
    if folder is not None:
        return Places(folder / "lib", folder / "build")
    project = find_project()
    return Places(project / "firmware" / "lib", project / ".pio" / "build")


def build_firmware(subject: Subject, board: Board, where: Places, tell: Tell = lambda text: None) -> Built:
    """Compile the model into a library, prove it here against TFLite Micro, and build firmware of it.

    Raises:
        VerificationError: the compiled C differs from TFLite Micro on a sample.
        ToolchainError: a compiler or PlatformIO is missing, or fails.
        RequestError: the network does not fit the board.
    """
    library = where.libraries / MODEL_NAME
    shutil.rmtree(library, ignore_errors=True)
    plan = subject.plan
    emit(plan, MODEL_NAME, library)
    tell("compiled; comparing with TensorFlow Lite Micro on this computer")
    check_compiled(library, MODEL_NAME, subject.file, subject.original, plan.graph, subject.samples)
    inputs = _network_inputs(subject)
    golden = [values[:GOLDEN_VECTORS] for values in inputs]
    with HostProgram([library], {MODEL_NAME: plan.graph}) as program:
        outputs = program.run(MODEL_NAME, golden)
    add_golden(library, plan, subject.file, golden, outputs)
    project = find_project()
    tell("building with PlatformIO")
    environment = choose_environment(board.id, project)
    firmware = build(environment, project, libraries=where.libraries, build_dir=where.build)
    flash = EngineRuntime().flash(subject.original, board)
    return Built(board, firmware, firmware_size(firmware.elf), plan.arena, flash.total)


def flash_board(built: Built, where: Places) -> None:
    """Write the firmware into the board that is connected.

    Raises:
        ToolchainError, DeviceError: as `upload`.
    """
    project = find_project()
    environment = choose_environment(built.board.id, project)
    upload(environment, project, libraries=where.libraries, build_dir=where.build)


@contextmanager
def connected(built: Built, port: str | None, virtual: bool) -> Iterator[tuple[SerialLine, str]]:
    """A line to the board (the virtual one runs `built`'s ELF), and how its times are to be called.

    Raises:
        DeviceError: no board, several, or one that cannot be opened.
        ToolchainError: the virtual board cannot start.
    """
    if virtual:
        with virtual_board(built.firmware.elf, built.board.id) as board, SerialLine(board.url) as line:
            try:
                yield line, "modelled by the virtual board"
            except DeviceError as error:
                # a firmware that crashed answers nothing, but the virtual board knows why
                if report := board.report():
                    raise DeviceError(f"the firmware ended on the virtual board: {report}") from error
                raise
        return
    with SerialLine(choose_port(port, list_ports())) as line:
        yield line, f"measured on {built.board.id}"


def measure_board(
    subject: Subject,
    built: Built,
    line: SerialLine,
    labelled: str,
    *,
    runs: int = 10,
    layers: bool = False,
    tell: Tell = lambda text: None,
) -> Deployment:
    """Ask the board everything: self-check, latency, memory, and its outputs on the subject's samples.

    Raises:
        VerificationError: the board's golden vectors or arena are not what they must be.
        DeviceError: as `Client`.
    """
    client = Client(Link(line))
    client.require(built.board.id)
    tell(f"{client.hello.board} answers: {client.hello.clock_hz / 1e6:g} MHz, {client.hello.kernels} kernels")
    if not (check := client.check()).passed:
        raise VerificationError(
            f"the board's self-check failed ({check.wrong_bytes} wrong bytes): its compiler or memory is at "
            "fault; build again with another compiler, or try another board"
        )
    latency = client.measure(runs)
    profile = client.profile() if layers else None
    answers = _answers(subject, client, tell)
    wrong, accuracy = _compare(subject, answers)
    memory = client.memory()
    if memory.arena != built.predicted_arena:
        raise VerificationError(
            f"the board's arena takes {memory.arena:,} B and {built.predicted_arena:,} B were predicted: "
            "this is a defect of tinynas, please report it"
        )
    return Deployment(
        subject.name,
        tuple(operator.kind.value for operator in subject.plan.graph.operators),
        built,
        labelled,
        client.hello,
        latency,
        memory,
        profile,
        subject.count,
        wrong,
        accuracy,
    )


def save_deployment(deployment: Deployment, folder: Path) -> Path:
    """Write what the board said into `folder`."""
    file = folder / DEPLOYMENT
    file.write_text(json.dumps(deployment.to_dict(), indent=2) + "\n", encoding="utf-8")
    return file


def _network_inputs(subject: Subject) -> list[Values]:
    """The samples as the compiled network takes them."""
    borders = input_borders(subject.original, subject.plan.graph)
    return [border.convert(values) for border, values in zip(borders, subject.samples, strict=True)]


def _answers(subject: Subject, client: Client, tell: Tell) -> list[Values]:
    """The board's outputs on every sample, as the file gives them."""
    graph, inputs = subject.plan.graph, _network_inputs(subject)
    borders = output_borders(subject.original, graph)
    raw: list[list[bytes]] = [[] for _ in borders]
    for sample in range(subject.count):
        outputs = client.infer([np.ascontiguousarray(values[sample]).tobytes() for values in inputs]).outputs
        for kept, one in zip(raw, outputs, strict=True):
            kept.append(one)
        if sample % 20 == 19:
            tell(f"{sample + 1} of {subject.count} samples inferred on the board")
    answers = []
    for tensor, border, made in zip(graph.outputs, borders, raw, strict=True):
        kind = np.dtype(graph.tensors[tensor].dtype.label)
        values = np.frombuffer(b"".join(made), kind).reshape(len(made), *graph.tensors[tensor].shape)
        answers.append(border.convert(values))
    return answers


def _compare(subject: Subject, answers: list[Values]) -> tuple[int, float | None]:
    """Samples on which the board differs from TFLite Micro; its accuracy where labels are known."""
    expected = run_micro_all(subject.file, subject.samples, len(answers))
    wrong = np.zeros(subject.count, bool)
    for mine, theirs in zip(answers, expected, strict=True):
        wrong |= (mine.reshape(subject.count, -1) != theirs.reshape(subject.count, -1)).any(axis=1)
    if subject.labels is None:
        return int(wrong.sum()), None
    classes = answers[0].reshape(subject.count, -1).argmax(axis=1)
    return int(wrong.sum()), float((classes == subject.labels).mean())
