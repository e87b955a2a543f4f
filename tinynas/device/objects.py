"""What a compiler made: the sections of an object file, what each of them needs, and who defines that."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from tinynas.device.elf import elftools
from tinynas.errors import ToolchainError

_SHF_ALLOC = 0x2
_ARCHIVE, _HEADER = b"!<arch>\n", 60


@dataclass(frozen=True, slots=True)
class ObjectSection:
    """A section with content that takes memory; `locals_` and `globals_` are what its code refers to.

    The first are indices of sections of the same object, the second names that another may define.
    """

    index: int
    name: str
    size_bytes: int
    alignment: int
    locals_: frozenset[int]
    globals_: frozenset[str]


@dataclass(frozen=True, slots=True)
class ObjectFile:
    """One object: its sections by index, and in which of them the global symbols are that it defines."""

    name: str
    sections: dict[int, ObjectSection]
    defines: dict[str, int]


def read_object(name: str, content: bytes) -> ObjectFile:
    """The object file `name` with this content.

    Raises:
        ToolchainError: it is none, or pyelftools is not installed.
    """
    elffile, failure = elftools()
    try:
        elf = elffile(BytesIO(content))
        symbols = list(elf.get_section_by_name(".symtab").iter_symbols())
    except (failure, AttributeError) as error:
        raise ToolchainError(f"{name} is not a sound object file ({error}): build it again") from None
    links: dict[int, tuple[set[int], set[str]]] = {}
    for table in elf.iter_sections(type="SHT_REL"):
        near, far = links.setdefault(table["sh_info"], (set(), set()))
        for relocation in table.iter_relocations():
            symbol = symbols[relocation["r_info_sym"]]
            if isinstance(symbol["st_shndx"], int):
                near.add(symbol["st_shndx"])
            elif symbol.name and symbol["st_info"]["bind"] != "STB_WEAK":
                far.add(symbol.name)
    sections = {}
    for index, each in enumerate(elf.iter_sections()):
        if each["sh_flags"] & _SHF_ALLOC and each["sh_size"] and each["sh_type"] == "SHT_PROGBITS":
            near, far = links.get(index, (set(), set()))
            sections[index] = ObjectSection(
                index, each.name, each["sh_size"], each["sh_addralign"], frozenset(near), frozenset(far)
            )
    return ObjectFile(name, sections, dict(_defined(symbols)))


class Archive:
    """A library of objects, as GNU ar makes it; its index tells who defines what."""

    def __init__(self, file: Path) -> None:
        """Read the library.

        Raises:
            ToolchainError: the file is none, or has no index.
        """
        self._content = file.read_bytes()
        name, index = self._member(len(_ARCHIVE))
        if not self._content.startswith(_ARCHIVE) or name != b"/":
            raise ToolchainError(f"{file} is no library with an index: install the compiler again")
        (count,) = struct.unpack_from(">I", index)
        places = struct.unpack_from(f">{count}I", index, 4)
        symbols = index[4 + 4 * count :].split(b"\0")
        self._places = {symbol.decode(): place for symbol, place in zip(symbols, places, strict=False)}
        name, names = self._member(len(_ARCHIVE) + _HEADER + len(index) + len(index) % 2)
        self._names = names if name == b"//" else b""

    def __contains__(self, symbol: str) -> bool:
        """Whether one of its objects defines `symbol`."""
        return symbol in self._places

    def object_with(self, symbol: str) -> ObjectFile:
        """The object that defines `symbol`.

        Raises:
            KeyError: none does.
            ToolchainError: as `read_object`.
        """
        name, content = self._member(self._places[symbol])
        if name.startswith(b"/"):  # a long one stands in a member of its own
            name = self._names[int(name[1:]) :].partition(b"/\n")[0]
        return read_object(name.decode("ascii", "replace").rstrip("/"), content)

    def _member(self, at: int) -> tuple[bytes, bytes]:
        """Name and content of the member whose header is at `at`."""
        header = self._content[at : at + _HEADER]
        start = at + _HEADER
        return header[:16].rstrip(), self._content[start : start + int(header[48:58] or b"0")]


def _defined(symbols: list[Any]) -> Iterator[tuple[str, int]]:
    for symbol in symbols:
        if symbol["st_info"]["bind"] != "STB_LOCAL" and isinstance(symbol["st_shndx"], int):
            yield symbol.name, symbol["st_shndx"]
