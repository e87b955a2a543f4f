"""Each graph pass on small networks: it does what it says, and no output byte changes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from int8_nets import Int8Net, same, valid
from reference_net import random_inputs, run

from tinynas.graph import (
    Activation,
    DType,
    Graph,
    GraphBuilder,
    Operator,
    OpKind,
    Padding,
    Tensor,
    Window,
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


def _kinds(graph: Graph) -> list[OpKind]:
    return [operator.kind for operator in graph.operators]


def _assert_same(before: Graph, after: Graph, runs: int = 3) -> None:
    """Equal outputs, element by element, for random inputs."""
    rng = np.random.default_rng(1)
    for _ in range(runs):
        inputs = random_inputs(before, rng)
        shaped = [x.reshape(after.tensors[i].shape) for x, i in zip(inputs, after.inputs, strict=True)]
        for old, new in zip(run(before, *inputs), run(after, *shaped), strict=True):
            np.testing.assert_array_equal(old.ravel(), new.ravel())


# --- padding ------------------------------------------------------------------------------------------------


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
    _assert_same(before, after)
    folded = after.operators[-1].window
    assert folded is not None
    if folded.padding is Padding.EXPLICIT:
        assert _kinds(after) == [before.operators[-1].kind]
        assert folded.output_size(7, 8) == after.tensors[after.outputs[0]].shape[1:3]
        assert max(folded.margins(7, 8)[:2]) < window.reach[0]
    else:
        # what stays is a margin as deep as the window, or none
        assert after.operators[0].kind is OpKind.PAD


def test_a_pad_that_stride_two_needs_becomes_a_window_of_its_own() -> None:
    net = Int8Net(1, 8, 8, 3)
    padded = net.pad(net.input, (0, 0), (1, 1), (1, 1), (0, 0))
    after = simplify(net.graph(net.conv(padded, 4, valid(3, 2))))
    assert _kinds(after) == [OpKind.CONV_2D]
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
    assert _kinds(after) == [OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D]
    _assert_same(before, after)


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


# --- means --------------------------------------------------------------------------------------------------


def _exported_pool(net: Int8Net, x: int, keep: bool) -> int:
    """A global pool as PyTorch's exporters write it."""
    columns = net.mean(net.transpose(x, 0, 3, 1, 2), -1, keep=keep)
    return net.mean(columns, -2 if keep else 2, keep=keep)


@pytest.mark.parametrize("keep", [False, True])
def test_an_exported_global_pool_becomes_two_means_over_rows_as_they_come(keep: bool) -> None:
    net = Int8Net(1, 5, 4, 6)
    x = net.conv(net.input, 6, same(3))
    before = net.graph(net.dense(_exported_pool(net, x, keep), 3))
    after = simplify(before)
    assert _kinds(after) == [OpKind.CONV_2D, OpKind.MEAN, OpKind.MEAN, OpKind.FULLY_CONNECTED]
    columns, rows = (op for op in after.operators if op.kind is OpKind.MEAN)
    assert after.tensors[columns.inputs[1]].data == [2] and after.tensors[rows.inputs[1]].data == [1]
    assert after.tensors[columns.outputs[0]].shape == (1, 5, 1, 6)
    _assert_same(before, after)


def test_one_mean_over_both_axes_is_not_the_same_as_two() -> None:
    net = Int8Net(1, 2, 2, 1, scale=(0.05, 0))
    pair = net.graph(net.mean(net.mean(net.input, 2, keep=True, scale=(0.05, 0)), 1, scale=(0.05, 0)))
    single = net.graph(net.mean(net.input, 1, 2, scale=(0.05, 0)))
    image = np.array([0, 1, 0, 3], np.int8).reshape(1, 2, 2, 1)
    assert (run(pair, image)[0].item(), run(remove_unused(single), image)[0].item()) == (2, 1)
    assert _kinds(simplify(pair)) == [OpKind.MEAN, OpKind.MEAN]


@pytest.mark.parametrize("axes", [(-2, 1), (2, 1), (1, -3, 2)])
def test_axes_are_normalised(axes: tuple[int, ...]) -> None:
    net = Int8Net(1, 3, 4, 2)
    before = net.graph(net.mean(net.input, *axes))
    after = normalise_means(before)
    assert after.tensors[after.operators[0].inputs[1]].data.tolist() == [1, 2]  # type: ignore[union-attr]
    assert normalise_means(after) is after
    _assert_same(before, after)


def test_a_mean_of_a_reshape_to_nchw_by_size_is_left_alone() -> None:
    # not a transpose: rows and channels are mixed
    net = Int8Net(1, 4, 4, 4)
    graph = net.graph(net.mean(net.reshape(net.input, 1, 2, 8, 4), 2))
    assert lift_means(graph) is graph


