"""The firmware's code, function by function, as a compiler made it: what is linked is what is reached.

The linker keeps of every object file the sections (one a function) that can be reached from the interrupt
vectors. So what code takes of flash follows from a table of sections: size, alignment, and which others each
needs. `firmware/code.json` is that table, for every core and every board brought up without a framework;
`make code` (tinynas/device/code_survey.py) builds all of it again and writes it. It names the compiler and
the sources it was made from: with others, what is told from it is about right, and not to the byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tinynas.board import Board
from tinynas.errors import TinynasError
from tinynas.resources import resource

#: the table, and the command that makes it again
TABLE, REMEDY = "firmware/code.json", "make code"
#: what stands in for the code of a core that was never surveyed
STAND_IN = "cortex-m7 fpv5-sp-d16"
#: the functions of a network of one input and one output, and of one of several
MODEL, SEVERAL = "model", "several"
#: where the sections of functions are
TEXT = ".text."


@dataclass(frozen=True, slots=True)
class CodeSection:
    """A stretch of code or constants that is linked whole or not at all; sizes in bytes.

    `file` is the C file, or the library's object, that it comes from; `needs` are keys of other sections.
    """

    file: str
    name: str
    size_bytes: int
    alignment: int
    needs: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What tells it from all others: static functions of two files may share a name."""
        return f"{self.file}:{self.name}"


Sections = Mapping[str, CodeSection]


@dataclass(frozen=True, slots=True)
class BoardCode:
    """What surrounds a network on one board; `variables` are bytes of SRAM, without those an input takes."""

    variables: int
    sections: Sections


@dataclass(frozen=True)
class CodeTable:
    """All sections by core and by board; `sources` are digests of what they were made from, by file."""

    compiler: str
    sources: Mapping[str, str]
    cores: Mapping[str, Sections]
    boards: Mapping[str, BoardCode]

    def core(self, name: str) -> Sections:
        """The engine and the C library for a core, or for another where that was not surveyed."""
        return self.cores[name if name in self.cores else STAND_IN]


@cache
def code_table() -> CodeTable:
    """The table that lies beside the firmware.

    Raises:
        TinynasError: it is missing or damaged.
    """
    file = resource(TABLE)
    try:
        return table_from_json(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TinynasError(f"{file} is damaged ({error!r}): install tinynas again, or {REMEDY}") from None


def table_from_json(plain: Any) -> CodeTable:
    """The table that `table_to_json` made plain.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it did not.
    """
    boards = {
        name: BoardCode(board["variables"], _sections(board["files"]))
        for name, board in plain["boards"].items()
    }
    cores = {name: _sections(files) for name, files in plain["cores"].items()}
    return CodeTable(plain["compiler"], plain["sources"], cores, boards)


def table_to_json(table: CodeTable) -> dict[str, Any]:
    """Plain JSON types, sorted: [size, alignment, needs...] by section, by file, by core or board."""
    boards = {
        name: {"variables": board.variables, "files": _by_file(board.sections)}
        for name, board in sorted(table.boards.items())
    }
    return {
        "compiler": table.compiler,
        "sources": dict(sorted(table.sources.items())),
        "cores": {name: _by_file(sections) for name, sections in sorted(table.cores.items())},
        "boards": boards,
    }


def reached(sections: Sections, roots: Iterable[str]) -> list[CodeSection]:
    """The sections with the keys `roots` and all that they need; keys that are not there are passed over."""
    found: dict[str, CodeSection] = {}
    waiting = list(roots)
    while waiting:
        key = waiting.pop()
        if key not in found and key in sections:
            found[key] = sections[key]
            waiting += sections[key].needs
    return list(found.values())


def function_keys(sections: Sections) -> dict[str, str]:
    """The key of every function with code of its own, by its name; of equal names any."""
    return {
        each.name.removeprefix(TEXT): each.key for each in sections.values() if each.name.startswith(TEXT)
    }


def model_keys(inputs: int, outputs: int) -> tuple[str, ...]:
    """Keys of the functions of a network of so many inputs and outputs."""
    ends = [
        (MODEL if number == 1 else SEVERAL, end) for number, end in ((inputs, "input"), (outputs, "output"))
    ]
    functions = [*ends, *((MODEL, name) for name in ("invoke", "network", "arena"))]
    return tuple(f"{file}.c:{TEXT}{file}_{function}" for file, function in functions)


def core_name(board: Board) -> str:
    """What code is compiled for: the core and its floating-point unit."""
    return f"{board.core} {board.fpu or 'soft'}"


def _sections(files: Mapping[str, Mapping[str, list[Any]]]) -> dict[str, CodeSection]:
    made = (
        CodeSection(file, name, size, alignment, tuple(needs))
        for file, sections in files.items()
        for name, (size, alignment, *needs) in sections.items()
    )
    return {each.key: each for each in made}


def _by_file(sections: Sections) -> dict[str, dict[str, list[Any]]]:
    files: dict[str, dict[str, list[Any]]] = {}
    for _, each in sorted(sections.items()):
        files.setdefault(each.file, {})[each.name] = [each.size_bytes, each.alignment, *sorted(each.needs)]
    return files
