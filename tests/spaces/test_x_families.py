"""Stage 1 for families of X blocks: what it counts is what the runtimes say of each network."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.board import Budget, load_board
from tinynas.cost import macs
from tinynas.cost.runtime import find_runtime
from tinynas.engine.planner import plan_network
from tinynas.errors import RequestError
from tinynas.graph.passes import simplify
from tinynas.networks import build_graph
from tinynas.spaces import Pictures, SpaceReport, find_family, optimise_space
from tinynas.spaces.family import Target
from tinynas.spaces.x_families import XFamily, network_needs

BOARD = load_board("stm32f746")
ROOMY = Budget(320 * 1024, 1024 * 1024)


@given(
    family=st.sampled_from(("regnetx", "regnety", "anynetx-a")),
    native=st.sampled_from((8, 32, 96)),
    runtime=st.sampled_from(("engine", "tflm", "live")),
    enough=st.integers(0, 60_000),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=15, deadline=None)
def test_needs_are_those_of_the_runtime(
    family: str, native: int, runtime: str, enough: int, seed: int
) -> None:
    rng, rules = np.random.default_rng(seed), find_runtime(runtime)
    listed = find_family(family).spaces(Pictures(native, 3, 10))
    space = listed[int(rng.integers(len(listed)))]
    # the shallowest of four: whole plans of deep networks take long
    genotype = min((space.genotype(space.sample(rng)) for _ in range(4)), key=lambda net: len(net.blocks))
    graph, target = build_graph(genotype), Target(BOARD, ROOMY, rules)
    computed, sram, flash = (int(each) for (each,) in network_needs([genotype], target))
    assert computed == macs(graph)
    if runtime == "engine":
        plan = plan_network(simplify(graph))
        assert sram == plan.bound
        assert flash == rules.flash(graph, BOARD).total - 4 * (len(plan.steps) - len(plan.graph.operators))
    else:
        assert sram == rules.sram(graph, BOARD).total
        assert flash == rules.flash(graph, BOARD).total
    # where something is enough, the answer is on the same side of it
    (found,) = network_needs([genotype], target, enough).sram
    assert found == sram if found > enough else sram <= found


def _few(name: str, count: int) -> XFamily:
    """A family of the first `count` spaces, so that a test takes a second."""
    whole = find_family(name)
    assert isinstance(whole, XFamily)
    return replace(whole, grid=lambda _, shown: whole.spaces(shown)[:count], samples=12)


def _stage(family: XFamily, budget: Budget, runtime: str = "tflm") -> SpaceReport:
    return optimise_space(
        BOARD, budget, find_runtime(runtime), native=32, in_channels=3, classes=10, family=family, seed=1
    )


@pytest.mark.parametrize("name", ["regnety", "anynetx-b"])
def test_statistics_equal_a_plain_loop(name: str) -> None:
    budget, family = Budget(48 * 1024, 160 * 1024), _few(name, 3)
    report, target = _stage(family, budget, "engine"), Target(BOARD, budget, find_runtime("engine"))
    for number, (space, stats) in enumerate(zip(family.spaces(report.pictures), report.spaces, strict=True)):
        rng = np.random.default_rng([1, number])
        drawn = [network_needs([space.genotype(space.sample(rng))], target) for _ in range(12)]
        computed, sram, flash = np.concatenate(drawn, axis=1)
        small, light = sram <= budget.sram_bytes, flash <= budget.flash_bytes
        fitting = computed[small & light]
        assert (stats.share_sram, stats.share_flash) == (small.mean(), light.mean())
        assert stats.share == (small & light).mean()
        assert stats.mean_macs == (pytest.approx(fitting.mean()) if len(fitting) else None)
    assert 0 < report.spaces[0].share < 1


def test_the_chosen_space_is_restored_from_json() -> None:
    report = _stage(_few("regnetx", 12), ROOMY)
    again = SpaceReport.from_dict(json.loads(json.dumps(report.to_dict())))
    assert again == report and again.family == "regnetx"
    space = again.chosen
    assert space.name == report.chosen_name and space.resolution == report.chosen_stats.resolution
    assert report.chosen_stats.mean_macs == max(s.mean_macs or 0 for s in report.spaces if s.share >= 0.05)


def test_a_record_from_before_there_were_families_is_of_the_mobile_one() -> None:
    plain = _stage(_few("regnetx", 1), ROOMY).to_dict()
    del plain["family"]
    assert SpaceReport.from_dict(plain).family == "mobile"


def test_what_no_network_fits_names_the_family_and_the_smallest_need() -> None:
    family = _few("regnety", 2)
    space = family.spaces(Pictures(32, 3, 10))[0]
    need = find_runtime("tflm").sram(build_graph(space.genotype(space.smallest())), BOARD).total
    with pytest.raises(RequestError, match=rf"regnety family fits 2 KiB .* needs {need:,} B of SRAM"):
        _stage(family, Budget(2048, 1024 * 1024))
