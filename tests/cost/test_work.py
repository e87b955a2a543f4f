"""What operators give their kernels to do: counted loops and cache lines against counting one by one."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.board import load_board
from tinynas.cost.fitting import Timed, fit, predict
from tinynas.cost.lines import count_lines
from tinynas.cost.trips import count_stretches, count_trips
from tinynas.cost.work import DataMemory, Exposure, Work, list_work
from tinynas.engine.alike import tasks_of
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.planner import arrange
from tinynas.graph import GraphBuilder
from tinynas.graph.passes import simplify
from tinynas.networks import build_graph, find_network

MEMORY = DataMemory.of(load_board("stm32f746"), 4096, 0)


def _work(rows: int, channels: int, kernel: int, stride: int, exposed: float = 0.0, made: int = 8) -> Work:
    """A convolution of a map of `rows` x `rows` x `channels` to `made` channels."""
    builder = GraphBuilder("one", (rows, rows, channels))
    graph = builder.build(builder.conv(builder.input, made, kernel, stride))
    function = "tn_pointwise" if kernel == 1 else "tn_convolve"
    exposure = Exposure(exposed, exposed, exposed)
    return Work(function, tasks_of(graph)[0], exposure)


@given(rows=st.integers(1, 20), kernel=st.integers(1, 7), stride=st.integers(1, 3))
def test_windows_at_the_edges_are_counted(rows: int, kernel: int, stride: int) -> None:
    """Windows partly outside, rows of windows inside, and stretches, each looked at."""
    task = _work(rows, 4, kernel, stride).task
    assert task.window is not None
    top, _, left, _ = task.window.margins(rows, rows)
    firsts = [[step * stride - margin for step in range(task.output.rows)] for margin in (top, left)]
    outside = [[first < 0 or first + kernel > rows for first in axis] for axis in firsts]
    assert task.padded == (sum(outside[0]), sum(outside[1]))
    inside = [row for first in firsts[0] for row in range(first, first + kernel) if 0 <= row < rows]
    assert task.rows_inside == len(inside)
    edges = sum(below or beside for below, beside in product(*outside))
    assert count_stretches(task)[1] == edges


def test_multiply_accumulates_are_in_the_loops() -> None:
    """Products of a 1 x 1 convolution, by twos of pixels and channels, are all of them."""
    work = _work(6, 37, 1, 1)
    trips = count_trips(work)
    products = 4 * (16 * trips["pair.16"] + 4 * trips["pair.4"] + trips["pair.1"])
    assert products == 6 * 6 * 37 * 8


def _simulated(work: Work, memory: DataMemory) -> int:
    """Lines that tn_pointwise misses in a cache which loses the least recently used line of a set.

    Weights lie first, then the input, then the output, each from the start of a line.
    """
    sets = memory.cache_bytes // memory.line_bytes // memory.ways
    ways: list[list[int]] = [[] for _ in range(sets)]
    depth, channels, columns = work.task.depth, work.task.output.channels, work.task.output.columns
    inputs = -(-channels * depth // memory.line_bytes) * memory.line_bytes
    outputs = inputs + -(-work.task.source.bytes // memory.line_bytes) * memory.line_bytes
    missed = 0

    def touch(first: int, size: int) -> None:
        nonlocal missed
        for line in range(first // memory.line_bytes, (first + size - 1) // memory.line_bytes + 1):
            held = ways[line % sets]
            missed += line not in held
            held[:] = [*(other for other in held if other != line), line][-memory.ways :]

    for row, channel in product(range(work.task.output.rows), range(0, channels, 2)):
        for column in range(columns):
            pixel = row * columns + column
            if column % 2 == 0:
                if work.exposed.source:
                    touch(inputs + pixel * depth, min(2, columns - column) * depth)
                touch(channel * depth, 2 * depth)
            if work.exposed.output:
                touch(outputs + pixel * channels + channel, 2)
    return missed


def test_missed_lines_are_those_of_a_cache() -> None:
    """Like a cache followed access by access, but for a third where a loop touches about what that holds."""
    shapes = ((4, 32, 16), (8, 64, 32), (16, 64, 64), (24, 48, 16), (32, 96, 24), (24, 160, 24), (6, 400, 32))
    for shape in shapes:
        rows, channels, made = shape
        work = _work(rows, channels, 1, 1, exposed=1.0, made=made)
        lines = count_lines(work, MEMORY)
        told = sum(count for name, count in lines.items() if name != "line of constants")
        assert abs(told / _simulated(work, MEMORY) - 1) < 0.35, shape


def test_what_lies_in_coupled_memory_misses_nothing() -> None:
    """The first 64 kB of the RAM of an STM32F746 are coupled to its core."""
    assert MEMORY.exposed(0, 1000) == 0
    assert MEMORY.exposed(60 * 1024 - 500, 1000) == 0.5
    assert MEMORY.exposed(61 * 1024, 1000) == 1
    assert DataMemory.of(load_board("stm32f412"), 0, 1000).exposed(0, 1000) == 0


def test_arenas_that_fit_lie_in_coupled_memory() -> None:
    """On an STM32H743 it has no part in the RAM for tensors."""
    board = load_board("stm32h743")
    assert DataMemory.of(board, 4096, 100 * 1024).exposed(0, 100 * 1024) == 0
    assert DataMemory.of(board, 4096, 125 * 1024).exposed(0, 1000) == 1


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_costs_are_found_again(seed: int) -> None:
    """Cycles made of known costs are fitted so well that operators sum up to them."""
    rng = np.random.default_rng(seed)
    works = [
        _work(int(rng.integers(1, 24)), int(rng.integers(1, 80)), 1, int(rng.integers(1, 3)), made=int(made))
        for made in rng.integers(1, 60, 80)
    ]
    names = {name for work in works for name in count_trips(work)}
    costs = {
        name: float(cost) for name, cost in zip(sorted(names), rng.uniform(0, 50, len(names)), strict=True)
    }
    timed = [Timed(work, round(predict(costs, work, MEMORY)) + 1) for work in works]
    found = fit(timed, MEMORY)["tn_pointwise"]
    for each in timed:
        assert abs(predict(found, each.work, MEMORY) - each.cycles) <= max(3, 0.01 * each.cycles)


def test_every_operator_of_a_network_has_its_kernel() -> None:
    """Work is listed in the order of what runs, for every goal, and equal operators have equal work."""
    graph = simplify(build_graph(find_network("mcunet-in0")))
    for goal in Goal:
        arranged = arrange(graph, Aim(goal))
        works = list(list_work(arranged, MEMORY))
        assert [work.kernel for work in works] == [kernel.function for kernel in arranged.rows.kernels]
        assert all(max(count_trips(work).values()) > 0 for work in works)
        assert len(set(works)) < len(works)
