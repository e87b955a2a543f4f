"""What the firmware's code is made of, and whether that is still what its table was made from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator

from tinynas.board import load_board
from tinynas.cost.code_table import CodeTable
from tinynas.device.linker import board_header, linker_script
from tinynas.resources import resource

#: folders, with the ends of those files' names that matter
_FILES = {
    "firmware/engine": (".c", ".h"),
    "firmware/hal": (".c", ".h"),
    "firmware/link": (".c", ".h"),
    "firmware/src": (".c", ".h"),
    "firmware/platform": ("firmware.py",),
    "firmware/platform/builder": (".py",),
    "tinynas/engine/templates": ("model.c.j2", "model.h.j2", "golden.c.j2", "golden.h.j2"),
}
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def source_digests(boards: Iterable[str]) -> dict[str, str]:
    """A digest of every source by its path, and of what is generated for each of the `boards`.

    It changes with what a compiler sees, not with comments.

    Raises:
        TinynasError: a file is missing.
    """
    return {name: _digest(name, text) for name, text in _texts(boards)}


def changed(table: CodeTable) -> tuple[str, ...]:
    """What is not as it was when the code was surveyed, sorted; what came or went, too."""
    now, then = source_digests(table.boards), table.sources
    return tuple(name for name in sorted({*now, *then}) if now.get(name) != then.get(name))


def _texts(boards: Iterable[str]) -> Iterator[tuple[str, str]]:
    for folder, ends in _FILES.items():
        for file in resource(folder).iterdir():
            if file.name.endswith(ends):
                yield f"{folder}/{file.name}", file.read_text(encoding="utf-8")
    for name in boards:
        board = load_board(name)
        yield f"the linker script of {name}", linker_script(board)
        yield f"the header of {name}", board_header(board)


def _digest(name: str, text: str) -> str:
    if not name.endswith(".py"):
        text = " ".join(_COMMENT.sub(" ", text).split())
    return hashlib.sha256(text.encode()).hexdigest()[:16]
