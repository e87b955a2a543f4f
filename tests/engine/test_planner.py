"""Plans: the checker proves each, on published networks, real models and random graphs; arenas are golden."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_graphs import graphs

from tinynas.engine.checker import PlanError, check_plan
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.grouping import Group, GroupTable, best_groups
from tinynas.engine.kernels import Kernel, Spends, choose
from tinynas.engine.layout import lay_out
from tinynas.engine.plan import Placement, Plan, Step
from tinynas.engine.planner import Arrangement, arrange, arrangements, plan_network
from tinynas.engine.streaming import RowGraph, row_graph
from tinynas.errors import ModelError
from tinynas.graph import Graph, GraphBuilder
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import read_tflite
from tinynas.networks import PRESETS, build_graph
from tinynas.spaces import Family, Pictures, families

#: bytes, images included, that a row-streamed engine was estimated to need (TinyEngine needs 49 to 416 kB)
ESTIMATED = {
    "mcunet-in0": 18_432,
    "mcunet-in1": 31_872,
    "mcunet-in2": 83_840,
    "mcunet-in3": 100_672,
    "mcunet-in4": 119_040,
}


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_every_plan_of_a_random_graph_is_proven(graph: Graph) -> None:
    plan = plan_network(simplify(graph))
    check_plan(plan)
    assert plan.bound <= plan.arena


def making(kernel: Kernel, together: int) -> Kernel:
    """One like `kernel` whose steps make so many rows; what is known of kernels goes by their names."""
    return replace(kernel, function=f"{kernel.function} by {together}", rows=together)


@settings(max_examples=150, deadline=None)
@given(graphs(), st.data())
def test_steps_of_several_rows_are_planned_and_proven(graph: Graph, data: st.DataObject) -> None:
    graph = simplify(graph)
    together = [data.draw(st.integers(1, 3)) for _ in graph.operators]
    rows = row_graph(graph, [making(choose(graph, i), each) for i, each in enumerate(together)])
    groups = best_groups(rows)
    arranged = Arrangement(rows, groups, lay_out(rows, groups), Goal.RAM)
    check_plan(arranged.plan(), rows)
    assert [program.steps for program in rows.programs] == [
        program.steps if program.making.at_end else -(-program.steps // each)
        for program, each in zip(row_graph(graph).programs, together, strict=True)
    ]


def test_a_ring_holds_what_is_made_ahead() -> None:
    net = GraphBuilder("two by two", (9, 4, 2))
    graph = net.build(net.conv(net.conv(net.input, 2, 3), 2, 3))
    slots = {}
    for pair in [(1, 1), (2, 1), (1, 2), (2, 2)]:
        rows = row_graph(graph, [making(choose(graph, i), each) for i, each in enumerate(pair)])
        slots[pair] = rows.streams[rows.programs[0].output].slots
    # rows 2 and 3 are made for the window of rows 1 to 3; run from the bottom of 9 they fall otherwise
    assert slots == {(1, 1): 3, (2, 1): 4, (1, 2): 4, (2, 2): 5}


@pytest.mark.parametrize("name", ESTIMATED)
def test_published_networks_need_no_more_than_estimated(name: str) -> None:
    plan = plan_network(build_graph(PRESETS[name]))
    check_plan(plan)
    assert plan.arena == plan.bound <= ESTIMATED[name]


@pytest.mark.slow
@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_hardly_any_layout_needs_more_than_its_worst_group(family: Family[Any]) -> None:
    """Stage 1 counts by the worst group alone: of 200 networks at most one takes more, by a twentieth."""
    rng, spaces = np.random.default_rng(7), family.spaces(Pictures(32, 3, 10))
    drawn = [spaces[int(rng.integers(len(spaces)))] for _ in range(200)]
    plans = [arrange(simplify(build_graph(space.genotype(space.sample(rng))))).layout for space in drawn]
    more = [layout.arena / layout.bound - 1 for layout in plans if layout.arena > layout.bound]
    assert len(more) <= 1 and max(more, default=0) < 0.05


def test_an_arena_that_is_enough_for_kernels_is_not_left_unused() -> None:
    """Kernels are given back one by one, as few as it takes, down to those that spend nothing."""
    graph = build_graph(PRESETS["mcunet-in0"])
    ways = list(arrangements(graph, Aim(Goal.SPEED, arena=1, constants=1)))
    assert len(ways) > 3 and len({way.rows.kernels for way in ways}) == len(ways)
    assert ways[0] == arrange(graph, Aim(Goal.SPEED))
    assert not any(kernel.spends & Spends.ARENA for kernel in ways[-1].rows.kernels)
    for way in ways:
        first = next(each for each in ways if each.arena <= way.arena)
        assert arrange(graph, Aim(Goal.SPEED, way.arena)).rows.kernels == first.rows.kernels


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_no_other_grouping_needs_less(graph: Graph) -> None:
    rows = row_graph(simplify(graph))
    assume(len(rows) <= 8)
    best, table = best_groups(rows), GroupTable(rows)
    ways = [
        (
            max(table.group(first, end, enough=0).bytes for first, end in pairwise((0, *cuts, len(rows)))),
            -size,
        )
        for size in range(len(rows))
        for cuts in combinations(range(1, len(rows)), size)
    ]
    # of those that need least the most groups
    assert (max(group.bytes for group in best), 1 - len(best)) == min(ways)


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_a_group_needs_its_maps_rings_and_working_memory(graph: Graph) -> None:
    rows = row_graph(simplify(graph))
    table = GroupTable(rows)
    for first, end in combinations(range(len(rows) + 1), 2):
        group = table.group(first, end, enough=0)
        kept = [size for size, kernel in working(rows, group) if kernel.keeps]
        shared = [size for size, kernel in working(rows, group) if not kernel.keeps]
        apart = (
            sum(rows.streams[tensor].bytes for tensor in group.whole)
            + sum(rows.streams[tensor].ring_bytes for tensor in group.rings)
            + sum(kept)
            + max(shared, default=0)
        )
        assert group.bytes == apart - (group.overlap.saved if group.overlap else 0)


def working(rows: RowGraph, group: Group) -> list[tuple[int, Kernel]]:
    """Working memory of the group's operators, and their kernels."""
    return [(rows.working[op], rows.kernels[op]) for op in range(group.first, group.end)]


