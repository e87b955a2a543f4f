"""The memories of a firmware and their parts, as they were predicted, linked, and told by the board."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: how figures are known, and what a column of them is called
SOURCES = {"predicted": "predicted", "elf": "in the ELF", "board": "on the board"}
_MEMORIES = {"sram_bytes": "SRAM", "flash_bytes": "flash"}
_PARTS = {
    "sram_bytes": {
        "arena_bytes": "network's arena",
        "stack_bytes": "stack",
        "variables_bytes": "firmware's variables",
    },
    "flash_bytes": {
        "constants_bytes": "network's constants",
        "engine_bytes": "engine's code",
        "golden_bytes": "golden vectors",
        "firmware_bytes": "rest of the firmware",
    },
}
#: sections that the ELF names and the board tells of itself
_SECTIONS = {".text": "text", ".rodata": "rodata", ".data": "data", ".bss": "bss"}


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """Bytes of a memory, of one of its parts, or of a section; None where not known that way."""

    name: str
    is_whole: bool
    predicted: int | None = None
    elf: int | None = None
    board: int | None = None

    @property
    def error(self) -> float | None:
        """By how much the prediction is off what was linked, as a share; None where it is not, or unknown."""
        if self.predicted is None or not self.elf or self.predicted == self.elf:
            return None
        return (self.predicted - self.elf) / self.elf


def memory_rows(found: Mapping[str, Any], *, sections: bool = True) -> list[MemoryRow]:
    """What the record of a build or a measurement tells: memories, each with its parts, then sections."""
    return [
        row for row in _rows(found, sections) if (row.predicted, row.elf, row.board) != (None, None, None)
    ]


def _rows(found: Mapping[str, Any], sections: bool) -> Iterator[MemoryRow]:
    # all that older records have
    parts = found.get("parts") or {"arena_bytes": found.get("arena_bytes", {})}
    for memory, title in _MEMORIES.items():
        yield _row(title, True, found.get(memory, {}))
        for part, name in _PARTS[memory].items():
            yield _row(name, False, parts.get(part, {}))
    for section, field in _SECTIONS.items() if sections else ():
        linked = found.get("firmware", {}).get("sections", {}).get(section)
        told = {"elf": linked, "board": found.get("memory", {}).get(field)}
        # nothing where it is empty
        yield _row(section, False, told if any(told.values()) else {})


def _row(name: str, is_whole: bool, told: Mapping[str, int | None]) -> MemoryRow:
    return MemoryRow(name, is_whole, **{source: told.get(source) for source in SOURCES})
