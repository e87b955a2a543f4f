"""A finished firmware, ours or anyone's, written into a real board by PlatformIO."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from tinynas.board import Board
from tinynas.device.platformio import Firmware, choose_environment, upload
from tinynas.device.project import find_project
from tinynas.device.virtual.image import read_image
from tinynas.errors import RequestError

#: what flash holds where nothing was written
_ERASED = b"\xff"


def flash(elf: Path, board: Board, port: str | None = None) -> None:
    """Write the firmware in `elf` into the connected `board`; `port` is for those written over a serial line.

    Raises:
        RequestError: the file is no firmware, or not for this board's memory.
        BoardError, ToolchainError, DeviceError: as `choose_environment` and `upload`.
    """
    project = find_project()
    environment = choose_environment(board.id, project)
    image = flash_image(elf, board)
    # PlatformIO uploads what lies in a build folder: one is made that holds nothing else
    with TemporaryDirectory(prefix="tinynas-flash-") as folder:
        staged = Firmware.of(environment, Path(folder))
        staged.elf.parent.mkdir()
        shutil.copyfile(elf, staged.elf)
        staged.binary.write_bytes(image)
        if (hexadecimal := elf.with_suffix(".hex")).is_file():
            shutil.copyfile(hexadecimal, staged.elf.with_suffix(".hex"))
        upload(environment, project, port=port, build_dir=Path(folder))


def flash_image(elf: Path, board: Board) -> bytes:
    """The bytes of flash from its start on, as `objcopy -O binary` makes them.

    Raises:
        RequestError: the file is no firmware, or lies outside of the board's flash.
    """
    flashes = [region for region in board.regions if region.kind == "flash"]
    start = min(region.origin for region in flashes)
    end = max(region.end for region in flashes)
    segments = sorted(read_image(elf, start).segments, key=lambda segment: segment.address)
    first, last = segments[0], segments[-1]
    if first.address < start or last.address + len(last.content) > end:
        raise RequestError(
            f"{elf} begins at {first.address:#010x} and the flash of {board.id} is {start:#010x} to "
            f"{end:#010x}: it was built for another board, so build one for {board.id}"
        )
    image = b""
    for segment in segments:
        image = image.ljust(segment.address - first.address, _ERASED) + segment.content
    return image
