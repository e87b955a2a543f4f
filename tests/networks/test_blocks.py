"""The block language prints and reads every genotype alike, and names the word it does not understand."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.errors import RequestError
from tinynas.networks import Conv, Genotype, MBConv, XBlock, parse_genotype

sizes = st.integers(1, 400)
convolutions = st.builds(
    Conv,
    kernel=st.sampled_from([1, 3, 5, 7]),
    stride=st.integers(1, 2),
    channels=sizes,
    bounded=st.booleans(),
)
bottlenecks = st.builds(
    MBConv,
    kernel=st.sampled_from([3, 5, 7]),
    stride=st.integers(1, 2),
    channels=sizes,
    expand=st.integers(1, 8),
    se=st.sampled_from([0.0, 0.25, 0.5]),
    skip=st.booleans(),
)


def _x_block(kernel: int, stride: int, groups: int, bottleneck: int, width: int, se: float) -> XBlock:
    return XBlock(kernel, stride, groups * bottleneck * width, bottleneck, width, se)


x_blocks = st.builds(
    _x_block,
    st.sampled_from([3, 5, 7]),
    st.integers(1, 2),
    st.integers(1, 12),
    st.sampled_from([1, 2, 4]),
    st.integers(1, 32),
    st.sampled_from([0.0, 0.25, 0.5]),
)
genotypes = st.builds(
    Genotype,
    resolution=sizes,
    in_channels=st.integers(1, 4),
    blocks=st.lists(convolutions | bottlenecks | x_blocks, max_size=12).map(tuple),
    classes=st.integers(1, 1000),
)


@given(genotypes)
def test_text_and_genotype_are_one_to_one(genotype: Genotype) -> None:
    text = str(genotype)
    assert parse_genotype(text) == genotype
    assert str(parse_genotype(text)) == text


def test_short_forms_mean_their_long_ones() -> None:
    short = parse_genotype("r96x3 conv_k3_s2_c16 ds_k3_c8 ir_r3_s2_e4_c24_k5 fc_c2")
    long = parse_genotype(
        "r96x3 conv_k3_s2_c16 ir_k3_s1_e1_c8 ir_k5_s2_e4_c24 ir_k5_s1_e4_c24 ir_k5_s1_e4_c24 fc_c2"
    )
    assert short == long
    assert parse_genotype("r9x1 x_r2_g8_c16_s2_b2_k3_se.25 fc_c2") == parse_genotype(
        "r9x1 x_k3_s2_c16_b2_g8_se0.25 x_k3_s1_c16_b2_g8_se0.25 fc_c2"
    )


@pytest.mark.parametrize(
    ("text", "culprit"),
    [
        ("", "is not a network"),
        ("r96x3", "is not a network"),
        ("96 fc_c2", "'96'"),
        ("r96x3 fc_2", "'fc_2'"),
        ("r96x3 mb_k3_c8 fc_c2", "'mb'"),
        ("r96x3 ir_k3_c8 fc_c2", "lacks e"),
        ("r96x3 ir_k3_e4_c8_q7 fc_c2", "'q7'"),
        ("r96x3 ir_k3_k5_e4_c8 fc_c2", "'k5'"),
        ("r96x3 ir_k3_e0_c8 fc_c2", "at least 1"),
        ("r96x3 ir_k3_e1.5_c8 fc_c2", "whole numbers"),
        ("r96x3 conv_k3_e4_c8 fc_c2", "no such field"),
        ("r96x3 conv_k3_c8_noskip fc_c2", "no such field"),
        ("r0x3 conv_k3_c8 fc_c2", "zero"),
        ("r8x3 x_k3_c8_b1 fc_c2", "lacks g"),
        ("r8x3 x_k3_c24_b2_g8 fc_c2", "no whole groups of 8"),
        ("r8x3 x_k3_c24_b1_g8_e4 fc_c2", "no such field as e"),
        ("r8x3 ir_k3_e4_c8_relu fc_c2", "no such field as relu"),
        ("r8x3 conv_k3_c8_relu_relu fc_c2", "'relu'"),
    ],
)
def test_a_wrong_word_is_named(text: str, culprit: str) -> None:
    with pytest.raises(RequestError, match=culprit):
        parse_genotype(text)


@given(st.text(alphabet="rxirconvdsfc_0123456789 ekbglu.", max_size=40))
def test_no_text_ends_in_a_traceback(text: str) -> None:
    with contextlib.suppress(RequestError):
        assert str(parse_genotype(str(parse_genotype(text)))) == str(parse_genotype(text))
