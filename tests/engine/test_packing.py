"""Packing: tables bit for bit as TFLite Micro computes them, structs as the C header has them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_tflite import TfliteMaker, convolution, options, random_scale, unary
from micro_oracle import micro_outputs

from tinynas.engine import parameters
from tinynas.engine.block_packing import (
    block_depth,
    gathered_order,
    packed_pairs,
    packed_weights,
    paired_pairs,
    paired_weights,
)
from tinynas.engine.kernels import choose
from tinynas.engine.lookups import lookup_table
from tinynas.engine.packing import pack, pack_depthwise
from tinynas.engine.parameters import Convolution, Lookup, Parameters, Pool, members, struct_bytes
from tinynas.errors import ModelError
from tinynas.graph import Activation, Graph, OpKind, Padding
from tinynas.graph.quantized import quantize_multiplier, requantize
from tinynas.graph.tflite import graph_from_bytes

HEADERS = Path(__file__).resolve().parents[2] / "firmware" / "engine"
ALL = np.arange(-128, 128).astype(np.int8).reshape(1, 1, 256)

scales = st.floats(1e-4, 1.0).map(lambda value: float(np.float32(value)))
zeros = st.one_of(st.sampled_from([-128, 127, 0]), st.integers(-128, 127))


def packed(model: bytes) -> Parameters:
    graph = graph_from_bytes(model, "model")
    return pack(graph, 0, choose(graph, 0).function)


def check_table(kind: OpKind, source: tuple[float, int], target: tuple[float, int]) -> None:
    """Our table against the reference kernel on all 256 values."""
    rng = np.random.default_rng(0)
    model = unary(rng, kind, (1, 256), (source[0], target[0]), (source[1], target[1]))
    ours = packed(model)
    assert isinstance(ours, Lookup)
    (expected,) = micro_outputs(model, [ALL])
    np.testing.assert_array_equal(ours.table, expected.ravel())


#: ratios of scales at which many values stand exactly between two steps
ties = st.sampled_from([0.5, 0.75, 0.8, 1.0, 1.25, 2.0])


@pytest.mark.parametrize("kind", [OpKind.QUANTIZE, OpKind.RELU, OpKind.RELU6])
@settings(max_examples=60)
@given(source=st.tuples(scales, zeros), ratio=st.one_of(ties, st.floats(0.01, 10.0)), zero=zeros)
def test_tables_equal_the_reference_kernels(
    kind: OpKind, source: tuple[float, int], ratio: float, zero: int
) -> None:
    check_table(kind, source, (float(np.float32(source[0] * ratio)), zero))


@settings(max_examples=60)
@given(source=st.tuples(st.one_of(scales, st.floats(1.0, 8.0)), zeros))
def test_logistic_equals_the_reference_kernel(source: tuple[float, int]) -> None:
    check_table(OpKind.LOGISTIC, source, (1 / 256, -128))


@settings(max_examples=200)
@given(source=st.tuples(scales, zeros), share=st.floats(0.01, 4.0), zero=zeros)
def test_hard_swish_equals_the_reference_kernel(source: tuple[float, int], share: float, zero: int) -> None:
    # an output at most 128 times as fine as the input, or TFLite refuses
    check_table(OpKind.HARD_SWISH, source, (float(np.float32(source[0] * share)), zero))


def test_what_tflite_refuses_is_refused() -> None:
    rng = np.random.default_rng(0)
    fine = unary(rng, OpKind.HARD_SWISH, (1, 8), (1.0, 0.001), (0, 0))
    with pytest.raises(ModelError, match=r"operator 0 \(HARD_SWISH\) cannot be compiled: .* too fine"):
        packed(fine)
    with pytest.raises(ModelError, match=r"operator 0 \(LOGISTIC\).* zero point -128"):
        packed(unary(rng, OpKind.LOGISTIC, (1, 8), (0.1, 1 / 256), (0, 0)))
    with pytest.raises(ModelError, match=r"operator 0 \(SOFTMAX\).* scale 1/256"):
        packed(unary(rng, OpKind.SOFTMAX, (1, 8), (0.1, 0.01), (0, -128)))
    with pytest.raises(ValueError, match="no function of one value"):
        graph = graph_from_bytes(fine, "fine")
        lookup_table(OpKind.ADD, graph.tensors[0], graph.tensors[1])


@given(taps=st.integers(1, 26), channels=st.integers(1, 11), seed=st.integers(0, 99))
def test_depthwise_weights_lie_where_the_header_says(taps: int, channels: int, seed: int) -> None:
    weights = np.random.default_rng(seed).integers(-128, 128, (taps, channels)).astype(np.int8)
    blocks = pack_depthwise(weights).reshape(-(-channels // 4), -(-taps // 2), 8)
    for four, pair, place in np.ndindex(blocks.shape):
        # a0 a1 b0 b1, a2 a3 b2 b3
        tap, channel = 2 * pair + (place % 4) // 2, 4 * four + 2 * (place // 4) + place % 2
        inside = tap < taps and channel < channels
        assert blocks[four, pair, place] == (weights[tap, channel] if inside else 0)


@given(runs=st.integers(1, 4), run=st.integers(1, 13), outputs=st.integers(2, 7), seed=st.integers(0, 99))
def test_block_weights_lie_where_the_header_says(runs: int, run: int, outputs: int, seed: int) -> None:
    filters = np.random.default_rng(seed).integers(-127, 128, (outputs, runs, run)).astype(np.int8)
    ordered = gathered_order(filters.reshape(outputs, -1), runs)
    depth, words = ordered.shape[1], run // 4 * 4
    assert depth == block_depth(runs, run) and depth % 4 == 0
    # whole words of all rows, bytes 0 2 1 3 of each, then what is left over of each row
    places = [(row, at + lane) for row in range(runs) for at in range(0, words, 4) for lane in (0, 2, 1, 3)]
    places += [(row, at) for row in range(runs) for at in range(words, run)]
    for value in range(depth):
        expected = filters[:, *places[value]] if value < len(places) else 0
        np.testing.assert_array_equal(ordered[:, value], expected)
    packed = packed_weights(ordered).reshape(-1, depth)
    for pair, halfwords in enumerate(packed):
        # the last of an odd number goes with the one before it
        first = min(2 * pair, outputs - 2)
        np.testing.assert_array_equal(halfwords.astype(np.int8), ordered[first])
        np.testing.assert_array_equal((halfwords - ordered[first]) // 256, ordered[first + 1])
    paired = paired_weights(ordered).reshape(-1, depth // 2, 2, 2)
    for pair, words in enumerate(paired):
        first = min(2 * pair, outputs - 2)
        for channel in (0, 1):
            np.testing.assert_array_equal(
                words[:, channel].ravel(), 2 * ordered[first + channel].astype(np.int16)
            )


@given(outputs=st.integers(2, 7), seed=st.integers(0, 99))
def test_constants_of_pairs_stand_round_their_weights(outputs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ordered = rng.integers(-127, 128, (outputs, 8)).astype(np.int8)
    constants = rng.integers(-(2**31), 2**31, (outputs, 4)).astype(np.int32)
    pairs = -(-outputs // 2)
    packed, paired = packed_pairs(ordered, constants), paired_pairs(ordered, constants)
    before, after = packed.reshape(pairs, -1)[:, 8:], paired.reshape(pairs, -1)
    np.testing.assert_array_equal(packed.reshape(pairs, -1)[:, :8].ravel(), packed_weights(ordered))
    np.testing.assert_array_equal(after[:, 4:20].ravel(), paired_weights(ordered))
    around = np.concatenate([after[:, :4], after[:, 20:]], axis=1)
    np.testing.assert_array_equal(around, before)
    for pair, halfwords in enumerate(around):
        both = constants[min(2 * pair, outputs - 2) :][:2]
        words = np.ascontiguousarray(halfwords).view(np.int32)
        assert words.tolist() == [*both[:, 0], *both[0, 1:], *both[1, 1:]]


def conv_graph(seed: int = 0, activation: Activation = Activation.NONE) -> Graph:
    rng = np.random.default_rng(seed)
    model = convolution(rng, (6, 5, 4), 8, (3, 3), (2, 2), Padding.SAME, activation=activation)
    return graph_from_bytes(model, "conv")


@given(seed=st.integers(0, 50))
def test_the_zero_point_is_folded_into_the_bias(seed: int) -> None:
    graph = conv_graph(seed)
    made = pack(graph, 0, "tn_convolve")
    assert isinstance(made, Convolution)
    source, weights, bias = (graph.tensors[i] for i in graph.operators[0].inputs)
    assert source.quantization is not None and weights.data is not None and bias.data is not None
    image = np.random.default_rng(seed).integers(-128, 128, weights.shape[1:]).astype(np.int64)
    plain = (weights.data.astype(np.int64) * image).sum(axis=(1, 2, 3)) + made.bias
    exact = (weights.data.astype(np.int64) * (image - source.quantization.zero_points[0])).sum(axis=(1, 2, 3))
    np.testing.assert_array_equal(plain, exact + bias.data)


def test_margins_and_padding_pixel() -> None:
    made = pack(conv_graph(), 0, "tn_convolve")
    assert isinstance(made, Convolution) and made.padding is not None
    # 6 rows and 5 columns by strides of 2 and a 3 x 3 kernel: SAME pads 0 above, 1 on the left
    assert (made.pad_top, made.pad_left, made.padding.channels) == (0, 1, 4)
    assert made.depth == 36


def test_narrow_is_promised_only_where_it_holds() -> None:
    graph = conv_graph()
    tensor = graph.operators[0].inputs[2]
    assert pack(graph, 0, "tn_convolve").narrow == 1  # type: ignore[attr-defined]
    for large in (2**30, -(2**30)):
        changed = replace(graph.tensors[tensor], data=np.full(8, large, np.int32))
        tensors = (*graph.tensors[:tensor], changed, *graph.tensors[tensor + 1 :])
        assert pack(replace(graph, tensors=tensors), 0, "tn_convolve").narrow == 0  # type: ignore[attr-defined]


def test_missing_weights_and_scales_are_named() -> None:
    graph = conv_graph()
    for index, words in ((1, "has no data|has no scales|have no scales"), (0, "has no single scale")):
        tensor = graph.operators[0].inputs[index]
        bare = replace(graph.tensors[tensor], data=None, quantization=None)
        tensors = (*graph.tensors[:tensor], bare, *graph.tensors[tensor + 1 :])
        with pytest.raises(ModelError, match=rf"conv: operator 0 \(CONV_2D\) cannot .*({words})"):
            pack(replace(graph, tensors=tensors), 0, "tn_convolve")


def test_multipliers_of_a_dense_layer_are_right_to_the_last_bit() -> None:
    """Biases that stand so close to a rounding's edge that the last bits of the multiplier decide.

    TensorFlow's own interpreter multiplies the scales in single precision and would differ here.
    """
    decided = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        scales = [random_scale(rng) for _ in range(3)]
        double = scales[0] * scales[1] / scales[2]
        single = float(np.float32(scales[0]) * np.float32(scales[1])) / scales[2]
        exact, rough = quantize_multiplier(double), quantize_multiplier(single)
        edges = np.round((np.arange(-100, 100) + 0.5) / double).astype(np.int64)
        biases = np.unique((edges[:, None] + np.arange(-2, 3)).ravel())
        telling = biases[requantize(biases, *exact) != requantize(biases, *rough)]
        if not len(telling):
            continue
        decided += 1
        model = dense_of_bias(int(telling[0]), scales)
        made = packed(model)
        assert isinstance(made, Convolution)
        (stored,) = micro_outputs(model, [np.zeros((1, 1, 1), np.int8)])
        assert requantize(made.bias, made.multipliers, made.shifts) == stored.ravel()
    assert decided > 3


def dense_of_bias(bias: int, scales: Sequence[float]) -> bytes:
    """A dense layer 1 -> 1 of the given scales (input, weights, output), without zero points."""
    maker = TfliteMaker()
    source, target = maker.tensor((1, 1), scales[0]), maker.tensor((1, 1), scales[2])
    weights = maker.tensor((1, 1), scales[1], 0, np.ones((1, 1)))
    added = maker.tensor((1,), scales[0] * scales[1], 0, np.array([bias]), dtype="int32")
    maker.operator(OpKind.FULLY_CONNECTED, [source, weights, added], [target], options("FullyConnected"))
    return maker.finish([source], [target])


# --- the mirror of the header ---------------------------------------------------------------------------


def c_structs() -> dict[str, list[tuple[str, str, bool]]]:
    """Members (name, type, pointer) of every struct of the two headers."""
    text = "".join((HEADERS / name).read_text() for name in ("tinynas_engine.h", "tinynas_kernels.h"))
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    structs = {}
    for body, name in re.findall(r"typedef struct \{(.*?)\} (\w+);", text, flags=re.DOTALL):
        found = []
        for line in filter(None, (part.strip() for part in body.split(";"))):
            words, *others = line.split(",")
            ctype, first = words.removeprefix("const ").rsplit(maxsplit=1)
            for each in (first, *others):
                found.append((each.strip(" *"), ctype.strip(" *"), "*" in each or "*" in ctype))
        structs[name] = found
    return structs


MIRRORS = [each for each in vars(parameters).values() if isinstance(each, type) and hasattr(each, "c_name")]


@pytest.mark.parametrize("mirror", MIRRORS, ids=lambda mirror: mirror.__name__)
def test_every_struct_mirrors_the_header(mirror: type[Parameters]) -> None:
    made = mirror.__new__(mirror)
    for name in mirror.__dataclass_fields__:
        object.__setattr__(made, name, 0)
    ours = [(each.name, each.ctype, each.pointer) for each in members(made)]
    assert ours == c_structs()[mirror.c_name]


def test_a_number_that_does_not_fit_its_member_is_refused() -> None:
    assert struct_bytes(Pool(3, 3, 1, 1, 0, 0, -128, 127)) == 14
    with pytest.raises(ValueError, match="kernel_rows is 65536"):
        Pool(65536, 3, 1, 1, 0, 0, -128, 127)
