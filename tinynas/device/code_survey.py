"""Builds the firmware's code for every board without a framework, and writes down what each function takes.

    python -m tinynas.device.code_survey

That is `make code`: it writes firmware/code.json, the table that flash is predicted from without building
anything (tinynas/cost/code_table.py). Run it after a change of firmware/, with the compiler that the table
is to be of. PlatformIO builds, so that every flag is that of a real build; of each core the whole engine,
around a network of one operator. The firmware that is linked in passing must take exactly what the table
tells of it.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tinynas.board import Board, load_board
from tinynas.cost.code_table import (
    MODEL,
    SEVERAL,
    TABLE,
    TEXT,
    BoardCode,
    CodeSection,
    CodeTable,
    Sections,
    core_name,
    table_to_json,
)
from tinynas.device.code_sources import source_digests
from tinynas.device.elf import FirmwareSize, firmware_size
from tinynas.device.golden import INPUT_BYTES, MODEL_NAME, add_golden, golden_sizes
from tinynas.device.objects import Archive, ObjectFile, ObjectSection, read_object
from tinynas.device.parts import MemoryParts
from tinynas.device.platformio import Firmware, build, compiler_version, read_environments
from tinynas.device.prediction import Network, linked_flash
from tinynas.device.project import find_project
from tinynas.engine.emit import SOURCES, emit
from tinynas.engine.plan import Plan
from tinynas.engine.planner import plan_network
from tinynas.engine.sources import engine_files
from tinynas.engine.tables import Tables
from tinynas.errors import TinynasError, ToolchainError
from tinynas.graph import DType, Graph, Operator, OpKind, Quantization, Tensor
from tinynas.resources import resource

#: lines of the linker's map that name a library it was given
_LIBRARY = re.compile(r"^LOAD (\S+\.a)$", re.MULTILINE)
_SPACE = re.compile(r"\s+")
#: sections that the linker script throws away
_DISCARDED = (".ARM.exidx", ".ARM.extab")
_VECTORS = 2
#: the files of networks, one of one input and output and one of several
_NETWORKS = (f"{MODEL}.c", f"{SEVERAL}.c")


@dataclass(frozen=True)
class _Code:
    """The objects of one build by the names they get in the table, and the libraries to look further in."""

    objects: dict[str, ObjectFile]
    libraries: list[Archive]


def survey(boards: Iterable[Board], folder: Path) -> CodeTable:
    """The code of `boards`, built inside `folder`.

    Raises:
        ToolchainError: the compiler or PlatformIO is missing or fails, or the table would not tell the truth.
    """
    compiler = compiler_version()
    if compiler is None:
        raise ToolchainError("the Arm compiler is not installed (Debian: apt install gcc-arm-none-eabi)")
    cores: dict[str, Sections] = {}
    known: dict[str, BoardCode] = {}
    linked: dict[Board, FirmwareSize] = {}
    for board in boards:
        print(f"building for {board.id} ({core_name(board)})", flush=True)
        code, firmware = _built(board, folder, whole_engine=core_name(board) not in cores)
        sections, linked[board] = _sections(code), firmware_size(firmware.elf)
        cores.setdefault(core_name(board), {key: each for key, each in sections.items() if _is_core(each)})
        around = {key: each for key, each in sections.items() if not _is_core(each)}
        known[board.id] = BoardCode(_variables(linked[board]), around)
    table = CodeTable(compiler, source_digests(known), cores, known)
    for board, size in linked.items():
        _check(table, board, size)
    return table


def _built(board: Board, folder: Path, *, whole_engine: bool) -> tuple[_Code, Firmware]:
    """The code of the firmware for `board` around a small network, with all of the engine if asked."""
    library = folder / "lib" / MODEL_NAME
    shutil.rmtree(library, ignore_errors=True)
    plan = small_plan(1)
    emit(small_plan(2), SEVERAL, library)
    emit(plan, MODEL, library)
    vectors = np.zeros((_VECTORS, plan.graph.tensors[0].elements), np.int8)
    add_golden(library, plan, b"", [vectors], [vectors])
    if whole_engine:
        for file in engine_files():
            shutil.copyfile(resource("firmware/engine") / file, library / SOURCES / file)
    project = find_project()
    (twin,) = (each for each in read_environments(project) if each.board == board.id and each.is_local)
    firmware = build(twin, project, libraries=folder / "lib", build_dir=folder / "build")
    objects = {
        f"{file.stem}.c": read_object(file.name, file.read_bytes())
        for file in sorted(firmware.elf.parent.rglob("*.o"))
    }
    text = firmware.elf.with_suffix(".map").read_text(encoding="utf-8")
    libraries = dict.fromkeys(Path(name) for name in _LIBRARY.findall(text) if Path(name).stem != "libmodel")
    return _Code(objects, [Archive(file) for file in libraries]), firmware


def _sections(code: _Code) -> dict[str, CodeSection]:
    """Every section of the objects, and those of libraries that they need, by key."""
    homes = {symbol: name for name, each in code.objects.items() for symbol in each.defines}
    found: dict[str, CodeSection] = {}
    waiting = [(name, each) for name, made in code.objects.items() for each in made.sections.values()]
    while waiting:
        file, section = waiting.pop()
        needs = [(file, code.objects[file].sections.get(index)) for index in section.locals_]
        needs += [_home(symbol, homes, code) for symbol in section.globals_]
        kept = [
            (home, other)
            for home, other in needs
            # the network's functions are linked anyway, which ones its numbers of inputs and outputs say
            if other is not None and _is_code(home, other) and (home == file or home not in _NETWORKS)
        ]
        if not _is_code(file, section):
            continue
        made = CodeSection(
            file,
            section.name,
            section.size_bytes,
            section.alignment,
            tuple(sorted({f"{home}:{other.name}" for home, other in kept} - {f"{file}:{section.name}"})),
        )
        if found.get(made.key, made) != made:
            raise ToolchainError(
                f"{file} has two different sections {section.name}: give its functions names"
            )
        found[made.key] = made
        waiting += [(home, other) for home, other in kept if f"{home}:{other.name}" not in found]
    return found


def _home(symbol: str, homes: dict[str, str], code: _Code) -> tuple[str, ObjectSection | None]:
    """Where `symbol` is defined; a library's object joins the others. None: by the linker script."""
    if symbol not in homes:
        library = next((each for each in code.libraries if symbol in each), None)
        if library is None:
            return "", None
        added = library.object_with(symbol)
        code.objects[added.name] = added
        homes.update(dict.fromkeys(added.defines, added.name) | homes)
    home = code.objects[homes[symbol]]
    return homes[symbol], home.sections.get(home.defines[symbol])


