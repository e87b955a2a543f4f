"""What firmware is put on and asked over: a board on a port, or the virtual one. Both are a `Target`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from tinynas.board import Board
from tinynas.device.flash import flash
from tinynas.device.platformio import choose_environment, require_uploader
from tinynas.device.ports import SerialLine, choose_port, list_ports
from tinynas.device.project import find_project
from tinynas.device.virtual.accuracy import accuracy
from tinynas.device.virtual.chip import load_chip
from tinynas.device.virtual.process import virtual_board
from tinynas.errors import DeviceError, RequestError, ToolchainError
from tinynas.pipeline.build import built_before, places


class Target(Protocol):
    """Where firmware runs. `suffix` tells its records apart."""

    def times(self, board: Board) -> str:
        """How times on `board` are known: ``measured``, or else how far they can be trusted."""

    @property
    def suffix(self) -> str:
        """Ends the name of a record of the board: empty for a real one."""

    def require(self, board: Board) -> None:
        """Nothing, if firmware for `board` can be built and run here as things are.

        Raises:
            TinynasError: what is missing, or the board is not there.
        """

    def firmware(self, given: Path | None, board: Board, folder: Path | None) -> Path | None:
        """The ELF file that runs when nothing is flashed: `given`, or the last one built in `folder`.

        None is whatever is on the board.

        Raises:
            RequestError, ToolchainError: there is no such.
            BoardError: nor could it run here.
        """

    def flash(self, elf: Path, board: Board) -> None:
        """Write the firmware in `elf` into the board.

        Raises:
            ToolchainError, DeviceError, RequestError: what stands in the way.
        """

    def connect(self, elf: Path | None, board: Board) -> AbstractContextManager[SerialLine]:
        """A line to the board, which runs `elf`; None is whatever is on it.

        Raises:
            DeviceError: no board, several, or one that cannot be opened.
            ToolchainError: a program that is needed is missing.
        """


@dataclass(frozen=True, slots=True)
class PortTarget:
    """A board at a serial port: its name, any URL of pyserial's, or None for the only one there is."""

    port: str | None = None
    suffix: str = ""

    def times(self, board: Board) -> str:
        """As `Target.times`."""
        return "measured"

    def require(self, board: Board) -> None:
        """As `Target.require`: tools, and a port with something on it."""
        require_uploader(choose_environment(board.id, find_project()))
        with self.connect(None, board):
            pass

    def firmware(self, given: Path | None, board: Board, folder: Path | None) -> Path | None:
        """As `Target.firmware`: what is on the board."""
        if given is not None:
            raise RequestError(
                f"a real board runs what is on it, not {given}: leave that out, or `tinynas flash` it first"
            )
        return None

    def flash(self, elf: Path, board: Board) -> None:
        """As `Target.flash`, through PlatformIO."""
        # a port that is reached over a network has no bootloader behind it
        flash(elf, board, None if self.port is None or "://" in self.port else self.port)

    @contextmanager
    def connect(self, elf: Path | None, board: Board) -> Iterator[SerialLine]:
        """As `Target.connect`; what runs there is the caller's to check."""
        with SerialLine(choose_port(self.port, list_ports() if self.port is None else ())) as line:
            yield line


@dataclass(frozen=True, slots=True)
class VirtualTarget:
    """The virtual board: a process that runs the same firmware."""

    suffix: str = "-virtual"

    def times(self, board: Board) -> str:
        """As `Target.times`: by a model of the core, and how far to trust it."""
        return f"{accuracy(board.core)}; by the virtual board"

    def require(self, board: Board) -> None:
        """As `Target.require`: tools, the extra, and data of the chip."""
        choose_environment(board.id, find_project())
        load_chip(board)
        if find_spec("unicorn") is None:
            raise ToolchainError("the virtual board needs unicorn: pip install 'tinynas[virtual]'")

    def firmware(self, given: Path | None, board: Board, folder: Path | None) -> Path | None:
        """As `Target.firmware`."""
        load_chip(board)
        return built_before(board, places(folder)) if given is None else given

    def flash(self, elf: Path, board: Board) -> None:
        """Nothing: the firmware is there when the board starts."""

    @contextmanager
    def connect(self, elf: Path | None, board: Board) -> Iterator[SerialLine]:
        """As `Target.connect`; the board lasts as long as the line.

        Raises:
            DeviceError: also where the firmware ended; the message is the board's report.
        """
        if elf is None:
            raise RequestError("a virtual board has nothing on it yet: name a firmware")
        with virtual_board(elf, board.id) as running, SerialLine(running.url) as line:
            try:
                yield line
            except DeviceError as error:
                # a firmware that crashed answers nothing, but the virtual board knows why
                if report := running.report():
                    raise DeviceError(f"the firmware ended on the virtual board: {report}") from error
                raise


def find_target(port: str | None, virtual: bool) -> Target:
    """The board that `--port` and `--virtual` mean; with neither the only one connected.

    Raises:
        RequestError: both are given.
    """
    if virtual and port is not None:
        raise RequestError("--virtual and --port name two boards: use one of them")
    return VirtualTarget() if virtual else PortTarget(port)
