"""What an operator gives its kernel to do: all that its cycles depend on, and nothing else.

Operators of one work cost the same: a time once worked out serves every network that has such an operator.
Like a task, a work may stand for many operators, its numbers being arrays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinynas.board import Board, coupled_rooms
from tinynas.elementwise import larger, smaller, where
from tinynas.engine.alike import tasks_of
from tinynas.engine.kernels import Form
from tinynas.engine.planner import Arrangement
from tinynas.engine.tasks import Task

#: of a Cortex-M7's data cache (Arm DDI 0489, 5.7)
_WAYS = 4
#: bytes between two channels of planes, nearly always, where a depthwise window of 3 columns reads them
USUAL_GAP = 4
_VALUE = 2
#: of caches whose lines the vendor does not tell
_LINE = 16


@dataclass(frozen=True, slots=True)
class Exposure:
    """Shares, 0 to 1, of an operator's memory that the data cache serves; what it does not never misses."""

    source: float = 0.0
    output: float = 0.0
    scratch: float = 0.0


@dataclass(frozen=True, slots=True)
class Margins:
    """What is set to 0 beside the columns of planes: `gap` bytes for each channel of `rows` rows."""

    gap: int
    rows: int


@dataclass(frozen=True, slots=True)
class Work:
    """A task as `kernel`, a C function, does it."""

    kernel: str
    task: Task
    exposed: Exposure
    #: of planes that it makes
    margins: Margins | None = None


@dataclass(frozen=True, slots=True)
class DataMemory:
    """The memory of a board as its kernels see it: a data cache, and what it serves.

    `coupled` is the stretch of addresses that is coupled to the core and needs no cache; an arena begins at
    the address `arena`. A core's cache serves all other memory and has `ways`; one of flash alone has 0:
    there any line may lie anywhere.
    """

    cache_bytes: int
    line_bytes: int
    ways: int
    coupled: tuple[int, int]
    arena: int

    @classmethod
    def of(cls, board: Board, arena_offset: int, arena_bytes: int) -> DataMemory:
        """That of `board` with an arena of `arena_bytes`, `arena_offset` behind the start of its RAM."""
        coupled = next((region for region in board.regions if region.kind == "dtcm"), None)
        return cls(
            cache_bytes=board.caches.dcache_bytes,
            line_bytes=board.caches.line_bytes or _LINE,
            ways=_WAYS if board.caches.where == "core" else 0,
            coupled=(coupled.origin, coupled.end) if coupled else (0, 0),
            arena=ram_origin(board, arena_bytes) + arena_offset,
        )

    def exposed(self, offset: int, size: int) -> float:
        """The share of `size` bytes at `offset` of the arena that the cache serves."""
        if not self.ways:
            return 0.0
        first = self.arena + offset
        inside = smaller(first + size, self.coupled[1]) - larger(first, self.coupled[0])
        return where(size > 0, 1.0 - larger(0, inside) / larger(size, 1), 0.0)

    def lost(self, touched: float) -> float:
        """The share of the `touched` bytes of a loop's round that are gone from the cache in its next round.

        The least recently used line goes. So where a set of the cache has one line too many, all of them do.
        """
        excess = touched - self.cache_bytes
        share = smaller(1.0, excess * (self.ways + 1) / larger(touched, 1.0)) if self.ways else 1.0
        return where(excess > 0, share, 0.0)


def ram_origin(board: Board, arena_bytes: int) -> int:
    """The start of the RAM into which firmware with such an arena is linked; of many, of each."""
    origin = min([region.origin for region in board.regions if region.arena])
    for own, most in reversed(coupled_rooms(board)):
        origin = where(arena_bytes <= most, own.origin, origin)
    return origin


def list_work(arranged: Arrangement, memory: DataMemory) -> Iterator[Work]:
    """The work of every operator of a network, whose feature maps lie as `arranged`."""
    rows, maps = arranged.rows, arranged.layout.maps
    rings = {tensor for group in arranged.groups for tensor in group.rings}

    def exposed(tensor: int) -> float:
        stream = rows.streams[tensor]
        return memory.exposed(maps[tensor], stream.ring_bytes if tensor in rings else stream.bytes)

    facts = zip(rows.graph.operators, rows.kernels, tasks_of(rows.graph), strict=True)
    for index, (operator, kernel, task) in enumerate(facts):
        source = next(rows.graph.activations_in(operator))
        scratch = memory.exposed(arranged.layout.working.get(index, 0), rows.working[index])
        exposure = Exposure(exposed(source), exposed(operator.outputs[0]), scratch)
        margins = None
        if kernel.writes is Form.PLANES:
            made = rows.streams[operator.outputs[0]]
            gap = made.shape.row_bytes // task.output.channels - _VALUE * task.output.columns
            # of a ring, which is written again and again, the slots' first rows from either end of the map
            cleared = min(2 * made.slots, made.shape.rows) if made.tensor in rings else made.shape.rows
            margins = Margins(gap, cleared)
        yield Work(kernel.function, task, exposure, margins)