def _is_code(file: str, section: ObjectSection) -> bool:
    """Whether the table has it: of the network's own files only functions, the rest is its constants."""
    if section.name.startswith(_DISCARDED):
        return False
    return section.name.startswith(TEXT) or file not in (*_NETWORKS, "golden.c")


def _is_core(section: CodeSection) -> bool:
    """Whether it is the engine's, a network's or a library's: the same on every board of a core."""
    return section.file in engine_files() or section.file in _NETWORKS or not section.file.endswith(".c")


def _variables(size: FirmwareSize) -> int:
    """Bytes of SRAM of the firmware around a network, without those that its one input takes."""
    found = MemoryParts.of_elf(size).variables
    if found is None:
        raise ToolchainError("the firmware tells nothing of its variables: this is a defect of tinynas")
    return found - INPUT_BYTES


def _check(table: CodeTable, board: Board, size: FirmwareSize) -> None:
    """What the table tells must be what was linked."""
    plan = small_plan(1)
    constants = Tables(plan).flash(len(plan.steps)).total
    told = linked_flash(table, board, Network.of(plan, constants, golden_sizes(plan, _VECTORS)))
    if told != size.flash_bytes:
        raise ToolchainError(
            f"the table tells {told} B of flash on {board.id}, and {size.flash_bytes} B were linked: the "
            "linker places sections otherwise than tinynas/device/prediction.py, or there are new kinds; "
            "mend that"
        )


def small_plan(ends: int) -> Plan:
    """A network of so many inputs and outputs, and hardly anything between."""
    return plan_network(_network(ends))


def _network(ends: int) -> Graph:
    """So many inputs of four numbers, each with an output that is it without what is negative."""
    scale = Quantization((0.1,), (0,))
    tensors = tuple(Tensor(f"t{i}", (1, 1, 1, 4), DType.INT8, quantization=scale) for i in range(2 * ends))
    operators = tuple(Operator(OpKind.RELU, (i,), (ends + i,)) for i in range(ends))
    return Graph("survey", tensors, operators, tuple(range(ends)), tuple(range(ends, 2 * ends)))


def surveyed_boards() -> list[Board]:
    """Every one with an environment for the compiler that is installed."""
    twins = (each.board for each in read_environments(find_project()) if each.is_local)
    return [load_board(name) for name in sorted(twins)]


def main() -> int:
    """Write the table; the exit status is returned."""
    try:
        with TemporaryDirectory(prefix="tinynas-code-") as folder:
            table = survey(surveyed_boards(), Path(folder))
    except TinynasError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    file = resource("firmware") / Path(TABLE).name
    file.write_text(_text(table), encoding="utf-8")
    print(f"{file}: {len(table.boards)} boards, {len(table.cores)} cores, GCC {table.compiler}")
    return 0


def _text(table: CodeTable) -> str:
    """JSON with a line for each section, so that a change of one function is a change of one line."""
    text = json.dumps(table_to_json(table), indent=1)
    return (
        re.sub(
            r"\[[^\[\]]*\]",
            lambda found: _SPACE.sub(" ", found[0]).replace("[ ", "[").replace(" ]", "]"),
            text,
        )
        + "\n"
    )


if __name__ == "__main__":
    sys.exit(main())
