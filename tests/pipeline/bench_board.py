"""A board on the bench: the virtual board behind a pseudo-terminal, and the probe that writes its flash.

Real are PlatformIO's build and upload, pyserial on a terminal of the kernel's, firmware and protocol. What
stands in are the chip, which is emulated, and OpenOCD, the last program that PlatformIO starts: `Bench.tools`
holds one that writes into this board where it is plugged in, and fails as OpenOCD does where it is not.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 60.0


def until(happened: Callable[[], object], seconds: float = _SECONDS, what: str = "it") -> None:
    """Returns when that has happened.

    Raises:
        TimeoutError: it did not.
    """
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen in {seconds:g} s")
        time.sleep(0.01)


@dataclass(frozen=True)
class Bench:
    """A board that is kept in `folder`, so that the probe, a process of its own, finds it there."""

    folder: Path
    board: str

    @property
    def port(self) -> Path:
        """The board's serial port: a name of our own for whichever terminal it is, as udev would make it."""
        return self.folder / "ttyACM0"

    @property
    def tools(self) -> Path:
        """A folder with the probe's program in it."""
        return self.folder / "bin"

    @property
    def writes(self) -> list[str]:
        """What came of every attempt to write the flash: ``written`` or ``failed``."""
        log = self.folder / "writes"
        return log.read_text().split() if log.exists() else []

    def set_up(self) -> None:
        """A board, plugged in, that nothing was ever written to."""
        self.tools.mkdir(parents=True)
        probe = self.tools / "openocd"
        probe.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "{self.folder}" {self.board} "$@"\n'
        )
        probe.chmod(0o755)
        self.plug()

    def plug(self) -> None:
        """Power and cables: what was last written runs."""
        with self._alone():
            (self.folder / "plugged").touch()
            if self._firmware.exists():
                self._power_up()

    def unplug(self) -> None:
        """The processor stops, and the port is gone."""
        with self._alone():
            (self.folder / "plugged").unlink(missing_ok=True)
            self._power_down()

    def write(self, elf: Path) -> bool:
        """Puts firmware into the flash and starts it; False: no board answers the probe."""
        with self._alone():
            plugged = (self.folder / "plugged").exists()
            if plugged:
                self._power_down()
                shutil.copyfile(elf, self._firmware)
                self._power_up()
            with (self.folder / "writes").open("a") as log:
                print("written" if plugged else "failed", file=log)
        return plugged

    def is_opened_by(self, process: int) -> bool:
        """Whether that process has the port open now."""
        if not self.port.exists():
            return False
        terminal = os.path.realpath(self.port)
        opened = Path(f"/proc/{process}/fd")
        return any(os.path.realpath(each) == terminal for each in opened.iterdir())

    @property
    def _firmware(self) -> Path:
        return self.folder / "flash.elf"

    @property
    def _pid(self) -> Path:
        return self.folder / "pid"

    def _power_up(self) -> None:
        announced = self.folder / "announced"
        announced.unlink(missing_ok=True)
        command = [sys.executable, "-P", "-m", "tinynas.device.virtual", str(self._firmware)]
        command += ["--board", self.board, "--pty", "--port-file", str(announced), "--seconds", "600"]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        self._pid.write_text(str(process.pid))
        until(announced.exists, what="the virtual board's start")
        draft = self.port.with_name("draft")
        draft.symlink_to(announced.read_text().strip())
        draft.replace(self.port)

    def _power_down(self) -> None:
        self.port.unlink(missing_ok=True)
        if not self._pid.exists():
            return
        process = int(self._pid.read_text())
        self._pid.unlink()
        os.kill(process, signal.SIGKILL)
        until(lambda: _has_ended(process), what="the virtual board's end")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """The probe and whoever pulls the cable take turns."""
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _has_ended(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def main(arguments: Sequence[str]) -> int:
    """The probe: what `openocd -f ... -c "program {FILE} verify reset exit"` does, and how it fails."""
    folder, board, *words = arguments
    (elf,) = re.findall(r"program \{(.*?)\} verify reset exit", " ".join(words))
    if Bench(Path(folder), board).write(Path(elf)):
        return 0
    print("Error: open failed")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
