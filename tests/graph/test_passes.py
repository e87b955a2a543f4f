"""Reshapes, identities, activations and single channels: passes change no output byte."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from int8_nets import Int8Net, same
from pass_checks import assert_same, kinds

from tinynas.graph import (
    Activation,
    DType,
    Graph,
    GraphBuilder,
    Operator,
    OpKind,
    Tensor,
)
from tinynas.graph.passes import (
    drop_borders,
    drop_reshapes,
    fold_padding,
    fuse_activations,
    lift_means,
    normalise_means,
    remove_identities,
    remove_unused,
    simplify,
    tidy_reshapes,
    widen_single_channels,
)

_RELUS = {OpKind.RELU: Activation.RELU, OpKind.RELU6: Activation.RELU6}


def test_a_dense_layer_flattens_by_itself() -> None:
    net = Int8Net(1, 3, 4, 2)
    x = net.conv(net.input, 5, same(3))
    before = net.graph(net.dense(net.reshape(net.reshape(x, 1, 12, 5), 1, 60), 3))
    after = simplify(before)
    assert kinds(after) == [OpKind.CONV_2D, OpKind.FULLY_CONNECTED]
    assert_same(before, after)


def test_a_softmax_keeps_its_channels() -> None:
    net = Int8Net(1, 1, 1, 2)
    x = net.conv(net.input, 6, same(1))
    plain = net.graph(net.op(OpKind.SOFTMAX, (net.reshape(x, 1, 6),), (1, 6), (1 / 256, -128)))
    assert kinds(simplify(plain)) == [OpKind.CONV_2D, OpKind.SOFTMAX]
    assert_same(plain, simplify(plain))
    net.operators.pop()
    folded = net.graph(net.op(OpKind.SOFTMAX, (net.reshape(x, 1, 2, 3),), (1, 2, 3), (1 / 256, -128)))
    assert kinds(simplify(folded)) == [OpKind.CONV_2D, OpKind.RESHAPE, OpKind.SOFTMAX]
    assert_same(folded, simplify(folded))


def test_the_gate_of_squeeze_and_excitation_needs_no_reshape() -> None:
    net = Int8Net(1, 4, 4, 3)
    x = net.conv(net.input, 6, same(3))
    pooled = net.reshape(net.mean(x, 1, 2), 1, 1, 1, 6)
    gate = net.conv(pooled, 6, same(1))
    before = net.graph(net.add(x, gate, kind=OpKind.MUL, scale=(0.2, 5)))
    after = simplify(before)
    assert kinds(after) == [OpKind.CONV_2D, OpKind.MEAN, OpKind.CONV_2D, OpKind.MUL]
    assert_same(before, after)


def test_a_reshape_that_mixes_rows_and_channels_stays() -> None:
    net = Int8Net(1, 4, 4, 4)
    x = net.conv(net.input, 4, same(3))
    before = net.graph(net.conv(net.reshape(x, 1, 2, 4, 8), 3, same(3)))
    after = simplify(before)
    assert kinds(after) == [OpKind.CONV_2D, OpKind.RESHAPE, OpKind.CONV_2D]
    assert len(after.operators[1].inputs) == 1
    assert_same(before, after)


def test_transposes_cancel() -> None:
    net = Int8Net(1, 4, 5, 3)
    x = net.conv(net.input, 4, same(3))
    before = net.graph(net.conv(net.transpose(net.transpose(x, 0, 3, 1, 2), 0, 2, 3, 1), 2, same(3)))
    assert kinds(simplify(before)) == [OpKind.CONV_2D, OpKind.CONV_2D]
    assert_same(before, simplify(before))


def test_transposes_in_a_row_become_one() -> None:
    net = Int8Net(1, 4, 5, 3)
    x = net.transpose(net.transpose(net.input, 0, 3, 1, 2), 0, 1, 3, 2)
    before = net.graph(net.transpose(x, 0, 2, 1, 3))
    after = simplify(before, keep_float_io=True)
    assert kinds(after) == [OpKind.TRANSPOSE]
    assert_same(before, after)


@pytest.mark.parametrize("kind", [OpKind.RELU, OpKind.RELU6])
def test_activations_are_fused(kind: OpKind) -> None:
    net = Int8Net(1, 4, 4, 3)
    x = net.conv(net.input, 4, same(3))
    x = net.op(kind, (x,), net.shape(x))
    y = net.add(x, net.conv(net.input, 4, same(1)))
    before = net.graph(net.op(kind, (y,), net.shape(y)))
    after = simplify(before)
    assert kinds(after) == [OpKind.CONV_2D, OpKind.CONV_2D, OpKind.ADD]
    assert [op.activation for op in after.operators] == [_RELUS[kind], Activation.NONE, _RELUS[kind]]
    assert_same(before, after)


def test_the_stronger_clamp_of_two_stays() -> None:
    net = Int8Net(1, 4, 4, 3)
    x = net.conv(net.input, 4, same(3), activation=Activation.RELU6)
    before = net.graph(net.op(OpKind.RELU, (x,), net.shape(x)))
    after = simplify(before)
    assert [op.activation for op in after.operators] == [Activation.RELU6]
    assert_same(before, after)


@pytest.mark.parametrize("reason", ["another scale", "read by others", "a mean cannot clamp"])
def test_an_activation_that_does_more_stays(reason: str) -> None:
    net = Int8Net(1, 4, 4, 3)
    mean = reason == "a mean cannot clamp"
    x = net.mean(net.input, 1, 2) if mean else net.conv(net.input, 4, same(3))
    outputs = [net.op(OpKind.RELU, (x,), net.shape(x), (0.07 if reason == "another scale" else 0.05, -7))]
    if reason == "read by others":
        outputs.append(net.conv(x, 2, same(1)))
    before = net.graph(*outputs)
    assert fuse_activations(before) is before
    assert_same(before, simplify(before))


def test_operators_that_do_nothing_go() -> None:
    net = Int8Net(1, 4, 4, 3)
    x = net.pad(net.conv(net.input, 3, same(3)), (0, 0), (0, 0), (0, 0), (0, 0))
    x = net.op(OpKind.QUANTIZE, (x,), net.shape(x))
    x = net.mean(net.reshape(x, 1, 4, 4, 3), 0, keep=True)
    before = net.graph(net.conv(x, 2, same(1)))
    after = simplify(before)
    assert kinds(after) == [OpKind.CONV_2D, OpKind.CONV_2D]
    assert_same(before, after)


def test_what_nobody_reads_goes_and_tensors_are_renumbered() -> None:
    net = Int8Net(1, 4, 4, 3)
    net.conv(net.input, 9, same(3))
    before = net.graph(net.conv(net.input, 2, same(1)))
    after = remove_unused(before)
    assert kinds(after) == [OpKind.CONV_2D] and len(after.tensors) == 4
    assert remove_unused(after) is after
    assert_same(before, after)


@pytest.mark.parametrize(
    "step",
    [
        drop_borders,
        drop_reshapes,
        fold_padding,
        fuse_activations,
        lift_means,
        normalise_means,
        remove_identities,
        remove_unused,
        tidy_reshapes,
        simplify,
    ],
)
def test_a_plain_graph_without_weights_is_left_as_it_is(step: Callable[[Graph], Graph]) -> None:
    build = GraphBuilder("plain", (8, 8, 3))
    x = build.conv(build.input, 8, 3, 2, Activation.RELU6)
    x = build.add(build.conv(build.depthwise(x, 3), 8), x)
    graph = build.build(build.dense(build.global_mean(x), 4))
    assert step(graph) is graph


@settings(max_examples=25, deadline=None)
@given(multiplier=st.integers(1, 6), stride=st.integers(1, 2), seed=st.integers(0, 99))
def test_a_depthwise_of_one_channel_becomes_a_convolution(multiplier: int, stride: int, seed: int) -> None:
    net = Int8Net(1, 7, 5, 1, seed=seed)
    graph = net.graph(net.depthwise(net.input, same(3, stride), multiplier=multiplier))
    after = widen_single_channels(graph)
    assert kinds(after) == [OpKind.CONV_2D if multiplier > 1 else OpKind.DEPTHWISE_CONV_2D]
    assert (after is graph) == (multiplier == 1)
    assert_same(graph, after)


def test_a_depthwise_of_several_channels_stays() -> None:
    net = Int8Net(1, 7, 5, 2)
    graph = net.graph(net.depthwise(net.input, same(3), multiplier=3))
    assert widen_single_channels(graph) is graph


@pytest.mark.parametrize(
    ("corners", "centres", "kept"), [(False, True, 0), (True, False, 0), (True, True, 1)]
)
def test_a_resize_to_its_own_size_goes_unless_it_shifts(corners: bool, centres: bool, kept: int) -> None:
    net = Int8Net(1, 4, 4, 2)
    size = len(net.tensors)
    data = np.array([4, 4], np.int32)
    net.tensors.append(Tensor("size", (2,), DType.INT32, constant=True, data=data))
    resized = net.map((1, 4, 4, 2))
    net.operators.append(
        Operator(
            OpKind.RESIZE_NEAREST_NEIGHBOR,
            (net.input, size),
            (resized,),
            align_corners=corners,
            half_pixel_centers=centres,
        )
    )
    graph = net.graph(net.conv(resized, 3, same(1)))
    assert kinds(simplify(graph)).count(OpKind.RESIZE_NEAREST_NEIGHBOR) == kept
