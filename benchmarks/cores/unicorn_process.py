"""Starts count_instructions.py, which needs Unicorn, as a process of its own and reads what it prints."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cores.build import Firmware
from cores.qemu import Run, read_results, write_inputs

_SCRIPT = Path(__file__).resolve().parent / "count_instructions.py"


@dataclass(frozen=True)
class Count:
    """Executed instructions of one inference: in all, of the scheduler, by operator index, by C function.

    `cycles` are the modelled ones of a Cortex-M7 and a Cortex-M4 by operator index, -1 for the scheduler;
    of RISC-V there are none.
    """

    total: int
    scheduler: int
    operators: Mapping[int, int]
    functions: Mapping[str, int]
    cycles: Mapping[int, tuple[int, int]]
    run: Run


def unicorn_missing() -> str | None:
    """What to install before `count` can work, None where all is there."""
    missing = [name for name in ("unicorn", "capstone", "elftools") if importlib.util.find_spec(name) is None]
    return f"{' and '.join(missing)} missing: pip install 'tinynas[virtual]'" if missing else None


def count(firmware: Firmware, sample: NDArray[np.int8], folder: Path, seconds: float = 1800) -> Count:
    """Counts one inference on `sample` [bytes of all the model's inputs]; files go through `folder`.

    Raises:
        RuntimeError: the program ended with a fault or an error.
    """
    write_inputs(firmware, sample[np.newaxis], folder)
    done = subprocess.run(
        [sys.executable, str(_SCRIPT), str(firmware.elf)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    figures = json.loads(done.stdout)
    return Count(
        figures["total"],
        figures["scheduler"],
        {int(index): instructions for index, instructions in figures["operators"].items()},
        figures["functions"],
        {int(index): (m7, m4) for index, (m7, m4) in figures["cycles"].items()},
        read_results(firmware, 1, folder),
    )
