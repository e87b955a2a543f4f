"""Dead channels go, bit-exactly; what somebody needs stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from int8_nets import Int8Net, same, valid
from reference_net import Run, random_inputs, run

from tinynas.graph import DType, Graph, OpKind
from tinynas.graph.passes import drop_dead_channels, remove_unused, simplify
from tinynas.graph.passes.constants import channel_values


def _dropped(before: Graph) -> Graph:
    """`before` without its dead channels, after a check that no output byte changed."""
    after = remove_unused(drop_dead_channels(before))
    rng = np.random.default_rng(3)
    for _ in range(3):
        inputs = random_inputs(before, rng)
        for old, new in zip(run(before, *inputs), run(after, *inputs), strict=True):
            np.testing.assert_array_equal(old, new)
    return after


def _channels(graph: Graph) -> list[int]:
    return [graph.tensors[op.outputs[0]].shape[-1] for op in graph.operators]


def _zero_point(net: Int8Net, tensor: int, channel: int) -> None:
    """Give a dead channel of the last convolution the value of its zero point."""
    bias = net.operators[-1].inputs[2]
    data = net.tensors[bias].data
    assert data is not None and net.operators[-1].outputs == (tensor,)
    data[channel] = 0


def test_a_dead_channel_goes_into_the_bias_of_the_next_convolution() -> None:
    net = Int8Net(1, 6, 6, 3)
    x = net.conv(net.input, 8, same(3), dead=(1, 5))
    after = _dropped(net.graph(net.conv(x, 4, same(1))))
    assert _channels(after) == [6, 4]
    weights = after.tensors[after.operators[0].inputs[1]]
    assert weights.shape == (6, 3, 3, 3) and weights.quantization is not None
    assert len(weights.quantization.scales) == 6
    assert drop_dead_channels(after) is after


@pytest.mark.parametrize(("zero", "window", "left"), [(True, 3, 7), (False, 3, 8), (False, 1, 7)])
def test_at_a_padded_border_only_the_zero_point_can_go(zero: bool, window: int, left: int) -> None:
    net = Int8Net(1, 6, 6, 3)
    x = net.conv(net.input, 8, same(3), dead=(2,))
    if zero:
        _zero_point(net, x, 2)
    assert _channels(_dropped(net.graph(net.conv(x, 4, same(window)))))[0] == left


def test_an_unpadded_window_takes_any_constant() -> None:
    net = Int8Net(1, 6, 6, 3)
    x = net.conv(net.input, 8, same(3), dead=(2,))
    assert _channels(_dropped(net.graph(net.conv(x, 4, valid(3))))) == [7, 4]


def test_a_depthwise_channel_goes_with_its_input() -> None:
    net = Int8Net(1, 6, 6, 3)
    x = net.conv(net.input, 8, same(1), dead=(0,))
    _zero_point(net, x, 0)
    # channel 0 is constant all the way; 3 is live but its depthwise weights are zero, so nobody listens
    x = net.depthwise(x, same(3, 2), dead=(3,))
    assert _channels(_dropped(net.graph(net.conv(x, 4, same(1))))) == [6, 6, 4]


def test_a_depthwise_channel_that_sees_the_border_stays() -> None:
    net = Int8Net(1, 6, 6, 3)
    x = net.depthwise(net.conv(net.input, 8, same(1), dead=(0,)), same(3))
    assert _channels(_dropped(net.graph(net.conv(x, 4, same(1)))))[:2] == [8, 8]


def test_a_multiplied_depthwise_channel_goes_with_all_it_makes() -> None:
    net = Int8Net(1, 6, 6, 3)
    x = net.depthwise(net.conv(net.input, 4, same(1)), same(3), dead=(2, 3, 5), multiplier=2)
    assert _channels(_dropped(net.graph(net.conv(x, 4, same(1))))) == [3, 6, 4]


def test_a_constant_goes_through_a_multiplied_depthwise_layer() -> None:
    net = Int8Net(1, 6, 6, 3)
    x = net.conv(net.input, 4, same(1), dead=(1,))
    x = net.depthwise(x, valid(3), multiplier=2)
    before = net.graph(net.conv(x, 4, same(1)))
    assert np.flatnonzero(~np.isnan(channel_values(before)[x])).tolist() == [2, 3]
    assert _channels(_dropped(before)) == [3, 6, 4]


def test_a_sum_loses_a_channel_only_if_both_sides_do() -> None:
    net = Int8Net(1, 6, 6, 3)
    left = net.conv(net.input, 6, same(3), dead=(1, 2))
    right = net.conv(net.input, 6, same(1), dead=(2, 3))
    total = net.add(left, right, scale=(0.09, 11))
    assert _channels(_dropped(net.graph(net.conv(total, 4, same(1))))) == [5, 5, 5, 4]


def test_nothing_times_a_gate_is_nothing() -> None:
    net = Int8Net(1, 6, 6, 3)
    x = net.conv(net.input, 6, same(3), dead=(4,))
    _zero_point(net, x, 4)
    gate = net.conv(net.mean(x, 1, 2, keep=True), 6, same(1))
    scaled = net.add(x, gate, kind=OpKind.MUL, scale=(0.2, 9))
    after = _dropped(net.graph(net.conv(scaled, 3, same(1))))
    assert _channels(after) == [5, 5, 5, 5, 3]


def test_a_constant_operand_loses_the_same_channels() -> None:
    net = Int8Net(1, 4, 4, 3)
    x = net.conv(net.input, 5, same(3), dead=(0, 4))
    shift = net.constant(net.rng.integers(-100, 100, 5).astype(np.int8), net.tensors[x].quantization)
    after = _dropped(net.graph(net.conv(net.add(x, shift), 3, same(1))))
    assert _channels(after) == [3, 3, 3]


def test_pools_and_means_pass_constants_on() -> None:
    net = Int8Net(1, 7, 6, 3)
    x = net.conv(net.input, 6, same(3), dead=(0, 1))
    x = net.pool(OpKind.AVERAGE_POOL_2D, x, same(3, 2))
    x = net.pool(OpKind.MAX_POOL_2D, x, same(2, 1))
    x = net.mean(x, 1, 2, scale=(0.03, 4))
    assert _channels(_dropped(net.graph(net.dense(x, 3)))) == [4, 4, 4, 4, 3]


def test_a_dense_layer_loses_every_pixel_of_a_channel() -> None:
    net = Int8Net(1, 3, 4, 2)
    x = net.conv(net.input, 5, same(3), dead=(1,))
    after = _dropped(net.graph(net.dense(net.dense(x, 6, dead=(0, 3)), 3)))
    assert _channels(after) == [4, 4, 3]
    assert after.tensors[after.operators[1].inputs[1]].shape == (4, 3 * 4 * 4)


def test_concatenated_channels_keep_their_places() -> None:
    net = Int8Net(1, 4, 4, 2)
    left = net.conv(net.input, 4, same(3), dead=(0,))
    right = net.conv(net.input, 3, same(1), dead=(2,))
    joined = net.op(OpKind.CONCATENATION, (left, right), (1, 4, 4, 7), axis=3)
    assert _channels(_dropped(net.graph(net.conv(joined, 4, same(1))))) == [3, 2, 5, 4]


def test_one_channel_stays_of_a_map_that_is_all_dead() -> None:
    net = Int8Net(1, 4, 4, 2)
    x = net.conv(net.input, 4, same(3), dead=(0, 1, 2, 3))
    assert _channels(_dropped(net.graph(net.conv(x, 3, same(1))))) == [1, 3]


def test_outputs_inputs_and_groups_keep_their_channels() -> None:
    net = Int8Net(1, 4, 4, 4)
    x = net.conv(net.input, 4, same(3), dead=(0,))
    grouped = net.conv(x, 4, same(1), dead=(1,), groups=2)
    before = net.graph(grouped, net.conv(net.input, 2, same(1), dead=(1,)))
    assert drop_dead_channels(before) is before


def test_a_missing_bias_is_made() -> None:
    net = Int8Net(1, 4, 4, 2)
    y = net.conv(net.conv(net.input, 4, same(3), dead=(2,)), 3, same(1))
    net.operators[-1] = replace(net.operators[-1], inputs=net.operators[-1].inputs[:2])
    after = _dropped(net.graph(y))
    bias = after.tensors[after.operators[-1].inputs[2]]
    assert _channels(after) == [3, 3] and bias.dtype is DType.INT32 and bias.data is not None
    assert bias.data.any()


def test_a_bias_that_would_overflow_keeps_the_channel() -> None:
    net = Int8Net(1, 4, 4, 2)
    y = net.conv(net.conv(net.input, 4, same(3), dead=(2,)), 3, same(1))
    data = net.tensors[net.operators[-1].inputs[2]].data
    assert data is not None
    data[:] = 2**31 - 1
    graph = net.graph(y)
    assert drop_dead_channels(graph) is graph


def test_constants_are_what_an_inference_makes() -> None:
    net = Int8Net(1, 5, 5, 3)
    x = net.conv(net.input, 6, same(3), dead=(0, 2, 3))
    y = net.depthwise(x, same(3), dead=(2, 4))
    z = net.mean(net.add(x, y, scale=(0.11, -30)), 1, 2, scale=(0.07, 3))
    graph = net.graph(net.dense(z, 4))
    values = channel_values(graph)
    inference = Run(graph, random_inputs(graph, np.random.default_rng(0)))
    inference.outputs()
    for tensor in (x, y, z):
        seen = inference.values[tensor].reshape(-1, 6)
        constant = ~np.isnan(values[tensor])
        assert constant.any() and not constant.all()
        assert (seen[:, constant] == values[tensor][constant]).all()
    assert values[graph.inputs[0]].tolist() == pytest.approx([np.nan] * 3, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_random_networks_stay_bit_exact(data: st.DataObject) -> None:
    """Blocks of all kinds in a row, with dead channels anywhere, whose biases are often the zero point's."""
    net = Int8Net(1, 5, 5, 3, seed=data.draw(st.integers(0, 999)))
    x = net.input
    for _ in range(data.draw(st.integers(2, 6))):
        channels = net.shape(x)[3]
        dead = data.draw(st.sets(st.integers(0, channels - 1)))
        window = data.draw(st.sampled_from([same(1), same(3), same(3, 2), same(2)]))
        step = data.draw(st.sampled_from(["conv", "depthwise", "residual", "gate", "concat", "pool", "pad"]))
        if step == "conv":
            x = net.conv(x, data.draw(st.integers(1, 7)), window)
            dead = data.draw(st.sets(st.integers(0, net.shape(x)[3] - 1)))
            _kill(net, dead, data.draw(st.booleans()))
        elif step == "depthwise":
            x = net.depthwise(x, window, sorted(dead), data.draw(st.integers(1, 2)))
        elif step == "residual":
            branch = net.conv(x, channels, same(3), sorted(dead))
            x = net.add(x, branch, scale=(0.06, 2))
        elif step == "gate":
            gate = net.conv(net.mean(x, 1, 2, keep=True), channels, same(1), sorted(dead))
            x = net.add(x, gate, kind=OpKind.MUL, scale=(0.15, -3))
        elif step == "concat":
            branch = net.conv(x, 2, same(1), dead=(0,))
            x = net.op(OpKind.CONCATENATION, (x, branch), (*net.shape(x)[:3], channels + 2), axis=3)
        elif step == "pool":
            x = net.pool(data.draw(st.sampled_from([OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D])), x, window)
        else:
            known = net.tensors[x].quantization
            assert known is not None
            x = net.pad(x, (0, 0), (1, 0), (0, 2), (0, 0), scale=(known.scales[0], known.zero_points[0]))
    graph = net.graph(net.dense(x, 3))
    _dropped(graph)
    after = simplify(graph)
    inputs = random_inputs(graph, np.random.default_rng(4))
    np.testing.assert_array_equal(run(graph, *inputs)[0], run(after, *inputs)[0])
    assert simplify(after) is after


def _kill(net: Int8Net, dead: set[int], at_zero: bool) -> None:
    """Zero the weights of the last convolution's channels `dead`, and perhaps their biases."""
    weights, bias = (net.tensors[i].data for i in net.operators[-1].inputs[1:])
    assert weights is not None and bias is not None
    weights[sorted(dead)] = 0
    if at_zero:
        bias[sorted(dead)] = 0