def test_a_mean_behind_axes_of_one_works_before_them() -> None:
    net = Int8Net(1, 4, 5, 3)
    x = net.conv(net.input, 3, same(3))
    before = net.graph(net.dense(net.mean(net.reshape(x, 4, 5, 3), 0, 1), 2))
    after = simplify(before)
    assert _kinds(after) == [OpKind.CONV_2D, OpKind.MEAN, OpKind.FULLY_CONNECTED]
    _assert_same(before, after)


# --- borders ------------------------------------------------------------------------------------------------


def _with_float_borders() -> Graph:
    net = Int8Net(1, 5, 5, 2, dtype=DType.FLOAT32)
    x = net.conv(net.op(OpKind.QUANTIZE, (net.input,), (1, 5, 5, 2), (0.02, 3)), 4, same(3))
    outputs = [net.op(OpKind.DEQUANTIZE, (y,), net.shape(y)) for y in (x, net.conv(x, 2, same(1)))]
    for output in outputs:
        net.tensors[output] = net.tensors[net.map(net.shape(output), dtype=DType.FLOAT32)]
    return net.graph(*outputs)


def test_float_borders_are_dropped() -> None:
    before = _with_float_borders()
    after = simplify(before)
    assert _kinds(after) == [OpKind.CONV_2D, OpKind.CONV_2D]
    ends = [after.tensors[i] for i in (*after.inputs, *after.outputs)]
    assert [t.dtype for t in ends] == [DType.INT8] * 3
    assert [t.shape[-1] for t in ends] == [2, 4, 2]
    assert ends[0].quantization is not None and ends[0].quantization.zero_points == (3,)
    image = random_inputs(before, np.random.default_rng(2))[0]
    stored = np.clip(np.trunc(image / np.float32(0.02) + np.copysign(np.float32(0.5), image)) + 3, -128, 127)
    for real, byte in zip(run(before, image), run(after, stored.astype(np.int8)), strict=True):
        np.testing.assert_array_equal(real, (byte.astype(np.float32) + 7) * np.float32(0.05))


def test_float_borders_stay_if_asked_for() -> None:
    before = _with_float_borders()
    after = simplify(before, keep_float_io=True)
    assert _kinds(after) == _kinds(before)
    _assert_same(before, after)


def test_transposes_and_reshapes_at_the_borders_go() -> None:
    net = Int8Net(1, 3, 6, 5)
    x = net.conv(net.transpose(net.input, 0, 2, 3, 1), 4, same(3))
    before = net.graph(net.reshape(net.transpose(x, 0, 3, 1, 2), 1, 120))
    after = simplify(before)
    assert _kinds(after) == [OpKind.CONV_2D]
    assert after.tensors[after.inputs[0]].shape == (1, 6, 5, 3)
    image = random_inputs(before, np.random.default_rng(0))[0]
    made = run(after, image.transpose(0, 2, 3, 1))[0]
    np.testing.assert_array_equal(run(before, image)[0], made.transpose(0, 3, 1, 2).reshape(1, 120))
    kept = simplify(before, keep_float_io=True)
    assert _kinds(kept) == [OpKind.TRANSPOSE, OpKind.CONV_2D, OpKind.TRANSPOSE, OpKind.RESHAPE]


def test_a_border_that_is_not_alone_stays() -> None:
    net = Int8Net(1, 4, 4, 2)
    flat = net.reshape(net.input, 1, 32)
    forked = net.graph(net.dense(flat, 3), net.conv(net.input, 2, same(3)))
    assert drop_borders(forked) is forked
    # a network that only reshapes would be left with an input for an output
    through = Int8Net(1, 4, 4, 2)
    alone = through.graph(through.reshape(through.input, 1, 32))
    assert drop_borders(alone) is alone


# --- reshapes, identities, activations ----------------------------------------------------------------------


def test_a_dense_layer_flattens_by_itself() -> None:
    net = Int8Net(1, 3, 4, 2)
    x = net.conv(net.input, 5, same(3))
    before = net.graph(net.dense(net.reshape(net.reshape(x, 1, 12, 5), 1, 60), 3))
    after = simplify(before)
    assert _kinds(after) == [OpKind.CONV_2D, OpKind.FULLY_CONNECTED]
    _assert_same(before, after)


def test_a_softmax_keeps_its_channels() -> None:
    net = Int8Net(1, 1, 1, 2)
    x = net.conv(net.input, 6, same(1))
    plain = net.graph(net.op(OpKind.SOFTMAX, (net.reshape(x, 1, 6),), (1, 6), (1 / 256, -128)))
    assert _kinds(simplify(plain)) == [OpKind.CONV_2D, OpKind.SOFTMAX]
    _assert_same(plain, simplify(plain))
    net.operators.pop()
    folded = net.graph(net.op(OpKind.SOFTMAX, (net.reshape(x, 1, 2, 3),), (1, 2, 3), (1 / 256, -128)))
    assert _kinds(simplify(folded)) == [OpKind.CONV_2D, OpKind.RESHAPE, OpKind.SOFTMAX]
    _assert_same(folded, simplify(folded))


