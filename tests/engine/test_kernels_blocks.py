"""The kernels by blocks and by Winograd's tiles, their inputs in rings, against plain 64-bit arithmetic."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import draw_values, seeds
from kernel_host import Blocks, Constants, run_operator
from kernel_reference import finish, rescale, windows
from make_tflite import convolution

from tinynas.engine.kernels import Kernel, Spends, candidates
from tinynas.engine.layers import layer_of
from tinynas.engine.packing import pack
from tinynas.engine.parameters import Blocks as PackedBlocks
from tinynas.graph import Activation, Graph, OpKind, Padding
from tinynas.graph.tflite import graph_from_bytes

_FAST = Spends.ARENA | Spends.FLASH


def _kernels(graph: Graph) -> list[Kernel]:
    """All that may run its one layer, and write rows."""
    return [
        kernel
        for kernel in candidates(graph, 0, _FAST)
        if kernel.kind is OpKind.CONV_2D and kernel.spends and not kernel.function.endswith("planes")
    ]


def _struct(constants: Constants, packed: PackedBlocks) -> Blocks:
    values = {each.name: getattr(packed, each.name) for each in fields(packed)}
    pointers = {name: constants.pointer(values.pop(name)) for name in ("weights", "constants")}
    return Blocks(**pointers, **values)


@given(
    image=st.tuples(st.integers(1, 9), st.integers(1, 13), st.sampled_from([1, 2, 3, 4, 7, 8, 12, 40])),
    outputs=st.sampled_from([2, 3, 4, 8]),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    threes=st.booleans(),
    activation=st.sampled_from([Activation.NONE, Activation.RELU]),
    seed=seeds,
)
def test_blocks_of_rings(
    image: tuple[int, int, int],
    outputs: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    threes: bool,
    activation: Activation,
    seed: int,
) -> None:
    if threes:  # what Winograd's kernel is for
        kernel, stride = (3, 3), (1, 1)
    rng = np.random.default_rng(seed)
    model = convolution(rng, image, outputs, kernel, stride, Padding.SAME, activation=activation)
    graph = graph_from_bytes(model, "conv")
    operator, values = graph.operators[0], draw_values(rng, image)
    layer, shape = layer_of(graph, operator), graph.tensors[operator.outputs[0]].shape[1:]
    out, pad = (shape[0], shape[1]), (layer.margins[0], layer.margins[2])
    filters = layer.filters.reshape(outputs, *kernel, image[2]).astype(np.int64)
    seen = windows(values, kernel, stride, pad, out, layer.input_zero)
    sums = np.einsum("yxijc,oijc->yxo", seen, filters) + layer.bias
    expected = finish(
        rescale(sums, layer.multipliers, layer.shifts), layer.output_zero, layer.low, layer.high
    )
    for each in _kernels(graph):
        # a step's window: those of its rows together
        reach, steps = kernel[0] + (each.rows - 1) * stride[0], -(-out[0] // each.rows)
        firsts = [step * each.rows * stride[0] - pad[0] for step in range(steps)]
        packed, constants = pack(graph, 0, each.function), Constants()
        assert isinstance(packed, PackedBlocks)
        made = run_operator(
            each.function,
            _struct(constants, packed),
            [values],
            (*out, outputs),
            scratch=each.working(graph, operator),
            steps=steps,
            slots=[reach if reach < image[0] else None],
            reads=[(first, first + reach - 1) for first in firsts],
        )
        constants.check()
        np.testing.assert_array_equal(made, expected, each.function)


def test_every_such_kernel_is_tried() -> None:
    model = convolution(np.random.default_rng(0), (9, 13, 8), 8, (3, 3), (1, 1), Padding.SAME)
    names = {kernel.function for kernel in _kernels(graph_from_bytes(model, "conv"))}
    assert names == {"tn_convolve_packed", "tn_convolve_paired", "tn_convolve_winograd"}
