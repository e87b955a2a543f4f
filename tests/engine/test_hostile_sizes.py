"""Models of hostile sizes: refused before they take memory or time."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence

import make_tflite as make
import numpy as np
import tflite
from hostile import refusal

from tinynas.graph import OpKind


def chain(kinds: Sequence[OpKind], image: tuple[int, ...] = (1, 3, 3, 2)) -> bytes:
    """A network of one operator after the other."""
    maker = make.TfliteMaker()
    source = value = maker.tensor(image, 0.05, 3)
    for kind in kinds:
        made = maker.tensor(image, 0.05, 3)
        table = make.options("Add") if kind is OpKind.ADD else None
        maker.operator(kind, [value, value] if kind is OpKind.ADD else [value], [made], table)
        value = made
    return maker.finish([source], [value])


def test_many_operators_are_refused_before_they_are_planned() -> None:
    assert "1001 operators" in refusal(chain([OpKind.ADD] * 1001))
    assert "257 operators" in refusal(chain([OpKind.ADD] * 257))
    assert refusal(chain([OpKind.ADD] * 40)) == ""


def test_what_folds_into_one_operator_may_be_long() -> None:
    # as a recursion this would be deeper than Python goes
    assert refusal(chain([OpKind.ADD] + [OpKind.RELU] * 999)) == ""
    assert refusal(chain([OpKind.ADD] + [OpKind.RESHAPE] * 999)) == ""


def test_more_rows_than_can_be_planned_are_refused() -> None:
    assert "more than the engine plans" in refusal(chain([OpKind.ADD] * 3, (1, 60000, 1, 1)))


def test_memory_is_counted_before_it_is_taken() -> None:
    maker = make.TfliteMaker()
    shape = (1, 2, 2**12, 2**12)
    first, second, third, sum_of_two, sum_of_all = (maker.tensor(shape, 0.05, 3) for _ in range(5))
    maker.operator(OpKind.ADD, [first, second], [sum_of_two], make.options("Add"))
    maker.operator(OpKind.ADD, [sum_of_two, third], [sum_of_all], make.options("Add"))
    assert "bytes at a time" in refusal(maker.finish([first, second, third], [sum_of_all]))


def test_tensors_that_share_one_buffer_take_its_memory_once() -> None:
    maker = make.TfliteMaker()
    source, made = maker.tensor((1, 4), 0.05, 3), maker.tensor((1, 4), 0.05, 3)
    maker.operator(OpKind.ADD, [source, source], [made], make.options("Add"))
    shared = maker.tensor((1, 2**19), 0.05, 3, np.zeros((1, 2**19), np.int8))
    tensors = maker._graph.tensors
    tensors.extend([tensors[shared]] * 8000)
    assert refusal(maker.finish([source], [made])) == ""


def test_operators_that_share_weights_without_end_are_refused() -> None:
    maker = make.TfliteMaker()
    source = value = maker.tensor((1, 400), 0.05, 3)
    weights = maker.tensor((400, 400), 0.01, 0, np.ones((400, 400), np.int8))
    for _ in range(60):
        made = maker.tensor((1, 400), 0.05, 3)
        maker.operator(OpKind.FULLY_CONNECTED, [value, weights], [made], make.options("FullyConnected"))
        value = made
    assert "share weights" in refusal(maker.finish([source], [value]))


def test_scales_that_many_tensors_share_are_refused() -> None:
    maker = make.TfliteMaker()
    source, made = maker.tensor((1, 4), 0.05, 3), maker.tensor((1, 4), 0.05, 3)
    maker.operator(OpKind.ADD, [source, source], [made], make.options("Add"))
    large = maker.tensor((5000,), [0.5] * 5000, 0)
    others = [maker.tensor((1,)) for _ in range(200)]
    data = bytearray(maker.finish([source], [made]))
    assert refusal(bytes(data)) == ""
    # every other entry of the list of tensors points at the large one's table
    table = tflite.Model.GetRootAsModel(data, 0).Subgraphs(0)._tab
    entries = table.Vector(table.Offset(4))
    (offset,) = struct.unpack_from("<I", data, entries + 4 * large)
    for other in others:
        struct.pack_into("<I", data, entries + 4 * other, offset - 4 * (other - large) & 0xFFFFFFFF)
    assert re.search("scales in [0-9]+ bytes", refusal(bytes(data)))


def test_inputs_without_end_are_refused() -> None:
    maker = make.TfliteMaker()
    source, made = maker.tensor((1, 1, 1, 1), 0.05, 3), maker.tensor((1, 1, 1, 5000), 0.05, 3)
    maker.operator(OpKind.CONCATENATION, [source] * 5000, [made], make.options("Concatenation", axis=3))
    assert "has 5000 inputs" in refusal(maker.finish([source], [made]))


def test_a_softmax_of_thousands_is_refused() -> None:
    rng = np.random.default_rng(0)
    for channels, words in ((4095, ""), (4096, "at most 4095 channels")):
        model = make.unary(rng, OpKind.SOFTMAX, (1, channels), (0.05, 1 / 256), (3, -128))
        message = refusal(model)
        assert words in message if words else message == ""


def test_a_row_too_wide_to_resize_is_refused() -> None:
    table = make.options("ResizeNearestNeighbor")
    shapes = (1, 1, 70000, 1), (1, 1, 3, 1)
    model = make.moved(
        np.random.default_rng(0), OpKind.RESIZE_NEAREST_NEIGHBOR, *shapes, np.array([1, 3], np.int32), table
    )
    assert "columns" in refusal(model)


def test_channels_without_end_are_not_counted_one_by_one() -> None:
    maker = make.TfliteMaker()
    weights = maker.tensor((2, 4), 0.01, 0, np.ones((2, 4), np.int8))
    image, vector = maker.tensor((1, 1, 1, 2**26), 0.05, 3), maker.tensor((1, 4), 0.05, 3)
    relu, sums = maker.tensor((1, 1, 1, 2**26), 0.05, -128), maker.tensor((1, 2), 0.05, 3)
    maker.operator(OpKind.RELU, [image], [relu])
    maker.operator(OpKind.FULLY_CONNECTED, [vector, weights], [sums], make.options("FullyConnected"))
    assert "bytes at a time" in refusal(maker.finish([image, vector], [relu, sums]))
