"""Starting a virtual board from the rest of tinynas: a process, its serial port's address, its report."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from tinynas.errors import LinkError, ToolchainError

#: where this very tinynas lies, installed or not
_PACKAGES = Path(__file__).resolve().parents[3]
_POLL = 0.02
_PATIENCE = 60.0
_FAREWELL = 10.0


@dataclass(frozen=True)
class VirtualBoard:
    """A running virtual board; ``url`` is what pyserial's ``serial_for_url`` opens."""

    url: str
    _process: subprocess.Popen[bytes]
    _log: Path

    def report(self) -> str | None:
        """What ended it (a fault's report); None while it runs."""
        if self._process.poll() is None:
            return None
        return _read(self._log)

    def wait(self, seconds: float) -> int | None:
        """Its exit status, None where it still runs after so long."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None


@contextmanager
def virtual_board(elf: Path, board: str) -> Iterator[VirtualBoard]:
    """Runs the firmware ``elf`` on the virtual ``board`` (an id, or a board file) until the end of the block.

    Raises:
        ToolchainError: it refused to start; the message is its own.
        LinkError: it was killed meanwhile, or the computer is too busy.
    """
    with TemporaryDirectory(prefix="tinynas-virtual-") as folder:
        port_file, log = Path(folder) / "port", Path(folder) / "log"
        # -P: a file of the working folder must not pass for a library's module
        command = (
            sys.executable,
            "-P",
            "-m",
            "tinynas.device.virtual",
            str(elf),
            "--board",
            board,
            "--leash",
        )
        with log.open("wb") as output:
            process = _start((*command, "--port-file", str(port_file)), output)
        try:
            yield VirtualBoard(_await_port(process, port_file, log), process, log)
        finally:
            _end(process)


def _start(command: tuple[str, ...], output: IO[bytes]) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(filter(None, (str(_PACKAGES), os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"PYTHONPATH": path}
    # its standard input is a pipe that ends with this process, even one that is killed
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=environment)


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.terminate()
    try:
        process.wait(_FAREWELL)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await_port(process: subprocess.Popen[bytes], port_file: Path, log: Path) -> str:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if port_file.exists():
            return port_file.read_text(encoding="utf-8").strip()
        if process.poll() is not None:
            if said := _read(log).splitlines():
                raise ToolchainError(said[-1].split("): ", 1)[-1])
            raise LinkError("the virtual board ended before its port was open: repeat the command")
        time.sleep(_POLL)
    raise LinkError(
        f"the virtual board did not open its port in {_PATIENCE:.0f} s: repeat the command when the computer "
        "is less busy"
    )


def _read(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace").strip()
