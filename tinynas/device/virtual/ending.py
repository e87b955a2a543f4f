"""How a virtual board came to its end, and the report of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the firmware does not run on: ``fault`` False where it was only asked to stop.

    ``registers`` are those of the core then; ``place`` names the function.
    """

    fault: bool
    kind: str
    sentence: str
    place: str
    registers: Mapping[str, int]
    called_from: str

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "fault": self.fault,
            "kind": self.kind,
            "message": self.sentence,
            "place": self.place,
            "called_from": self.called_from,
            "registers": {name: f"0x{value:08X}" for name, value in self.registers.items()},
        }


def report(ending: Ending) -> str:
    """Several lines for people: what, where, registers four in a line."""
    cells = [f"{name:>4} 0x{value:08X}" for name, value in ending.registers.items()]
    rows = ["  ".join(cells[start : start + 4]) for start in range(0, len(cells), 4)]
    pc = ending.registers["pc"]
    lines = (
        f"{ending.kind}: {ending.sentence}",
        f"  at   0x{pc:08X} in {ending.place}",
        f"  from 0x{ending.registers['lr']:08X} in {ending.called_from}",
        *(f"  {row}" for row in rows),
    )
    return "\n".join(lines)
