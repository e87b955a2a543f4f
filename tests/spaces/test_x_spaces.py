"""AnyNetX A to E, RegNetX and RegNetY: every network keeps its space's rule, however it was made."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.cost.compute import conv_activations
from tinynas.engine.streaming import MOST_OPERATORS
from tinynas.errors import RequestError
from tinynas.networks import Conv, Genotype, XBlock, build_graph, parse_genotype, trainable_params
from tinynas.networks.regnet import Stage, most_operators
from tinynas.search.candidate import restore_choice
from tinynas.spaces import Pictures, families, find_family
from tinynas.spaces.anynet import RULES, AnyNetChoice, AnyNetSpace
from tinynas.spaces.regnet import RegNetSpace
from tinynas.spaces.xspace import Bounds, XSpace

seeds = st.integers(0, 2**32 - 1)
pictures = st.builds(Pictures, st.sampled_from((8, 28, 32, 96, 224)), st.sampled_from((1, 3)), st.just(10))
X_FAMILIES = [family.name for family in families() if family.name != "mobile"]


@st.composite
def spaces(draw: st.DrawFn, names: tuple[str, ...] = tuple(X_FAMILIES)) -> XSpace[Any]:
    family, shown = find_family(draw(st.sampled_from(names))), draw(pictures)
    space = draw(st.sampled_from(family.spaces(shown)))
    elastic: XSpace[Any] = family.with_elastic(space, shown, draw(st.integers(0, 2)))
    return elastic


def _every_way(space: XSpace[Any], seed: int) -> list[Any]:
    """Networks drawn, varied, combined, and the ends of the space."""
    rng = np.random.default_rng(seed)
    mother, father = space.sample(rng), space.sample(rng)
    ends = [space.smallest(), space.largest()]
    return [mother, father, space.mutate(mother, rng, 0.3), space.cross(mother, father, rng), *ends]


def _stages(genotype: Genotype) -> list[tuple[int, XBlock]]:
    """Depth and a block of each run of blocks that differ in nothing but the stride."""
    runs: list[tuple[int, XBlock]] = []
    for block in genotype.blocks[1:]:
        assert isinstance(block, XBlock)
        if runs and replace(runs[-1][1], stride=block.stride) == block:
            runs[-1] = (runs[-1][0] + 1, runs[-1][1])
        else:
            runs.append((1, block))
    return runs


@given(spaces(), seeds)
@settings(max_examples=60, deadline=None)
def test_networks_can_be_built_and_their_last_map_is_large_enough(space: XSpace[Any], seed: int) -> None:
    for choice in _every_way(space, seed):
        genotype = space.genotype(choice)
        assert parse_genotype(str(genotype)) == genotype
        assert genotype.resolution == choice.resolution in space.resolutions
        stem, *blocks = genotype.blocks
        assert isinstance(stem, Conv) and stem.channels == space.stem
        assert all(isinstance(block, XBlock) and block.se == space.se for block in blocks)
        last = -(-genotype.resolution // math.prod(block.stride for block in genotype.blocks))
        assert last >= min(4, genotype.resolution)
        graph = build_graph(genotype)
        assert len(graph.operators) <= most_operators(space.stages(choice), space.se) <= MOST_OPERATORS


@given(spaces(("regnetx", "regnety")), seeds)
@settings(max_examples=60, deadline=None)
def test_regnets_are_quantised_lines(space: RegNetSpace, seed: int) -> None:
    """Worked out block by block with plain arithmetic, and not with the arrays of the implementation."""
    for choice in _every_way(space, seed):
        assert 2 <= choice.depth <= 28 and 2 <= choice.ratio <= 3 and choice.bottleneck == 1
        assert space.initial[0] <= choice.initial <= space.initial[1] and choice.initial % 8 == 0
        assert space.slope[0] <= choice.slope <= space.slope[1]
        quantised = []
        for j in range(choice.depth):
            power = round(math.log((choice.initial + choice.slope * j) / choice.initial, choice.ratio))
            quantised.append(8 * round(choice.initial * choice.ratio**power / 8))
        assert 3 <= len(set(quantised)) <= 5
        blocks = space.genotype(choice).blocks[1:]
        assert len(blocks) == choice.depth
        for width, block in zip(quantised, blocks, strict=True):
            assert isinstance(block, XBlock)
            group = min(choice.group_width, width)
            assert (block.bottleneck, block.group_width) == (1, group)
            assert block.channels == group * round(width / group)


@pytest.mark.parametrize("letter", RULES)
@given(data=st.data(), seed=seeds)
@settings(max_examples=20, deadline=None)
def test_anynets_keep_the_rules_of_their_letter(letter: str, data: st.DataObject, seed: int) -> None:
    space = data.draw(spaces((f"anynetx-{letter}",)))
    for choice in _every_way(space, seed):
        assert isinstance(choice, AnyNetChoice)
        assert all(len(genes) == 4 for genes in (choice.depths, choice.widths, choice.group_widths))
        assert all(1 <= depth <= 7 for depth in choice.depths)
        assert all(8 <= width <= 512 and width % 8 == 0 for width in choice.widths)
        stages = space.stages(choice)
        assert [stage.depth for stage in stages] == list(choice.depths)
        blocks = [block for block in space.genotype(choice).blocks if isinstance(block, XBlock)]
        if letter >= "b":
            assert len({block.bottleneck for block in blocks}) == 1
        if letter >= "c":
            # a group is no wider than the block it is in
            assert all(b.group_width == min(choice.group_widths[0], b.inner_channels) for b in blocks)
        if letter >= "d":
            assert all(a.channels <= b.channels for a, b in pairwise(blocks))
        if letter >= "e":
            assert all(a.depth <= b.depth for a, b in pairwise(stages))


def test_anynet_a_has_sixteen_free_genes_and_each_letter_ties_more() -> None:
    shown = Pictures(32, 3, 10)
    spaces_ = {letter: find_family(f"anynetx-{letter}").spaces(shown)[0] for letter in RULES}
    free = {letter: sum(gene.size for gene in space.own_genes.values()) for letter, space in spaces_.items()}
    assert free == {"a": 16, "b": 13, "c": 10, "d": 10, "e": 10}
    drawn = {letter: [s.sample(np.random.default_rng(i)) for i in range(40)] for letter, s in spaces_.items()}
    # a space without a rule does break it
    assert any(len(set(choice.bottlenecks)) > 1 for choice in drawn["a"])
    assert any(len(set(choice.group_widths)) > 1 for choice in drawn["b"])
    assert any(a > b for choice in drawn["c"] for a, b in pairwise(choice.widths))
    assert any(a > b for choice in drawn["d"] for a, b in pairwise(choice.depths))


@given(spaces(), seeds)
@settings(max_examples=60, deadline=None)
def test_choices_survive_encoding_and_json(space: XSpace[Any], seed: int) -> None:
    choice_type = find_family(space.family).choice_type
    for choice in _every_way(space, seed):
        codes = space.encode(choice)
        assert codes.dtype == np.float32 and codes.min() >= 0 and codes.max() <= 1
        assert space.decode(codes) == choice
        assert restore_choice(choice_type, json.loads(json.dumps(asdict(choice)))) == choice


@given(spaces(), seeds)
@settings(max_examples=30, deadline=None)
def test_variation_keeps_or_redraws_as_asked(space: XSpace[Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    mother, father = space.sample(rng), space.sample(rng)
    assert space.mutate(mother, rng, 0.0) == mother == space.cross(mother, mother, rng)
    child = space.cross(mother, father, rng)
    for name in asdict(child):
        inherited = (getattr(mother, name), getattr(father, name))
        genes = getattr(child, name)
        assert genes in inherited or all(gene in inherited[0] + inherited[1] for gene in genes)


def test_draws_are_log_uniform() -> None:
    """As many first stages of widths 8 to 64 as of 72 to 512, within five standard deviations."""
    space = AnyNetSpace("anynetx-a", (32,), Pictures(32, 3, 10))
    widths = [width for i in range(500) for width in space.sample(np.random.default_rng(i)).widths]
    narrow = np.mean(np.array(widths) <= 64)
    expected = math.log(68 / 4) / math.log(516 / 4)
    assert abs(narrow - expected) < 5 * math.sqrt(0.25 / len(widths))


@given(seed=seeds)
@settings(max_examples=15, deadline=None)
def test_bounds_on_parameters_and_activations_hold(seed: int) -> None:
    bounds = Bounds(width=320, params=200_000, activations=300_000)
    space = RegNetSpace("regnety", (64,), Pictures(96, 3, 10), se=0.25, bounds=bounds)
    for choice in _every_way(space, seed):
        genotype = space.genotype(choice)
        assert trainable_params(genotype) <= 200_000
        assert conv_activations(build_graph(genotype)) <= 300_000
        assert max(block.channels for block in genotype.blocks) <= 320


def test_bounds_that_nothing_meets_are_a_request_error() -> None:
    space = RegNetSpace("regnetx", (32,), Pictures(32, 3, 10), bounds=Bounds(stages=(9, 9)))
    with pytest.raises(RequestError, match="none is within the bounds"):
        space.sample(np.random.default_rng(0))


@pytest.mark.parametrize("name", X_FAMILIES)
def test_smallest_and_largest_are_the_ends(name: str) -> None:
    """Of a hundred networks none has fewer parameters than the smallest, none more than the largest."""
    space = find_family(name).spaces(Pictures(96, 3, 10))[0]
    least, most = (trainable_params(space.genotype(end)) for end in (space.smallest(), space.largest()))
    rng = np.random.default_rng(1)
    drawn = [trainable_params(space.genotype(space.sample(rng))) for _ in range(100)]
    assert least <= min(drawn) and max(drawn) <= most


def test_names_are_unique_and_find_their_space() -> None:
    shown = Pictures(96, 3, 10)
    for family in families():
        listed = family.spaces(shown)
        assert len({space.name for space in listed}) == len(listed)
    with pytest.raises(RequestError, match="did you mean regnety"):
        find_family("regnet-y")


def test_stage_operator_count_is_that_of_the_graph() -> None:
    stages = (Stage(2, 16, 1, 8), Stage(3, 32, 1, 8))
    text = "x_k3_s2_c16_b1_g8{0} x_k3_s1_c16_b1_g8{0} x_r3_k3_s2_c32_b1_g8{0}"
    for se in (0.0, 0.25):
        blocks = text.format("_se0.25" if se else "")
        graph = build_graph(parse_genotype(f"r32x3 conv_k3_s2_c8_relu {blocks} fc_c10"))
        assert len(graph.operators) == most_operators(stages, se)


def test_published_octaves_cover_down_to_eight() -> None:
    regimes = {(s.initial, s.slope) for s in find_family("regnetx").spaces(Pictures(96, 3, 10))}
    assert len(regimes) == 9 and min(regimes) == ((8, 16), (8, 16)) and max(regimes) == ((32, 64), (32, 64))
