"""What networks need by their blocks is what the planner and the counts of their whole Graphs say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.board import load_board
from tinynas.cost import find_runtime, macs
from tinynas.cost.counts import count
from tinynas.engine.planner import least_arena
from tinynas.errors import ModelError
from tinynas.graph.passes import simplify
from tinynas.networks import PRESETS, Conv, Genotype, MBConv, XBlock, build_graph
from tinynas.spaces import Pictures, find_family
from tinynas.spaces.needs import BlockNeeds

BOARD, ENGINE = load_board("stm32f746"), find_runtime("engine")
X_FAMILIES = ("regnetx", "regnety", *(f"anynetx-{letter}" for letter in "abcde"))


def _assert_as_graphs(networks: list[Genotype], share: float) -> None:
    """For `share` of the largest arena being enough, and for none."""
    graphs = list(map(build_graph, networks))
    simple = list(map(simplify, graphs))
    arenas = list(map(least_arena, simple))
    needs = BlockNeeds()
    for enough in (int(share * max(arenas)), 0, *arenas[:1]):
        found = needs.of(networks, ENGINE, BOARD, enough)
        assert found.macs.tolist() == list(map(macs, graphs))
        assert found.sram.tolist() == [max(arena, enough) for arena in arenas]
        assert found.flash.tolist() == [ENGINE.flash_of(count(each), BOARD) for each in simple]


@given(
    family=st.sampled_from(X_FAMILIES),
    native=st.sampled_from((8, 32, 96, 224)),
    channels=st.sampled_from((1, 3)),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=25, deadline=None)
def test_networks_of_the_families(family: str, native: int, channels: int, share: float, seed: int) -> None:
    rng, spaces = np.random.default_rng(seed), find_family(family).spaces(Pictures(native, channels, 10))
    space = spaces[int(rng.integers(len(spaces)))]
    _assert_as_graphs([space.genotype(space.sample(rng)) for _ in range(2)], share)


@st.composite
def _networks(draw: st.DrawFn) -> Genotype:
    """Blocks of all kinds one behind the other, runs of the same one and maps of one channel among them."""
    kernel, stride = st.sampled_from((1, 3, 5)), st.integers(1, 2)
    block = st.one_of(
        st.builds(Conv, kernel, stride, st.integers(1, 20), st.booleans()),
        st.builds(
            MBConv,
            kernel,
            stride,
            st.integers(1, 12),
            st.integers(1, 4),
            st.sampled_from((0.0, 0.25)),
            st.booleans(),
        ),
        st.builds(
            lambda kernel, stride, groups, width, bottleneck, se: XBlock(
                kernel, stride, groups * width * bottleneck, bottleneck, width, se
            ),
            kernel,
            stride,
            st.integers(1, 4),
            st.integers(1, 4),
            st.sampled_from((1, 2)),
            st.sampled_from((0.0, 0.25)),
        ),
    )
    runs = draw(st.lists(st.tuples(block, st.integers(1, 4)), max_size=4))
    blocks = tuple(block for block, times in runs for _ in range(times))
    return Genotype(draw(st.integers(1, 40)), draw(st.integers(1, 4)), blocks, draw(st.integers(1, 12)))


@given(network=_networks(), share=st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_any_blocks(network: Genotype, share: float) -> None:
    _assert_as_graphs([network], share)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_published_networks(name: str) -> None:
    _assert_as_graphs([PRESETS[name]], 0.9)


@pytest.mark.parametrize(
    "network",
    [
        # every block of it alone could be planned
        Genotype(4000, 3, (Conv(3, 1, 1),) * 40, 10),
        Genotype(4000, 3, (Conv(3, 1, 8),), 10),
        Genotype(8, 3, (Conv(1, 1, 4),) * 260, 10),
    ],
)
def test_too_much_to_plan_is_refused_as_the_planner_does(network: Genotype) -> None:
    with pytest.raises(ModelError) as whole:
        least_arena(simplify(build_graph(network)))
    with pytest.raises(ModelError) as blocks:
        BlockNeeds().of([network], ENGINE, BOARD, 2**30)
    assert str(blocks.value) == str(whole.value)
