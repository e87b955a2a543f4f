"""When rows are alive: never two in one byte, the peak within the arena, inputs from the start."""

from __future__ import annotations

import numpy as np

from tinynas.engine.planner import plan_network
from tinynas.engine.timeline import timeline
from tinynas.networks import PRESETS, build_graph


def test_no_two_rows_share_a_byte_at_a_moment() -> None:
    plan = plan_network(build_graph(PRESETS["mcunet-in1"]))
    story = timeline(plan)
    moments = len(story.operators)
    in_use = story.bytes_in_use()
    for moment in range(0, moments, 7):
        alive = [life for life in story.lives if life.begin <= moment <= life.end]
        taken = np.zeros(plan.arena, np.int64)
        for life in alive:
            taken[life.offset : life.offset + life.size] += 1
        assert taken.max() <= 1
        assert taken.sum() == in_use[moment]


def test_inputs_are_there_first_and_outputs_last() -> None:
    plan = plan_network(build_graph(PRESETS["mcunet-in0"]))
    story = timeline(plan)
    first = [life for life in story.lives if life.tensor in plan.graph.inputs]
    last = [life for life in story.lives if life.tensor in plan.graph.outputs]
    assert {life.begin for life in first} == {-1}
    assert sum(life.size for life in first) == 48 * 48 * 3
    assert {life.end for life in last} == {len(story.operators) - 1}
    assert story.bytes_in_use().max() <= plan.arena
