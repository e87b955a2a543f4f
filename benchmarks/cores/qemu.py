"""Runs a firmware in QEMU: `apt-get install qemu-system-arm`."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cores.build import Firmware

QEMU = "qemu-system-arm"
#: instructions in a tick of the board's 25 MHz timer at one instruction a nanosecond
INSTRUCTIONS_PER_TICK = 40


@dataclass(frozen=True, slots=True)
class Run:
    """What a firmware did: output bytes of each inference [n, bytes], instructions and stack bytes of each.

    QEMU's instructions are exact to a tick of its timer, 40 of them, and a translated block at either end.
    """

    outputs: NDArray[np.int8]
    instructions: tuple[int, ...]
    stack: tuple[int, ...]


def emulator_missing() -> str | None:
    """What to install before `run_in_qemu` can work, None where all is there."""
    return None if shutil.which(QEMU) else f"{QEMU} is not installed: apt-get install qemu-system-arm"


def run_in_qemu(firmware: Firmware, inputs: NDArray[np.int8], folder: Path, seconds: float = 300) -> Run:
    """Runs `inputs` [n, bytes of all the model's inputs] one after the other; files go through `folder`.

    Raises:
        RuntimeError: the program ended with a fault or an error.
        subprocess.TimeoutExpired: it did not end.
    """
    assert firmware.core.machine is not None, "no board of QEMU's has this core"
    write_inputs(firmware, inputs, folder)
    command = [QEMU, "-M", firmware.core.machine, "-nographic", "-monitor", "none", "-serial", "none"]
    command += ["-icount", "shift=0", "-semihosting", "-kernel", str(firmware.elf)]
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise RuntimeError(f"{firmware.elf} ended with status {done.returncode} {done.stderr.strip()}")
    return read_results(firmware, len(inputs), folder)


def write_inputs(firmware: Firmware, inputs: NDArray[np.int8], folder: Path) -> None:
    """Puts `inputs` where the program looks for them; ValueError where their size is not the model's."""
    expected = sum(firmware.interface.inputs)
    if inputs.dtype != np.int8 or inputs.shape[1:] != (expected,):
        raise ValueError(f"inputs of {inputs.dtype} {inputs.shape} where int8 [n, {expected}] is needed")
    (folder / "input.bin").write_bytes(inputs.tobytes())


def read_results(firmware: Firmware, count: int, folder: Path) -> Run:
    """What the program left behind for `count` inputs."""
    size = sum(firmware.interface.outputs)
    outputs = np.fromfile(folder / "output.bin", np.int8).reshape(count, size)
    costs = np.fromfile(folder / "cost.bin", "<u4").reshape(count, 2)
    ticks, stack = costs.T
    return Run(outputs, tuple(int(t) * INSTRUCTIONS_PER_TICK for t in ticks), tuple(map(int, stack)))
