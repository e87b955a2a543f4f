"""Starts machine.py and count_instructions.py, which need Unicorn, as processes and reads what they print."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cores.build import Firmware
from cores.qemu import Run, read_results, write_inputs

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Count:
    """Executed instructions of one inference: in all, of the scheduler, by operator index, by C function.

    `cycles` are the modelled ones of each core that was asked for, by operator index, -1 for the scheduler.
    """

    total: int
    scheduler: int
    operators: Mapping[int, int]
    functions: Mapping[str, int]
    cycles: Mapping[str, Mapping[int, int]]
    run: Run


def unicorn_missing() -> str | None:
    """What to install before `count` can work, None where all is there."""
    missing = [name for name in ("unicorn", "capstone", "elftools") if importlib.util.find_spec(name) is None]
    return f"{' and '.join(missing)} missing: pip install 'tinynas[virtual]'" if missing else None


def run_program(elf: Path, folder: Path, seconds: float = 300) -> str:
    """What the bare program `elf` prints; it runs in `folder`.

    Raises:
        RuntimeError: it ended with a fault or an error.
    """
    return _start("machine.py", elf, folder, seconds)


def count(
    firmware: Firmware,
    sample: NDArray[np.int8],
    folder: Path,
    seconds: float = 1800,
    cycles_of: Sequence[str] = (),
) -> Count:
    """Counts one inference on `sample` [bytes of all the model's inputs]; files go through `folder`.

    With modelled cycles of the cores `cycles_of`, names of cycles.py.

    Raises:
        RuntimeError: the program ended with a fault or an error.
    """
    write_inputs(firmware, sample[np.newaxis], folder)
    cores = ("--cycles", *cycles_of)
    figures = json.loads(_start("count_instructions.py", firmware.elf, folder, seconds, cores))
    return Count(
        figures["total"],
        figures["scheduler"],
        {int(index): instructions for index, instructions in figures["operators"].items()},
        figures["functions"],
        {
            core: {int(index): cycles for index, cycles in of_core.items()}
            for core, of_core in figures["cycles"].items()
        },
        read_results(firmware, 1, folder),
    )


def _start(script: str, elf: Path, folder: Path, seconds: float, options: Sequence[str] = ()) -> str:
    """What one of the scripts beside this one prints of `elf`."""
    done = subprocess.run(
        [sys.executable, str(_HERE / script), str(elf), *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return done.stdout