def test_no_row_is_made_twice_and_none_is_left_out() -> None:
    plan = plan_network(build_graph(PRESETS["mcunet-in1"]))
    done = [(step.operator, number) for step in plan.steps for number in step.numbers]
    rows = sum(1 if len(t.shape) < 4 else t.shape[1] for t in plan.graph.tensors if not t.constant)
    source = plan.graph.tensors[plan.graph.inputs[0]].shape[1]
    pooled = next(
        plan.graph.tensors[op.inputs[0]].shape[1] for op in plan.graph.operators if op.kind.name == "MEAN"
    )
    assert len(done) == len(set(done)) == rows - source + pooled - 1


@pytest.fixture(scope="module")
def streamed() -> Plan:
    plan = plan_network(build_graph(PRESETS["mcunet-in1"]))
    assert any(plan.maps[t].slots < plan.graph.tensors[t].shape[1] for t in plan.maps if t > 3)
    return plan


def test_the_checker_finds_a_ring_that_is_too_short(streamed: Plan) -> None:
    found = 0
    for tensor, place in streamed.maps.items():
        if 1 < place.slots < streamed.graph.tensors[tensor].shape[1]:
            shorter = Placement(place.offset, place.slots - 1)
            with pytest.raises(PlanError):
                check_plan(replace(streamed, maps={**streamed.maps, tensor: shorter}))
            found += 1
    assert found


