"""Padding folded into windows: the pass does what it says, and no output byte changes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from int8_nets import Int8Net, same, valid
from pass_checks import assert_same, kinds

from tinynas.graph import (
    OpKind,
    Padding,
    Window,
)
from tinynas.graph.passes import (
    fold_padding,
    remove_unused,
    simplify,
)


@settings(max_examples=60, deadline=None)
@given(
    pads=st.tuples(*[st.integers(0, 3)] * 4),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 2), st.integers(1, 3)),
    dilation=st.integers(1, 2),
    padding=st.sampled_from([Padding.SAME, Padding.VALID]),
    deep=st.booleans(),
)
def test_padding_is_folded_exactly(
    pads: tuple[int, int, int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: int,
    padding: Padding,
    deep: bool,
) -> None:
    net = Int8Net(1, 7, 8, 3)
    padded = net.pad(net.input, (0, 0), pads[:2], pads[2:], (0, 0))
    window = Window(kernel, stride, padding, (dilation, dilation))
    if min(window.output_size(*net.shape(padded)[1:3])) < 1:
        return
    before = net.graph(net.conv(padded, 4, window) if deep else net.depthwise(padded, window, multiplier=2))
    after = remove_unused(fold_padding(before))
    assert_same(before, after)
    folded = after.operators[-1].window
    assert folded is not None
    if folded.padding is Padding.EXPLICIT:
        assert kinds(after) == [before.operators[-1].kind]
        assert folded.output_size(7, 8) == after.tensors[after.outputs[0]].shape[1:3]
        assert max(folded.margins(7, 8)[:2]) < window.reach[0]
    else:
        # what stays is a margin as deep as the window, or none
        assert after.operators[0].kind is OpKind.PAD


def test_a_pad_that_stride_two_needs_becomes_a_window_of_its_own() -> None:
    net = Int8Net(1, 8, 8, 3)
    padded = net.pad(net.input, (0, 0), (1, 1), (1, 1), (0, 0))
    after = simplify(net.graph(net.conv(padded, 4, valid(3, 2))))
    assert kinds(after) == [OpKind.CONV_2D]
    # the last row and column of the padding are read by no window
    assert after.operators[0].window == Window((3, 3), (2, 2), Padding.EXPLICIT, pads=(1, 0, 1, 0))


@pytest.mark.parametrize("reason", ["a pool reads it too", "channels", "another scale", "it is an output"])
def test_a_pad_that_others_need_stays(reason: str) -> None:
    net = Int8Net(1, 6, 6, 2)
    front = (1, 0) if reason == "channels" else (0, 0)
    scale = (0.06, -7) if reason == "another scale" else (0.05, -7)
    padded = net.pad(net.input, (0, 0), (1, 1), (1, 1), front, scale=scale)
    outputs = [net.conv(padded, 3, valid(3))]
    if reason == "a pool reads it too":
        outputs.append(net.pool(OpKind.MAX_POOL_2D, padded, valid(2)))
    if reason == "it is an output":
        outputs.append(padded)
    graph = net.graph(*outputs)
    assert fold_padding(graph) is graph


def test_two_readers_of_a_pad_both_take_it_over() -> None:
    net = Int8Net(1, 6, 6, 2)
    padded = net.pad(net.input, (0, 0), (1, 2), (2, 1), (0, 0))
    before = net.graph(net.conv(padded, 3, valid(3)), net.depthwise(padded, same(5, 2)))
    after = remove_unused(fold_padding(before))
    assert kinds(after) == [OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D]
    assert_same(before, after)


def test_windows_hold_padding_and_margins_together() -> None:
    with pytest.raises(ValueError, match="margins"):
        Window((3, 3), (1, 1), Padding.EXPLICIT)
    with pytest.raises(ValueError, match="margins"):
        Window((3, 3), (1, 1), Padding.SAME, pads=(1, 1, 1, 1))


@given(
    size=st.integers(1, 30), kernel=st.integers(1, 7), stride=st.integers(1, 4), dilation=st.integers(1, 3)
)
def test_same_margins_are_what_the_last_window_lacks(
    size: int, kernel: int, stride: int, dilation: int
) -> None:
    window = Window((kernel, 1), (stride, 1), Padding.SAME, (dilation, 1))
    rows, _ = window.output_size(size, 5)
    top, bottom, left, right = window.margins(size, 5)
    assert 0 <= bottom - top <= 1 and (left, right) == (0, 0)
    end = (rows - 1) * stride + window.reach[0]
    assert end - size == top + bottom or (end <= size and top + bottom == 0)
    explicit = Window((kernel, 1), (stride, 1), Padding.EXPLICIT, (dilation, 1), (top, bottom, 0, 0))
    assert explicit.output_size(size, 5) == window.output_size(size, 5) or end <= size
