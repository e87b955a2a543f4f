"""Networks to calibrate a board with: operators of all the shapes that the spaces have, in few firmwares.

Each is a chain of blocks of both families and of plain convolutions, drawn at random; widths, expansions,
kernels, groups and strides change from block to block as they never would in a network that is to learn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from tinynas.board import Board
from tinynas.cost.runtime import EngineRuntime
from tinynas.cost.work import DataMemory
from tinynas.engine.goals import Aim, Goal
from tinynas.graph import Graph
from tinynas.networks import Genotype, build_graph
from tinynas.networks.blocks import Block, Conv, MBConv, XBlock

#: networks for each goal, of some ninety operators each
NETWORKS = {Goal.RAM: 8, Goal.BALANCED: 8, Goal.SPEED: 12}
#: as many more for speed with maps in cached memory, of so many drawn, on boards that have other memory too
_CACHED, _DRAWS = 2, 200
_BLOCKS = 24
#: share of blocks of stride 2; at this most networks end with maps of three rows
_STRIDED = 0.25
_RESOLUTIONS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 192)
_CLASSES = (2, 10, 100, 200)
_GROUPS = (1, 2, 4, 8, 16, 24, 32, 64)
#: multiply-accumulates of a block, at most: a network takes about a second on the virtual board
_MOST_MACS = 1_200_000
#: share of blocks on maps of at most so many rows that are as deep as the last ones of the spaces, of 1x1
#: layers of so many channels, and what one may take
_DEEP, _DEEP_ROWS, _DEEP_MACS = 0.12, 12, 3_000_000
_DEPTHS, _WIDTHS = (256, 1280), (256, 640)
_TRIES = 20
#: shares of the board's memories that a network of the set may take with the smallest kernels
_MOST_SRAM, _MOST_FLASH = 0.6, 0.5
#: the same with those that it is run by; a stack and the rest of the firmware come on top
_MOST = 0.9


@dataclass(frozen=True, slots=True)
class Designed:
    """A network of the set, and the goal it is planned for."""

    genotype: Genotype
    goal: Goal


def design(board: Board, goals: tuple[Goal, ...], seed: int) -> Iterator[Designed]:
    """The networks to calibrate `board` with, for every goal that plans are made for; the same for a seed."""
    for goal in goals:
        runtime = EngineRuntime(Aim(goal, dsp=board.dsp))
        drawn = _fitting(board, runtime, np.random.default_rng((seed, list(Goal).index(goal))))
        yield from (Designed(each, goal) for each in islice(drawn, NETWORKS[goal]))
        if goal is Goal.SPEED and any(region.kind == "dtcm" for region in board.regions):
            beyond = (each for each in islice(drawn, _DRAWS) if _is_cached(each, board, runtime))
            yield from (Designed(each, goal) for each in islice(beyond, _CACHED))


def _fitting(board: Board, runtime: EngineRuntime, rng: np.random.Generator) -> Iterator[Genotype]:
    """Networks that fit the board, also by the kernels they are run by, without end."""
    while True:
        genotype = _draw(rng)
        if _fits(build_graph(genotype), EngineRuntime(), board, _MOST_SRAM, _MOST_FLASH) and _fits(
            build_graph(genotype), runtime, board, _MOST, _MOST
        ):
            yield genotype


def _is_cached(genotype: Genotype, board: Board, runtime: EngineRuntime) -> bool:
    """Whether more than half of its arena is outside of the memory that is coupled to the core."""
    arena = runtime.arrangement(build_graph(genotype)).arena
    return DataMemory.of(board, 0, arena).exposed(0, arena) > 0.5


def _fits(graph: Graph, runtime: EngineRuntime, board: Board, sram: float, flash: float) -> bool:
    """Whether `graph` takes at most such shares of the board's memories."""
    return (
        runtime.sram(graph, board).total <= sram * board.sram_bytes
        and runtime.flash(graph, board).total <= flash * board.flash_bytes
    )


