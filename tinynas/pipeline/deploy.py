"""Onto a board and back: build, flash and measure in one, and what was predicted beside what came."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinynas.board import Board
from tinynas.pipeline.build import Built, Places, build_firmware
from tinynas.pipeline.measure import Measured, measure
from tinynas.pipeline.observer import Observer
from tinynas.pipeline.subject import Subject
from tinynas.pipeline.target import Target
from tinynas.search.disk import written_whole
from tinynas.search.run_folder import DEPLOYMENTS, RESULT

#: figures that are predicted, read from the ELF, and told by the board
_FIGURES = ("arena_bytes", "sram_bytes", "flash_bytes")


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a board said, beside what was predicted and what the linker laid out."""

    built: Built
    measured: Measured

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json`` and the run's folder; sizes in bytes, times in milliseconds."""
        built, measured = self.built.to_dict(), self.measured.to_dict()
        parts = {name: each | measured["parts"][name] for name, each in built["parts"].items()}
        figures = {name: built[name] | measured[name] for name in _FIGURES}
        return measured | built | figures | {"parts": parts}


def deploy(
    subject: Subject,
    board: Board,
    target: Target,
    where: Places,
    watch: Observer,
    *,
    runs: int = 10,
    layers: bool = True,
) -> Deployment:
    """Build firmware of the subject, flash it, and measure it on the target.

    Raises:
        TinynasError: as `build_firmware`, `Target.flash`, `Target.connect` and `measure`.
    """
    built = build_firmware(subject, board, where, watch)
    target.flash(built.firmware.elf, board)
    with target.connect(built.firmware.elf, board) as line:
        measured = measure(
            line,
            board,
            target,
            watch,
            subject=subject,
            goal=subject.aim.goal,
            runs=runs,
            layers=layers,
        )
    return Deployment(built, measured)


def save_deployment(deployment: Deployment, target: Target, model: Path) -> Path:
    """Write what the board said into the folder `model` of a result, else beside the firmware; the file.

    A run, and a pick of it, keeps one record for each board, and one for each virtual board.

    Raises:
        RunError: the disk does not take it.
    """
    if (model / RESULT).is_file():
        file = model / deployment_record(deployment.built.board.id, target.suffix)
    else:
        file = deployment.built.firmware.elf.with_name("deployment.json")
    with written_whole(file) as partial:
        partial.write_text(json.dumps(deployment.to_dict(), indent=2) + "\n", encoding="utf-8")
    return file


def deployment_record(board: str, suffix: str) -> str:
    """Its name inside of a run."""
    return f"{DEPLOYMENTS}/{board}{suffix}.json"