def test_the_checker_finds_a_map_that_lies_over_another(streamed: Plan) -> None:
    first = streamed.maps[streamed.graph.inputs[0]]
    output = streamed.graph.operators[0].outputs[0]
    with pytest.raises(PlanError, match="is not there"):
        check_plan(replace(streamed, maps={**streamed.maps, output: Placement(first.offset, 3)}))


def test_the_checker_finds_an_arena_that_is_too_small(streamed: Plan) -> None:
    with pytest.raises(PlanError, match="does not lie in the arena"):
        check_plan(replace(streamed, arena=streamed.arena - 4))


@pytest.mark.parametrize("fault", ["missing", "twice", "swapped"])
def test_the_checker_finds_a_wrong_schedule(streamed: Plan, fault: str) -> None:
    steps = list(streamed.steps)
    middle = len(steps) // 2
    if fault == "missing":
        del steps[middle]
    elif fault == "twice":
        steps.insert(middle, steps[middle])
    else:
        steps[0], steps[1] = steps[1], steps[0]
    with pytest.raises(PlanError):
        check_plan(replace(streamed, steps=tuple(steps)))


def test_the_checker_finds_sums_that_are_overwritten(streamed: Plan) -> None:
    mean = next(i for i, op in enumerate(streamed.graph.operators) if op.kind.name == "MEAN")
    source = streamed.graph.operators[mean].inputs[0]
    scratch = list(streamed.scratch)
    scratch[mean] = streamed.maps[source].offset
    with pytest.raises(PlanError):
        check_plan(replace(streamed, scratch=tuple(scratch)))


def test_steps_run_down_where_the_count_is_negative() -> None:
    assert list(Step(0, 8, -3).numbers) == [8, 7, 6]
    assert list(Step(0, 8, 3).numbers) == [8, 9, 10]


def test_real_models_are_proven(shared: Path) -> None:
    for path in sorted((shared / "models").glob("*.tflite")):
        graph = simplify(read_tflite(path))
        small, balanced, fast = (plan_network(graph, Aim(goal)) for goal in Goal)
        for plan in (small, balanced, fast):
            check_plan(plan)
        assert small.arena <= balanced.arena <= 1.4 * small.arena + 1024
        # what may be spent is spent on something
        assert plan_network(graph, Aim(Goal.SPEED, small.arena)).arena <= small.arena
        assert small.kernels != fast.kernels


def test_without_dsp_no_memory_is_spent_on_its_kernels(shared: Path) -> None:
    """They take up to five times as long there."""
    graph = simplify(read_tflite(shared / "models" / "mlperftiny__pretrainedResnet_quant.tflite"))
    small, fast = (plan_network(graph, Aim(goal, dsp=False)) for goal in (Goal.RAM, Goal.SPEED))
    assert fast.arena == small.arena
    others = {kernel for kernel in fast.kernels if kernel not in small.kernels}
    assert others == {"tn_add_table"}


def test_an_operator_without_a_kernel_is_named() -> None:
    net = GraphBuilder("strange", (8, 8, 4))
    graph = net.build(net.conv(net.input, 4, 3))
    op = graph.operators[0]
    assert op.window is not None
    dilated = replace(op, window=replace(op.window, dilation=(2, 2)))
    with pytest.raises(ModelError, match=r"operator 0 \(CONV_2D with dilation 2 x 2\)"):
        plan_network(replace(graph, operators=(dilated,)))


def test_an_unread_input_with_a_batch_is_refused() -> None:
    net = GraphBuilder("batch", (4, 4, 2))
    graph = net.build(net.conv(net.input, 2, 3))
    spare = replace(graph.tensors[net.input], name="spare", shape=(8, 1, 1, 4))
    ends = (net.input, len(graph.tensors))
    with pytest.raises(ModelError, match=r"shape \[8, 1, 1, 4\], and the engine on batches of one"):
        plan_network(replace(graph, tensors=(*graph.tensors, spare), inputs=ends))
