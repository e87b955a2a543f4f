"""What a chip has beside its core: memories, registers with their reset values, serial lines, a timer.

One JSON file a chip in ``chips/``, from the vendor's reference manual. A bit is written ``RCC.CR.16``:
peripheral, register, bit number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tinynas.board import Board
from tinynas.errors import BoardError

_CHIPS = Path(__file__).resolve().parent / "chips"


@dataclass(frozen=True, slots=True)
class Bit:
    """One bit (or the lowest of a field) of a register."""

    peripheral: str
    register: str
    number: int


@dataclass(frozen=True, slots=True)
class Register:
    """A register: where, what it holds after reset, bits always one, and bits that follow another's.

    ``follows`` is how ready flags are told: bit -> the bit whose value it shows.
    """

    name: str
    address: int
    reset: int
    ones: int
    follows: Mapping[int, Bit]


@dataclass(frozen=True, slots=True)
class Peripheral:
    """A stretch of registers, which may need its clock switched on (``gate``)."""

    name: str
    base: int
    gate: Bit | None


@dataclass(frozen=True, slots=True)
class Line:
    """A serial line: ``layout`` is isr (F7, H7, L4), sr (F4) or lpuart; ``bus`` its bus's prescaler field."""

    name: str
    base: int
    gate: Bit | None
    irq: int
    layout: Literal["isr", "sr", "lpuart"]
    bus: Bit


@dataclass(frozen=True, slots=True)
class Counter:
    """A general-purpose timer that counts up."""

    name: str
    base: int
    gate: Bit | None
    irq: int
    bus: Bit


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory that a board's file does not list: the same bytes as at ``alias_of``, or ``words`` in a read-
    only one.
    """

    name: str
    origin: int
    size_bytes: int
    alias_of: int | None
    words: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class DataCache:
    """What reads go through: the core's data cache, or that of the flash interface.

    ``ways`` is 0 where it is fully associative. ``miss_cycles`` is what a missing line costs; 0 means the
    flash's wait states. ``switch`` is the bit that turns it on; None for the core's own, in SCB.CCR.
    """

    line_bytes: int
    ways: int
    served: range
    miss_cycles: int
    switch: Bit | None


@dataclass(frozen=True, slots=True)
class Chip:
    """A microcontroller as its reference manual describes it."""

    name: str
    cpuid: int
    dwt_lock: bool
    ahb: Bit
    data_cache: DataCache
    memories: tuple[Memory, ...]
    peripherals: tuple[Peripheral, ...]
    registers: tuple[Register, ...]
    lines: tuple[Line, ...]
    timers: tuple[Counter, ...]


def load_chip(board: Board) -> Chip:
    """The chip of a board, by its part number.

    Raises:
        BoardError: no data file describes it.
    """
    known = sorted(_CHIPS.glob("*.json"), key=lambda file: -len(file.stem))
    file = next((file for file in known if board.mcu.lower().startswith(file.stem)), None)
    if file is None:
        names = ", ".join(sorted(file.stem for file in known))
        raise BoardError(
            f"{board.id} has no virtual board: its chip {board.mcu} is none of {names}; "
            "use a real board (--port)"
        )
    return _chip(json.loads(file.read_text(encoding="utf-8")))


def _chip(data: Mapping[str, Any]) -> Chip:
    return Chip(
        name=data["chip"],
        cpuid=_number(data["cpuid"]),
        dwt_lock=data["dwt_lock"],
        ahb=_bit(data["ahb"]),
        data_cache=_data_cache(data["data_cache"]),
        memories=tuple(_memory(item) for item in data["memories"]),
        peripherals=tuple(
            Peripheral(item["name"], _number(item["base"]), _gate(item)) for item in data["peripherals"]
        ),
        registers=tuple(
            _register(_number(peripheral["base"]), peripheral["name"], item)
            for peripheral in data["peripherals"]
            for item in peripheral["registers"]
        ),
        lines=tuple(
            Line(i["name"], _number(i["base"]), _gate(i), i["irq"], i["layout"], _bit(i["bus"]))
            for i in data["serial_lines"]
        ),
        timers=tuple(
            Counter(i["name"], _number(i["base"]), _gate(i), i["irq"], _bit(i["bus"])) for i in data["timers"]
        ),
    )


def _register(base: int, peripheral: str, item: Mapping[str, Any]) -> Register:
    return Register(
        name=f"{peripheral}.{item['name']}",
        address=base + _number(item["offset"]),
        reset=_number(item.get("reset", "0")),
        ones=_number(item.get("ones", "0")),
        follows={int(bit): _bit(source) for bit, source in item.get("follows", {}).items()},
    )


def _memory(item: Mapping[str, Any]) -> Memory:
    return Memory(
        item["name"],
        _number(item["origin"]),
        item["size_bytes"],
        _number(item["alias_of"]) if "alias_of" in item else None,
        {_number(address): _number(word) for address, word in item.get("words", {}).items()},
    )


def _data_cache(item: Mapping[str, Any]) -> DataCache:
    return DataCache(
        item["line_bytes"],
        item["ways"],
        range(_number(item["from"]), _number(item["to"])),
        item["miss_cycles"],
        _bit(item["switch"]) if "switch" in item else None,
    )


def _gate(item: Mapping[str, Any]) -> Bit | None:
    return _bit(item["gate"]) if "gate" in item else None


def _bit(text: str) -> Bit:
    peripheral, register, number = text.split(".")
    return Bit(peripheral, register, int(number))


def _number(text: str) -> int:
    return int(text, 16)