def test_the_gate_of_squeeze_and_excitation_needs_no_reshape() -> None:
    net = Int8Net(1, 4, 4, 3)
    x = net.conv(net.input, 6, same(3))
    pooled = net.reshape(net.mean(x, 1, 2), 1, 1, 1, 6)
    gate = net.conv(pooled, 6, same(1))
    before = net.graph(net.add(x, gate, kind=OpKind.MUL, scale=(0.2, 5)))
    after = simplify(before)
    assert _kinds(after) == [OpKind.CONV_2D, OpKind.MEAN, OpKind.CONV_2D, OpKind.MUL]
    _assert_same(before, after)


def test_a_reshape_that_mixes_rows_and_channels_stays() -> None:
    net = Int8Net(1, 4, 4, 4)
    x = net.conv(net.input, 4, same(3))
    before = net.graph(net.conv(net.reshape(x, 1, 2, 4, 8), 3, same(3)))
    after = simplify(before)
    assert _kinds(after) == [OpKind.CONV_2D, OpKind.RESHAPE, OpKind.CONV_2D]
    assert len(after.operators[1].inputs) == 1
    _assert_same(before, after)


def test_transposes_cancel() -> None:
    net = Int8Net(1, 4, 5, 3)
    x = net.conv(net.input, 4, same(3))
    before = net.graph(net.conv(net.transpose(net.transpose(x, 0, 3, 1, 2), 0, 2, 3, 1), 2, same(3)))
    assert _kinds(simplify(before)) == [OpKind.CONV_2D, OpKind.CONV_2D]
    _assert_same(before, simplify(before))


def test_transposes_in_a_row_become_one() -> None:
    net = Int8Net(1, 4, 5, 3)
    x = net.transpose(net.transpose(net.input, 0, 3, 1, 2), 0, 1, 3, 2)
    before = net.graph(net.transpose(x, 0, 2, 1, 3))
    after = simplify(before, keep_float_io=True)
    assert _kinds(after) == [OpKind.TRANSPOSE]
    _assert_same(before, after)


@pytest.mark.parametrize("kind", [OpKind.RELU, OpKind.RELU6])
def test_activations_are_fused(kind: OpKind) -> None:
    net = Int8Net(1, 4, 4, 3)
    x = net.conv(net.input, 4, same(3))
    x = net.op(kind, (x,), net.shape(x))
    y = net.add(x, net.conv(net.input, 4, same(1)))
    before = net.graph(net.op(kind, (y,), net.shape(y)))
    after = simplify(before)
    assert _kinds(after) == [OpKind.CONV_2D, OpKind.CONV_2D, OpKind.ADD]
    assert [op.activation for op in after.operators] == [_RELUS[kind], Activation.NONE, _RELUS[kind]]
    _assert_same(before, after)


def test_the_stronger_clamp_of_two_stays() -> None:
    net = Int8Net(1, 4, 4, 3)
    x = net.conv(net.input, 4, same(3), activation=Activation.RELU6)
    before = net.graph(net.op(OpKind.RELU, (x,), net.shape(x)))
    after = simplify(before)
    assert [op.activation for op in after.operators] == [Activation.RELU6]
    _assert_same(before, after)


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
    _assert_same(before, simplify(before))


def test_operators_that_do_nothing_go() -> None:
    net = Int8Net(1, 4, 4, 3)
    x = net.pad(net.conv(net.input, 3, same(3)), (0, 0), (0, 0), (0, 0), (0, 0))
    x = net.op(OpKind.QUANTIZE, (x,), net.shape(x))
    x = net.mean(net.reshape(x, 1, 4, 4, 3), 0, keep=True)
    before = net.graph(net.conv(x, 2, same(1)))
    after = simplify(before)
    assert _kinds(after) == [OpKind.CONV_2D, OpKind.CONV_2D]
    _assert_same(before, after)


def test_what_nobody_reads_goes_and_tensors_are_renumbered() -> None:
    net = Int8Net(1, 4, 4, 3)
    net.conv(net.input, 9, same(3))
    before = net.graph(net.conv(net.input, 2, same(1)))
    after = remove_unused(before)
    assert _kinds(after) == [OpKind.CONV_2D] and len(after.tensors) == 4
    assert remove_unused(after) is after
    _assert_same(before, after)


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


# --- single channels ----------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(multiplier=st.integers(1, 6), stride=st.integers(1, 2), seed=st.integers(0, 99))
def test_a_depthwise_of_one_channel_becomes_a_convolution(multiplier: int, stride: int, seed: int) -> None:
    net = Int8Net(1, 7, 5, 1, seed=seed)
    graph = net.graph(net.depthwise(net.input, same(3, stride), multiplier=multiplier))
    after = widen_single_channels(graph)
    assert _kinds(after) == [OpKind.CONV_2D if multiplier > 1 else OpKind.DEPTHWISE_CONV_2D]
    assert (after is graph) == (multiplier == 1)
    _assert_same(graph, after)


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
    assert _kinds(simplify(graph)).count(OpKind.RESIZE_NEAREST_NEIGHBOR) == kept