def _draw(rng: np.random.Generator) -> Genotype:
    resolution = int(rng.choice(_RESOLUTIONS))
    stem = Conv(3, 2, _width(rng, 8, 32), bool(rng.integers(2)))
    blocks: list[Block] = [stem]
    rows, width = -(-resolution // 2), stem.channels
    for _ in range(_BLOCKS):
        stride = 2 if rows > 3 and rng.random() < _STRIDED else 1
        block = _block(rng, rows, width, stride)
        blocks.append(block)
        rows, width = -(-rows // stride), block.channels
    return Genotype(resolution, 3, tuple(blocks), int(rng.choice(_CLASSES)))


def _block(rng: np.random.Generator, rows: int, width: int, stride: int) -> Block:
    """A block behind a map of `rows` x `rows` x `width` that does not take long, or the quickest found."""
    deep = rows <= _DEEP_ROWS and rng.random() < _DEEP
    candidate, most = (_deep, _DEEP_MACS) if deep else (_candidate, _MOST_MACS)
    drawn = [candidate(rng, rows, width, stride) for _ in range(_TRIES)]
    quick = (block for macs, block in drawn if macs <= most)
    return next(quick, min(drawn, key=lambda each: each[0])[1])


def _candidate(rng: np.random.Generator, rows: int, width: int, stride: int) -> tuple[float, Block]:
    """A block of any kind, and its multiply-accumulates but for those of squeeze-and-excitation."""
    channels = _channels(rng, rows, width)
    se = 0.25 if rng.random() < 0.25 else 0.0
    kind = rng.random()
    if kind < 0.45:
        kernel, expand = int(rng.choice((3, 5, 7))), int(rng.choice((1, 3, 4, 5, 6)))
        return _mobile(rows, width, MBConv(kernel, stride, channels, expand, se))
    if kind < 0.75:
        group = int(rng.choice(_GROUPS))
        return _regnet(rows, width, XBlock(3, stride, max(1, channels // group) * group, 1, group, se))
    kernel = int(rng.choice((1, 3, 3, 3, 5)))
    return (rows / stride) ** 2 * width * channels * kernel**2, Conv(kernel, stride, channels)


def _deep(rng: np.random.Generator, rows: int, width: int, stride: int) -> tuple[float, Block]:
    """The same of a block that is deep inside, or wide."""
    se = 0.25 if rng.random() < 0.25 else 0.0
    if rng.random() < 0.7:
        expand = max(1, round(_width(rng, *_DEPTHS) / width))
        channels = _channels(rng, rows, width)
        return _mobile(rows, width, MBConv(int(rng.choice((3, 5, 7))), stride, channels, expand, se))
    group = int(rng.choice(_GROUPS))
    return _regnet(rows, width, XBlock(3, stride, _width(rng, *_WIDTHS) // group * group, 1, group, se))


def _mobile(rows: int, width: int, block: MBConv) -> tuple[float, MBConv]:
    """`block` and its multiply-accumulates."""
    made, wide = (rows / block.stride) ** 2, width * block.expand
    macs = rows**2 * wide * width * (block.expand > 1) + made * wide * (block.kernel**2 + block.channels)
    return macs, block


def _regnet(rows: int, width: int, block: XBlock) -> tuple[float, XBlock]:
    """The same."""
    made, channels = (rows / block.stride) ** 2, block.channels
    return rows**2 * channels * width + made * channels * (9 * block.group_width + channels + width), block


def _channels(rng: np.random.Generator, rows: int, width: int) -> int:
    """Those of a block's output, often as many as there were."""
    return width if rng.random() < 0.4 else _width(rng, 8, min(400, 8 * (160 // rows) + 16))


def _width(rng: np.random.Generator, low: int, high: int) -> int:
    """A multiple of 8, as likely to be small as large in its logarithm."""
    return max(8, round(math.exp(rng.uniform(math.log(low), math.log(max(low, high))))) // 8 * 8)
