"""What firmware will take of flash, to the byte, before anything is compiled: as the linker will lay it out.

Which sections there are says the table of tinynas/cost/code_table.py, which of them are linked follows from
the network's kernels, and tinynas/device/linker.py orders them: those aligned most first, then by name. So
the gaps between them are known, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tinynas.board import STACK_BYTES, Board, load_board
from tinynas.cost.code_table import (
    REMEDY,
    STAND_IN,
    CodeSection,
    CodeTable,
    core_name,
    function_keys,
    model_keys,
    reached,
)
from tinynas.cost.estimates import FlashEstimate
from tinynas.device.code_sources import changed
from tinynas.device.golden import INPUT_BYTES, golden_sizes
from tinynas.device.linker import chip_files
from tinynas.device.parts import MemoryParts
from tinynas.device.platformio import Environment, compiler_version
from tinynas.engine.plan import ALIGNMENT, Plan
from tinynas.errors import BoardError

#: the linker script aligns the ends of .text and .rodata to this
_END_ALIGNMENT = 16
_VECTORS, _RODATA, _ENTRY = ".vectors", ".rodata", "cortexm.c:.vectors"


@dataclass(frozen=True, slots=True)
class Network:
    """What of a network matters to the linker: its kernels' functions, its ends, and bytes of constants.

    `golden` are the sizes of the arrays of golden.c, in bytes.
    """

    kernels: frozenset[str]
    inputs: int
    outputs: int
    constants: int
    golden: tuple[int, ...]

    @classmethod
    def of(cls, plan: Plan, constants: int, golden: tuple[int, ...]) -> Network:
        """That of `plan`."""
        ends = len(plan.graph.inputs), len(plan.graph.outputs)
        return cls(frozenset(plan.kernels), *ends, constants, golden)


def predicted_parts(
    table: CodeTable, board: Board, plan: Plan, flash: FlashEstimate, vectors: int
) -> MemoryParts:
    """What the firmware of `plan` with so many golden vectors takes on `board`; `flash` is the plan's there.

    Of boards that a framework brings up only what is the network's own is known.
    """
    golden = golden_sizes(plan, vectors)
    whole = linked_flash(table, board, Network.of(plan, flash.constants, golden))
    return replace(
        parts_around(table, board, len(plan.graph.inputs)),
        arena=plan.arena,
        constants=flash.constants,
        engine=flash.code,
        golden=sum(golden),
        firmware=None if whole is None else whole - flash.total - sum(golden),
    )


def parts_around(table: CodeTable, board: Board, inputs: int) -> MemoryParts:
    """Stack and variables of the firmware around a network of so many `inputs`.

    Nothing is known of boards that a framework brings up.
    """
    alike = _surveyed(table, board)
    if alike is None:
        return MemoryParts()
    return MemoryParts(stack=STACK_BYTES, variables=table.boards[alike].variables + INPUT_BYTES * inputs)


def linked_flash(table: CodeTable, board: Board, network: Network) -> int | None:
    """Bytes of .text and .rodata of the firmware for `board`; None where the table has nothing like it."""
    alike = _surveyed(table, board)
    if alike is None:
        return None
    sections = {**table.core(core_name(board)), **table.boards[alike].sections}
    homes = function_keys(sections)
    kernels = (homes[name] for name in network.kernels if name in homes)
    roots = [_ENTRY, *kernels, *model_keys(network.inputs, network.outputs)]
    linked = reached(sections, roots)
    vectors = [each for each in linked if each.name == _VECTORS]
    constants = [each for each in linked if each.name.startswith(_RODATA)]
    code = [each for each in linked if each.name.startswith(".text")]
    data = [("network", network.constants), *((f"golden{i}", size) for i, size in enumerate(network.golden))]
    constants += [CodeSection("", f"{_RODATA}.{name}", size, ALIGNMENT) for name, size in data]
    return _laid_out(vectors, code) + _laid_out(constants)


def doubts(table: CodeTable, board: Board, environment: Environment) -> str | None:
    """Why `linked_flash` may be some bytes off for what `environment` builds; None where it is exact."""
    if (core := core_name(board)) not in table.cores:
        return f"no code was surveyed for {core}, so that of {STAND_IN} is counted"
    if others := changed(table):
        more = f" and {len(others) - 1} more" if others[1:] else ""
        return f"{others[0]}{more} changed since code was surveyed (run: {REMEDY})"
    if not _is_surveyed(table, board):
        alike = _surveyed(table, board)
        return f"no firmware was surveyed for {board.id}" + (
            f", so that of {alike} is counted" if alike else ""
        )
    if not environment.is_local:
        return f"{environment.name} brings its own compiler, and code was surveyed with GCC {table.compiler}"
    if (mine := compiler_version()) != table.compiler:
        return f"GCC here is {mine}, and code was surveyed with {table.compiler}"
    return None


def _surveyed(table: CodeTable, board: Board) -> str | None:
    """The board of the table whose firmware is that of `board`, or of the same chips."""
    try:
        files = chip_files(board)
    except BoardError:
        return None
    if _is_surveyed(table, board):
        return board.id
    return next((name for name in table.boards if chip_files(load_board(name)) == files), None)


def _is_surveyed(table: CodeTable, board: Board) -> bool:
    """Whether it is in the table: a user's own file may describe another board of the same name."""
    return board.id in table.boards and load_board(board.id) == board


def _laid_out(*runs: Iterable[CodeSection]) -> int:
    """Bytes of an output section that holds the `runs` one after the other, each in the script's order."""
    at = 0
    for run in runs:
        for each in sorted(run, key=lambda each: (-each.alignment, each.name)):
            at += -at % each.alignment + each.size_bytes
    return at + -at % _END_ALIGNMENT
