"""What firmware takes of flash and RAM, read from its ELF file.

These are the linker's own figures: what the board will hold, not what was meant. Flash is every section
that is loaded and has content, RAM every one that is written or zeroed, so .data counts in both: it lies in
flash and is copied. The board's own answer to MEMORY is compared with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from tinynas.errors import RequestError, ToolchainError

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

_SHF_WRITE, _SHF_ALLOC = 0x1, 0x2
#: the emitted model's static array, firmware's marks of its stack, and the allocator's way to memory
_ARENA, _STACK, _HEAP = "arena", ("_sstack", "_estack"), "_sbrk"


@dataclass(frozen=True, slots=True)
class Section:
    """A section that takes memory on the board; sizes in bytes."""

    name: str
    address: int
    size_bytes: int
    in_flash: bool
    in_ram: bool


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function or object that takes memory. `source` is the C file of a local one; a global tells none."""

    name: str
    source: str | None
    address: int
    size_bytes: int
    is_code: bool
    in_flash: bool


@dataclass(frozen=True, slots=True)
class FirmwareSize:
    """Flash and RAM of one firmware in bytes; None where the ELF does not tell.

    `arena_bytes` are part of .bss. `has_heap` is whether the allocator of the C library was linked.
    """

    sections: tuple[Section, ...]
    arena_bytes: int | None
    stack_bytes: int | None
    has_heap: bool
    symbols: tuple[Symbol, ...] = ()

    @property
    def flash_bytes(self) -> int:
        """Of all that lies in flash: code, constants, and what .data starts as."""
        return sum(section.size_bytes for section in self.sections if section.in_flash)

    @property
    def ram_bytes(self) -> int:
        """Of all that lies in RAM: stack, variables, arena."""
        return sum(section.size_bytes for section in self.sections if section.in_ram)

    @property
    def data_bytes(self) -> int:
        """Variables that start as something."""
        return self._of(".data")

    @property
    def bss_bytes(self) -> int:
        """Variables that start as zero, the arena among them."""
        return self._of(".bss")

    def _of(self, name: str) -> int:
        return sum(section.size_bytes for section in self.sections if section.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, for ``--json`` and a run's records."""
        return {
            "flash_bytes": self.flash_bytes,
            "sram_bytes": self.ram_bytes,
            "arena_bytes": self.arena_bytes,
            "stack_bytes": self.stack_bytes,
            "data_bytes": self.data_bytes,
            "bss_bytes": self.bss_bytes,
            "heap": self.has_heap,
            "sections": {section.name: section.size_bytes for section in self.sections},
        }


def firmware_size(file: Path) -> FirmwareSize:
    """What the firmware in `file` takes.

    Raises:
        RequestError: the file cannot be read, or is no ELF file.
        ToolchainError: pyelftools is not installed, or the file has two arenas.
    """
    elffile, failure = elftools()
    try:
        with file.open("rb") as stream:
            return _size(elffile(stream), file)
    except OSError as error:
        raise RequestError(f"{file} cannot be read ({error.strerror}): check the path") from None
    except failure as error:
        raise RequestError(f"{file} is not a sound ELF file ({error}): give what the linker made") from None


def _size(elf: ELFFile, file: Path) -> FirmwareSize:
    symbols = _symbols(elf)
    start, end = (symbols.get(name) for name in _STACK)
    arenas = _arenas(elf)
    if len(arenas) > 1:
        raise ToolchainError(f"{file} has {len(arenas)} arrays named '{_ARENA}': link one network at a time")
    return FirmwareSize(
        sections=tuple(_section(each) for each in elf.iter_sections() if _takes_memory(each)),
        arena_bytes=arenas[0] if arenas else None,
        stack_bytes=end - start if start is not None and end is not None else None,
        has_heap=_HEAP in symbols,
        symbols=tuple(_sized(elf)),
    )


def _takes_memory(section: Any) -> bool:
    return bool(section["sh_flags"] & _SHF_ALLOC) and section["sh_size"] > 0


def _section(section: Any) -> Section:
    zeroed = section["sh_type"] == "SHT_NOBITS"
    return Section(
        name=section.name,
        address=section["sh_addr"],
        size_bytes=section["sh_size"],
        in_flash=not zeroed,
        in_ram=zeroed or bool(section["sh_flags"] & _SHF_WRITE),
    )


def _table(elf: ELFFile) -> list[Any]:
    table: Any = elf.get_section_by_name(".symtab")
    return [] if table is None else list(table.iter_symbols())


def _symbols(elf: ELFFile) -> dict[str, int]:
    """Addresses of what is defined, by name."""
    return {each.name: each["st_value"] for each in _table(elf) if each["st_shndx"] != "SHN_UNDEF"}


def _sized(elf: ELFFile) -> Iterator[Symbol]:
    """Functions and objects: the table lists the local ones of a C file behind its name, then the global."""
    source = None
    for each in _table(elf):
        kind, is_local = each["st_info"]["type"], each["st_info"]["bind"] == "STB_LOCAL"
        if kind == "STT_FILE":
            source = PurePath(each.name).name
        elif kind in ("STT_FUNC", "STT_OBJECT") and each["st_size"] and isinstance(each["st_shndx"], int):
            yield Symbol(
                name=each.name,
                source=source if is_local else None,
                address=each["st_value"],
                size_bytes=each["st_size"],
                is_code=kind == "STT_FUNC",
                in_flash=_section(elf.get_section(each["st_shndx"])).in_flash,
            )


def _arenas(elf: ELFFile) -> list[int]:
    """Sizes of the static arrays that are a network's memory."""
    found = (each for each in _table(elf) if each.name == _ARENA and each["st_info"]["type"] == "STT_OBJECT")
    return [each["st_size"] for each in found]


def elftools() -> tuple[Any, type[Exception]]:
    """The class that reads ELF files, and what it raises for those that are none.

    Raises:
        ToolchainError: pyelftools is not installed.
    """
    try:
        elffile = import_module("elftools.elf.elffile").ELFFile
        failure = import_module("elftools.common.exceptions").ELFError
    except ImportError:
        raise ToolchainError(
            "pyelftools, which reads firmware, is not installed: pip install 'tinynas[firmware]'"
        ) from None
    return elffile, failure
