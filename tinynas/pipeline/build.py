"""Firmware of a model for one board: compiled, proven on this computer, built by PlatformIO."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinynas.board import Board
from tinynas.cost import count
from tinynas.cost.code_table import code_table
from tinynas.cost.engine_flash import plan_flash
from tinynas.device.elf import FirmwareSize, firmware_size
from tinynas.device.golden import GOLDEN_VECTORS, MODEL_NAME, add_golden
from tinynas.device.parts import MemoryParts, beside
from tinynas.device.platformio import Firmware, build, choose_environment
from tinynas.device.prediction import doubts, predicted_parts
from tinynas.device.project import find_project
from tinynas.engine.emit import emit
from tinynas.engine.goals import Goal
from tinynas.engine.host import HostProgram
from tinynas.errors import ToolchainError
from tinynas.pipeline.compile_check import check_compiled
from tinynas.pipeline.observer import Observer
from tinynas.pipeline.subject import Subject
from tinynas.pipeline.trade import Offer, all_offers


@dataclass(frozen=True, slots=True)
class Places:
    """Where the compiled network goes (its folder `model` in `libraries`), and PlatformIO's build folder."""

    libraries: Path
    build: Path


@dataclass(frozen=True, slots=True)
class Built:
    """Firmware for one board: what PlatformIO made, what it takes, what was predicted.

    `offers` is what every goal would cost and bring.
    `doubts` is why the prediction of code may be some bytes off; None where it is exact.
    """

    model: str
    board: Board
    goal: Goal
    firmware: Firmware
    size: FirmwareSize
    predicted: MemoryParts
    offers: tuple[Offer, ...]
    doubts: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json`` and a run's folder; sizes in bytes."""
        return {
            "model": self.model,
            "board": self.board.id,
            "optimize": self.goal.value,
            "goals": [offer.to_dict() for offer in self.offers],
            "environment": self.firmware.environment,
            "elf": str(self.firmware.elf),
            "arena_bytes": {"predicted": self.predicted.arena, "elf": self.size.arena_bytes},
            "sram_bytes": {"predicted": self.predicted.sram_bytes, "elf": self.size.ram_bytes},
            "flash_bytes": {"predicted": self.predicted.flash_bytes, "elf": self.size.flash_bytes},
            "flash_prediction": "exact" if self.doubts is None else f"about: {self.doubts}",
            "parts": beside(predicted=self.predicted, elf=MemoryParts.of_elf(self.size)),
            "firmware": self.size.to_dict(),
        }


def places(folder: Path | None) -> Places:
    """Inside `folder`; without one, where plain `pio run` looks too.

    Raises:
        ToolchainError: as `find_project`.
    """
    if folder is not None:
        return Places(folder / "lib", folder / "build")
    project = find_project()
    return Places(project / "firmware" / "lib", project / ".pio" / "build")


def is_firmware(path: Path) -> bool:
    """Whether `path` is called like a finished firmware, not like a model."""
    return path.suffix.lower() == ".elf"


def predict(subject: Subject, board: Board) -> MemoryParts:
    """What the firmware of `subject` will take on `board`, before anything is built.

    All of it to the byte, where `doubts` has none; SRAM, constants and golden vectors even then.
    """
    plan = subject.plan
    flash = plan_flash(plan, count(plan.graph), board)
    return predicted_parts(code_table(), board, plan, flash, min(GOLDEN_VECTORS, subject.count))


def build_firmware(subject: Subject, board: Board, where: Places, watch: Observer) -> Built:
    """Compile the model into a library, prove it here against TFLite Micro, and build firmware of it.

    Raises:
        VerificationError: the compiled C differs from TFLite Micro on a sample.
        ToolchainError: a compiler or PlatformIO is missing, or fails.
        RequestError: the network does not fit the board.
    """
    project = find_project()
    environment = choose_environment(board.id, project)
    _compile(subject, where.libraries / MODEL_NAME, watch)
    watch.note(f"building {environment.name} with PlatformIO")
    firmware = build(environment, project, libraries=where.libraries, build_dir=where.build)
    return Built(
        model=subject.name,
        board=board,
        goal=subject.aim.goal,
        firmware=firmware,
        size=firmware_size(firmware.elf),
        predicted=predict(subject, board),
        offers=all_offers(subject.plan.graph, subject.aim, board),
        doubts=doubts(code_table(), board, environment),
    )


def built_before(board: Board, where: Places) -> Path:
    """The ELF file that the last `build_firmware` for `board` made in these places, whatever its model.

    Raises:
        ToolchainError: there is none, or PlatformIO is missing.
    """
    firmware = Firmware.of(choose_environment(board.id, find_project()), where.build)
    if not firmware.elf.is_file():
        raise ToolchainError(
            f"no firmware for {board.id} is in {firmware.elf.parent}: build some with `tinynas build MODEL "
            f"--board {board.id}`, or name an .elf file"
        )
    return firmware.elf


def _compile(subject: Subject, library: Path, watch: Observer) -> None:
    """The model as a C library with its golden vectors, proven."""
    shutil.rmtree(library, ignore_errors=True)
    plan = subject.plan
    emit(plan, MODEL_NAME, library)
    watch.note("compiled; comparing with TensorFlow Lite Micro on this computer")
    check_compiled(library, MODEL_NAME, subject.file, subject.original, plan.graph, subject.samples)
    golden = [values[:GOLDEN_VECTORS] for values in subject.network_inputs()]
    with HostProgram([library], {MODEL_NAME: plan.graph}) as program:
        outputs = program.run(MODEL_NAME, golden)
    add_golden(library, plan, subject.file, golden, outputs)
