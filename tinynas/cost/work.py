"""What an operator gives its kernel to do: all that its cycles depend on, and nothing else.

Operators of one work cost the same: a time once worked out serves every network that has such an operator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinynas.board import Board, coupled_ram
from tinynas.engine.costs import depth_of
from tinynas.engine.kernels import Kernel
from tinynas.engine.planner import Arrangement
from tinynas.engine.rows import MapShape, map_shape
from tinynas.graph import Graph, Operator, OpKind, Window

#: kinds with weights
_WEIGHTED = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED)

#: of a Cortex-M7's data cache (Arm DDI 0489, 5.7)
_WAYS = 4
#: of caches whose lines the vendor does not tell
_LINE = 16


@dataclass(frozen=True, slots=True)
class Exposure:
    """Shares, 0 to 1, of an operator's memory that the data cache serves; what it does not never misses."""

    source: float = 0.0
    output: float = 0.0
    scratch: float = 0.0


@dataclass(frozen=True, slots=True)
class Work:
    """One operator as `kernel`, a C function, runs it.

    `source` is its first input and `other` its second, if any; `depth` the products of an output value, 0
    without weights.
    """

    kernel: str
    kind: OpKind
    source: MapShape
    other: MapShape | None
    output: MapShape
    window: Window | None
    depth: int
    groups: int
    exposed: Exposure

    @property
    def padded(self) -> tuple[int, int]:
        """Rows and columns of the output whose window is partly outside of the source."""
        if self.window is None:
            return 0, 0
        top, _, left, _ = self.window.margins(self.source.rows, self.source.columns)
        return (
            _outside(self.output.rows, self.window.stride[0], self.window.reach[0], top, self.source.rows),
            _outside(
                self.output.columns, self.window.stride[1], self.window.reach[1], left, self.source.columns
            ),
        )

    @property
    def rows_inside(self) -> int:
        """Rows of the window that are inside of the source, in all steps together."""
        if self.window is None:
            return 0
        top = self.window.margins(self.source.rows, self.source.columns)[0]
        firsts = (step * self.window.stride[0] - top for step in range(self.output.rows))
        reach = self.window.reach[0]
        return sum(min(first + reach, self.source.rows) - max(first, 0) for first in firsts)


def _outside(steps: int, stride: int, reach: int, before: int, size: int) -> int:
    first = -(-before // stride)
    last = (size + before - reach) // stride
    return steps - max(0, min(last, steps - 1) - first + 1)


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
        if not self.ways or not size:
            return 0.0
        first = self.arena + offset
        inside = min(first + size, self.coupled[1]) - max(first, self.coupled[0])
        return 1.0 - max(0, inside) / size

    def lost(self, touched: float) -> float:
        """The share of the `touched` bytes of a loop's round that are gone from the cache in its next round.

        The least recently used line goes. So where a set of the cache has one line too many, all of them do.
        """
        excess = touched - self.cache_bytes
        if excess <= 0:
            return 0.0
        return min(1.0, excess * (self.ways + 1) / touched) if self.ways else 1.0


def ram_origin(board: Board, arena_bytes: int) -> int:
    """The start of the RAM into which firmware with such an arena is linked."""
    if (own := coupled_ram(board, arena_bytes)) is not None:
        return own.origin
    return min(region.origin for region in board.regions if region.arena)


def list_work(arranged: Arrangement, memory: DataMemory) -> Iterator[Work]:
    """The work of every operator of a network, whose feature maps lie as `arranged`."""
    rows, maps = arranged.rows, arranged.layout.maps
    rings = {tensor for group in arranged.groups for tensor in group.rings}

    def exposed(tensor: int) -> float:
        stream = rows.streams[tensor]
        return memory.exposed(maps[tensor], stream.ring_bytes if tensor in rings else stream.bytes)

    for index, (operator, kernel) in enumerate(zip(rows.graph.operators, rows.kernels, strict=True)):
        source = next(rows.graph.activations_in(operator))
        scratch = memory.exposed(arranged.layout.working.get(index, 0), rows.working[index])
        exposure = Exposure(exposed(source), exposed(operator.outputs[0]), scratch)
        yield work_of(rows.graph, operator, kernel, exposure)


def work_of(graph: Graph, operator: Operator, kernel: Kernel, exposed: Exposure) -> Work:
    """The work of one operator."""
    source, *others = (map_shape(graph.tensors[i]) for i in graph.activations_in(operator))
    groups = 1
    if operator.kind is OpKind.CONV_2D:
        groups = source.channels // graph.tensors[operator.inputs[1]].shape[3]
    return Work(
        kernel=kernel.function,
        kind=operator.kind,
        source=source,
        other=others[0] if others else None,
        output=map_shape(graph.tensors[operator.outputs[0]]),
        window=operator.window,
        depth=depth_of(graph, operator) if operator.kind in _WEIGHTED else 0,
        groups=groups,
        exposed=exposed,
    )
