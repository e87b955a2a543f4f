"""Kernels are chosen by the price of the aim, whatever it counts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.engine.alike import tasks_of
from tinynas.engine.choosing import Choices, choose_kernels
from tinynas.engine.goals import Aim, Goal, instructions
from tinynas.engine.kernels import Form, Kernel, Spends
from tinynas.engine.leaner import Constants
from tinynas.engine.planner import arrange
from tinynas.engine.tasks import Task
from tinynas.graph.passes import simplify
from tinynas.graph.typical import with_typical_constants
from tinynas.networks import PRESETS, build_graph
from tinynas.spaces import Pictures, find_family

GRAPH = with_typical_constants(simplify(build_graph(PRESETS["mcunet-in0"])))


@dataclass(frozen=True)
class Dear:
    """Instructions, and very many more for kernels that spend `what`."""

    what: Spends

    def __call__(self, task: Task, kernel: Kernel) -> float:
        """As `Price`."""
        return kernel.instructions(task) + 1e9 * bool(kernel.spends & self.what)


@pytest.mark.parametrize("goal", [Goal.BALANCED, Goal.SPEED])
def test_what_is_dear_is_left_alone(goal: Goal) -> None:
    """A price prefers kernels that the catalogue's instructions do not."""
    usual = choose_kernels(GRAPH, Aim(goal))
    assert usual == choose_kernels(GRAPH, Aim(goal, price=Dear(Spends.NOTHING)))
    assert any(kernel.spends & Spends.ARENA for kernel in usual)
    other = choose_kernels(GRAPH, Aim(goal, price=Dear(Spends.ARENA)))
    assert not any(kernel.spends & Spends.ARENA for kernel in other)
    assert arrange(GRAPH, Aim(goal, price=Dear(Spends.ARENA))).rows.kernels == other


def test_paired_weights_are_left_alone_where_they_do_not_pay() -> None:
    """So a plan for speed may be that of goal balanced, wherever the arena is no limit."""
    dear = Dear(Spends.FLASH)
    fast = choose_kernels(GRAPH, Aim(Goal.SPEED, price=dear))
    assert fast == choose_kernels(GRAPH, Aim(Goal.BALANCED))
    assert fast != choose_kernels(GRAPH, Aim(Goal.SPEED))


def test_the_least_price_of_an_operator_is_taken() -> None:
    """But for planes, which two operators have to agree about."""
    aim = Aim(Goal.SPEED, price=Dear(Spends.TABLE))
    for index, kernel in enumerate(choose_kernels(GRAPH, aim)):
        if kernel.reads is kernel.writes is Form.ROWS:
            task = tasks_of(GRAPH)[index]
            prices = [
                aim.price(task, each)
                for each, _ in Choices(GRAPH, aim).able[index]
                if each.reads is each.writes is Form.ROWS
            ]
            assert aim.price(task, kernel) == min(prices)


def test_the_smallest_kernels_are_the_same_for_every_price() -> None:
    """Plans for goal ram are compared between boards, and counted by the thousand in stage 1."""
    assert choose_kernels(GRAPH, Aim(Goal.RAM, price=Dear(Spends.NOTHING))) == choose_kernels(GRAPH, Aim())


@settings(max_examples=25, deadline=None)
@given(
    family=st.sampled_from(["mobile", "regnetx", "regnety"]),
    goal=st.sampled_from(Goal),
    dsp=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_a_network_without_values_is_one_with_typical_ones(
    family: str, goal: Goal, dsp: bool, seed: int
) -> None:
    """What is remembered of operators alike is what would be worked out of each, its values looked at."""
    rng, spaces = np.random.default_rng(seed), find_family(family).spaces(Pictures(96, 3, 10))
    space = spaces[int(rng.integers(len(spaces)))]
    graph, aim = simplify(build_graph(space.genotype(space.sample(rng)))), Aim(goal, dsp=dsp)
    plain, filled = Choices(graph, aim), Choices(with_typical_constants(graph), aim)
    assert plain.able == filled.able == Choices(graph, aim).able
    kernels = plain.choose()
    assert kernels == filled.choose()
    assert Constants(plain).bytes_of(kernels) == Constants(filled).bytes_of(kernels)


def test_where_flash_is_short_those_go_back_that_save_least_by_the_price() -> None:
    """So those that went back by instructions stay where the price says that they save very much."""
    aim = Aim(Goal.SPEED)
    kernels = choose_kernels(GRAPH, aim)
    most = Constants(Choices(GRAPH, aim)).bytes_of(kernels) - 40_000
    first = Constants(Choices(GRAPH, aim)).leaner(kernels, most)

    gone = [tasks_of(GRAPH)[index] for index in first]

    def dear(task: Task, kernel: Kernel) -> float:
        return (1000 if task in gone else 1) * instructions(task, kernel)

    other = Constants(Choices(GRAPH, replace(aim, price=dear))).leaner(kernels, most)
    assert first and other
    assert not set(first) & set(other)
