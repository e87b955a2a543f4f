"""The firmware's ELF file: what is loaded where, and what lies at an address."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from tinynas.board import Region
from tinynas.errors import RequestError

_EM_ARM = 40
#: names that linker scripts give to the lowest address of the stack
_STACK_ENDS = ("__stack_limit", "__StackLimit", "_stack_limit", "stack_bottom", "_sstack", "__stack_start__")


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes at their load address."""

    address: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function, variable or linker's mark; functions without Thumb's bit 0."""

    name: str
    address: int
    size: int
    kind: str


@dataclass(frozen=True, slots=True)
class Image:
    """A firmware as the ELF file has it."""

    path: Path
    segments: tuple[Segment, ...]
    symbols: tuple[Symbol, ...]

    def place(self, address: int) -> str:
        """``main+0x14``, or the address alone where no function of the ELF holds it."""
        functions = [symbol for symbol in self.symbols if symbol.kind == "STT_FUNC"]
        index = bisect_right([function.address for function in functions], address) - 1
        if index < 0:
            return f"0x{address:08X}"
        function = functions[index]
        distance = address - function.address
        if function.size and distance >= function.size:
            return f"0x{address:08X}"
        return f"{function.name}+0x{distance:X}" if distance else function.name

    def stack_limit(self, top: int, memory: Sequence[Region]) -> int:
        """The lowest address that the stack below ``top`` may reach; 0 where ``top`` is in none of the
        board's memories.

        A mark of the linker script says so, or the variable that is the stack, or the end of the variables
        below.
        """
        lowest = _stretch_below(top, memory)
        if lowest is None:
            return 0
        below = [s for s in self.symbols if lowest <= s.address < top]
        marks = [s.address for s in below if s.name in _STACK_ENDS]
        if marks:
            return max(marks)
        objects = [s for s in below if s.kind == "STT_OBJECT" and s.size]
        stack = [s.address for s in objects if s.address + s.size >= top]
        return max(stack or [s.address + s.size for s in objects], default=lowest)


def _stretch_below(top: int, memory: Sequence[Region]) -> int | None:
    """The start of the memories that lie end to end up to ``top``; None where there is none."""
    lowest = None
    for region in sorted((r for r in memory if r.kind != "flash"), key=lambda r: -r.origin):
        if (lowest or top) in range(region.origin + 1, region.end + 1):
            lowest = region.origin
    return lowest


def read_image(path: Path, flash: int) -> Image:
    """Reads a firmware: an ELF file, or (``.bin``) the bytes of the flash that begins at ``flash``.

    Raises:
        RequestError: the file is missing or no ELF of an Arm processor, or has nothing to load.
    """
    if path.suffix.lower() == ".bin":
        return Image(path, (Segment(flash, _read_bytes(path)),), ())

    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with BytesIO(_read_bytes(path)) as file:
            elf: Any = ELFFile(file)
            if elf["e_machine"] != "EM_ARM":
                raise RequestError(
                    f"{path} is for another processor ({elf['e_machine']}): give an ELF of an Arm Cortex-M"
                )
            segments = tuple(
                Segment(part["p_paddr"], part.data())
                for part in elf.iter_segments()
                if part["p_type"] == "PT_LOAD" and part["p_filesz"]
            )
            table = elf.get_section_by_name(".symtab")
            symbols = _symbols(table) if table is not None else ()
    except ELFError as failure:
        raise RequestError(
            f"{path} is not an ELF file ({failure}): give the .elf, or a .bin of the whole flash"
        ) from None
    if not segments:
        raise RequestError(f"{path} has nothing to load: give the linked firmware, not an object file")
    return Image(path, segments, symbols)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise RequestError(f"there is no firmware {path}: check the path") from None
    except OSError as failure:
        raise RequestError(f"firmware {path} cannot be read ({failure.strerror}): check the path") from None


def _symbols(table: Any) -> tuple[Symbol, ...]:
    """Named symbols by address; of several at one address those with a size come last, so they are found."""
    found = []
    for symbol in table.iter_symbols():
        kind = symbol["st_info"]["type"]
        if symbol.name and kind in ("STT_FUNC", "STT_OBJECT", "STT_NOTYPE") and symbol.name[0] != "$":
            address = symbol["st_value"] & ~1 if kind == "STT_FUNC" else symbol["st_value"]
            found.append(Symbol(symbol.name, address, symbol["st_size"], kind))
    return tuple(sorted(found, key=lambda s: (s.address, s.size)))
