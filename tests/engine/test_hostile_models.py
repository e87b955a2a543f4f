"""Damaged and hostile .tflite files: each ends in one clear error, or in a plan that is proven.

benchmarks/fuzz_compiler.py looks for such files by the thousand; what it found once stands here as a case.
"""

from __future__ import annotations

import copy
import random
import re
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import make_tflite as make
import numpy as np
import pytest
import tflite
from small_models import small_models
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tinynas.engine.checker import check_plan
from tinynas.engine.emit import render
from tinynas.engine.planner import plan_network
from tinynas.engine.rows import row_program
from tinynas.errors import ModelError
from tinynas.graph import OpKind
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import graph_from_bytes

MODELS = small_models()
NAME = "hostile.tflite"
WORDS = (-(2**31), -129, -1, 0, 1, 2, 3, 127, 128, 255, 256, 65535, 65536, 2**24, 2**30, 2**31 - 1)


def compile_bytes(data: bytes) -> None:
    """As `tinynas compile` does, with the plan proven."""
    plan = plan_network(simplify(graph_from_bytes(data, NAME)))
    check_plan(plan)
    render(plan, "model")


def refusal(data: bytes) -> str:
    """The error that `data` ends in, one printable sentence that names the file; empty where accepted."""
    try:
        compile_bytes(data)
    except ModelError as error:
        message = str(error)
        assert NAME in message and message.isprintable() and 20 < len(message) < 600
        return message
    return ""


@pytest.mark.parametrize("name", MODELS)
def test_the_models_themselves_are_accepted(name: str) -> None:
    assert refusal(MODELS[name]) == ""


@pytest.mark.parametrize("name", MODELS)
def test_a_truncated_file_is_refused(name: str) -> None:
    data = MODELS[name]
    # a few bytes at the end belong to nothing but padding
    for length in (*range(0, 64, 7), *range(64, len(data) - 8, max(1, len(data) // 24))):
        assert refusal(data[:length]), length


@pytest.mark.parametrize("name", MODELS)
def test_flipped_bits_end_well(name: str) -> None:
    rng = random.Random(name)
    for _ in range(12):
        damaged = bytearray(MODELS[name])
        for _ in range(rng.choice((1, 1, 3))):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        refusal(bytes(damaged))


@pytest.mark.parametrize("name", MODELS)
def test_overwritten_words_end_well(name: str) -> None:
    rng = random.Random(name)
    for _ in range(20):
        damaged = bytearray(MODELS[name])
        place = rng.randrange(len(damaged) // 4) * 4
        damaged[place : place + 4] = struct.pack("<i", rng.choice(WORDS))
        refusal(bytes(damaged))


# --- one thing wrong at a time ----------------------------------------------------------------------------


def bent(name: str, change: Callable[[Any], None]) -> bytes:
    """The model `name` with something changed in its tables; `change` gets the schema's ModelT."""
    model = schema.ModelT.InitFromPackedBuf(MODELS[name], 0)
    change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def tensor(model: Any, index: int) -> Any:
    return model.subgraphs[0].tensors[index]


def first(model: Any) -> Any:
    return model.subgraphs[0].operators[0]


def reshaped(index: int, *shape: int) -> Callable[[Any], None]:
    return lambda model: setattr(tensor(model, index), "shape", list(shape))


def quantized(index: int, **changes: Any) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for key, value in changes.items():
            setattr(tensor(model, index).quantization, key, value)

    return change


def option(**changes: Any) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for key, value in changes.items():
            assert hasattr(first(model).builtinOptions, key)
            setattr(first(model).builtinOptions, key, value)

    return change


def argument(*values: int, index: int = 1) -> Callable[[Any], None]:
    """Other values for a constant of int32."""

    def change(model: Any) -> None:
        buffer = model.buffers[tensor(model, first(model).inputs[index]).buffer]
        buffer.data = np.frombuffer(np.array(values, np.int32).tobytes(), np.uint8)

    return change


def together(*changes: Callable[[Any], None]) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for each in changes:
            each(model)

    return change


def stateful(model: Any) -> None:
    tensor(model, 0).isVariable = True


def named(name: bytes) -> Callable[[Any], None]:
    return lambda model: setattr(tensor(model, 0), "name", name)


def no_options(model: Any) -> None:
    first(model).builtinOptions, first(model).builtinOptionsType = None, 0


def other_options(model: Any) -> None:
    first(model).builtinOptions = schema.AddOptionsT()
    first(model).builtinOptionsType = schema.BuiltinOptions.AddOptions


def ends(**changes: Sequence[int]) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for key, value in changes.items():
            setattr(model.subgraphs[0], key, list(value))

    return change


def rewired(*inputs: int) -> Callable[[Any], None]:
    return lambda model: setattr(first(model), "inputs", list(inputs))


def of_type(index: int, kind: str) -> Callable[[Any], None]:
    return lambda model: setattr(tensor(model, index), "type", getattr(schema.TensorType, kind))


def kind_of(kind: str) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        code = getattr(schema.BuiltinOperator, kind)
        model.operatorCodes[0].builtinCode = model.operatorCodes[0].deprecatedBuiltinCode = code
        no_options(model)

    return change


def two_codes(model: Any) -> None:
    model.operatorCodes[0].deprecatedBuiltinCode = schema.BuiltinOperator.RELU6


def constant_source(model: Any) -> None:
    """What the first operator reads is a constant; the network's input is another tensor."""
    place = int(first(model).inputs[0])
    source, subgraph = tensor(model, place), model.subgraphs[0]
    other = copy.deepcopy(source)
    model.buffers.append(schema.BufferT())
    model.buffers[-1].data = np.zeros(int(np.prod(source.shape)), np.uint8)
    source.buffer = len(model.buffers) - 1
    subgraph.tensors.append(other)
    subgraph.inputs = [*(int(i) for i in subgraph.inputs if i != place), len(subgraph.tensors) - 1]


#: model, what is changed, and words of the error
CASES: dict[str, tuple[str, Callable[[Any], None], str]] = {
    "pad more than the output has": ("pad", argument(0, 0, 2, 1, 0, 1, 0, 0), r"PAD\) does not fit"),
    "pad less than nothing": ("pad", argument(0, 0, -1, 3, 0, 1, 0, 0), r"PAD\) does not fit"),
    "pad by another order of margins": ("pad", reshaped(2, 2, 4), r"PAD\) does not fit"),
    "transpose by a matrix": ("transpose", reshaped(2, 2, 2), r"TRANSPOSE\) does not fit"),
    "mean by a matrix": ("mean", reshaped(2, 1, 2), r"MEAN\) does not fit"),
    "concat sizes": ("concat", reshaped(1, 1, 6, 5, 2), r"CONCATENATION\) does not fit"),
    "concat axis": ("concat", option(axis=7), r"CONCATENATION\) does not fit"),
    "concat without options": ("concat", no_options, "lacks its options"),
    "concat with an activation": ("concat", option(fusedActivationFunction=1), "has an activation"),
    "concat of scales": ("concat", quantized(2, scale=[40.0]), "another scale"),
    "mean axis": ("mean", argument(1, 9), r"MEAN\) does not fit"),
    "mean output": ("mean", reshaped(1, 1, 5), r"MEAN\) does not fit"),
    "mean over columns in three axes": (
        "mean_columns",
        reshaped(1, 1, 6, 4),
        r"operator 0 \(MEAN\) is not one",
    ),
    "reshape elements": ("reshape", reshaped(1, 1, 121), r"RESHAPE\) does not fit"),
    "reshape to another scale": ("reshape", quantized(1, scale=[6.0]), "another scale or zero point"),
    "broadcast": ("mul_gate", reshaped(1, 1, 1, 1, 3), r"MUL\) does not fit"),
    "transpose order": ("transpose", argument(0, 3, 3, 2), r"TRANSPOSE\) does not fit"),
    "transpose output": ("transpose", argument(0, 1, 2, 3), r"TRANSPOSE\) does not fit"),
    "resize to another size": ("resize", argument(8, 10), r"RESIZE_NEAREST_NEIGHBOR\) does not fit"),
    "resize without a size": ("resize", rewired(0), "wrong number of inputs"),
    "resize by a feature map": ("resize", rewired(0, 0), r"RESIZE_NEAREST_NEIGHBOR\) does not fit"),
    "pool window": ("max_pool", option(filterHeight=9), r"MAX_POOL_2D\) does not fit"),
    "pool stride 0": ("max_pool", option(strideW=0), "a window of"),
    "pool padding": ("max_pool", option(padding=5), "damaged"),
    "pool scales": ("average_pool", quantized(1, scale=[0.5]), "another scale"),
    "pool without options": ("max_pool", no_options, "lacks its options"),
    "conv with another kind's options": ("conv", other_options, "lacks its options"),
    "conv stride": ("conv", option(strideH=1), r"CONV_2D\) does not fit"),
    "conv weights as an input": ("conv", rewired(0, 0, 2), "does not fit|does not have|weights"),
    "conv axis of scales": ("conv", quantized(1, quantizedDimension=3), "scales along axis 3"),
    "conv activation": ("conv", option(fusedActivationFunction=4), "fused activation tinynas does not know"),
    "depthwise multiplier": ("depthwise_multiplied", option(depthMultiplier=4), "does not fit its shapes"),
    "bias of wrong length": ("conv", reshaped(2, 7), "damaged|7 biases"),
    "bias of another scale": ("dense", quantized(2, scale=[0.5]), "biases of other scales"),
    "bias with a zero point": ("dense", quantized(2, zeroPoint=[3]), "zero points other than 0"),
    "dense in an order of its own": ("dense", option(weightsFormat=1), "an order of their own"),
    "softmax without options": ("softmax", no_options, "lacks its options"),
    "softmax beta": ("softmax", option(beta=-1.0), "a softmax with beta"),
    "softmax of a gigabyte": (
        "softmax",
        together(reshaped(0, 1, 2**30), reshaped(1, 1, 2**30)),
        "tensor 0 of shape",
    ),
    "relu of more rows than can be numbered": (
        "relu",
        together(reshaped(0, 1, 70000, 1, 1), reshaped(1, 1, 70000, 1, 1)),
        "more than a microcontroller holds",
    ),
    "relu of many megabytes": (
        "relu",
        together(reshaped(0, 1, 4096, 4096, 8), reshaped(1, 1, 4096, 4096, 8)),
        "more than a microcontroller holds",
    ),
    "a size below nothing": ("relu", reshaped(0, 1, -6, 5, 4), "tensor 0 of shape"),
    "thirty axes": ("relu", reshaped(0, *([1] * 30)), "has 30 axes"),
    "another batch": (
        "relu",
        together(reshaped(0, 2, 6, 5, 4), reshaped(1, 2, 6, 5, 4)),
        "batches of one",
    ),
    "float beside int8": ("relu", of_type(1, "FLOAT32"), "mixes element types"),
    "an unknown type": ("relu", of_type(1, "COMPLEX64"), "element type tinynas cannot run"),
    "dequantize to int8": ("relu", kind_of("DEQUANTIZE"), "wrong element types"),
    "an unknown operator": ("relu", kind_of("LSTM"), "operator 0 is LSTM"),
    "an operator with two codes": ("relu", two_codes, "has two codes"),
    "an input of bits": ("mul_gate", together(rewired(0, 0), of_type(1, "BOOL")), "input or output of bool"),
    "scale 0": ("relu", quantized(0, scale=[0.0]), "not a positive number"),
    "scale nan": ("relu", quantized(0, scale=[float("nan")]), "not a positive number"),
    "scales a world apart": ("relu", quantized(0, scale=[1e30]), "scales too far apart"),
    "hard swish of next to nothing": ("hard_swish", quantized(0, scale=[1e-8]), "too small for HARD_SWISH"),
    "six in next to nothing": (
        "conv",
        together(
            quantized(3, scale=[1e-20]), quantized(1, scale=[1e-20] * 8), quantized(2, scale=[1e-20] * 8)
        ),
        "6.0 is no int32|biases of other scales",
    ),
    "a product a world apart": ("mul_gate", quantized(1, scale=[1e30]), "scales too far apart"),
    "zero point": ("relu", quantized(0, zeroPoint=[200]), "is no int8"),
    "no zero point": ("relu", quantized(0, zeroPoint=None), "0 zero points for 1 scales"),
    "two zero points": ("relu", quantized(0, zeroPoint=[1, 2]), "2 zero points for 1 scales"),
    "no quantisation": ("relu", lambda m: setattr(tensor(m, 0), "quantization", None), "a single scale"),
    "two inputs of a relu": ("relu", rewired(0, 0), "wrong number of inputs"),
    "a missing tensor": ("relu", rewired(9), "tensor indices"),
    "a missing buffer": ("relu", lambda model: setattr(tensor(model, 0), "buffer", 40), "buffer 40"),
    "a constant output": ("add_constant", ends(outputs=[1]), "an output that nothing writes"),
    "a constant input": ("add_constant", ends(inputs=[0, 1]), "a constant or there twice"),
    "an input twice": ("relu", ends(inputs=[0, 0]), "a constant or there twice"),
    "no input": ("relu", ends(inputs=[]), "no input"),
    "no output": ("relu", ends(outputs=[]), "an output that nothing writes"),
    "its own output as input": ("relu", rewired(1), "reads what nothing has written"),
    "a scalar into a dense layer": ("dense", reshaped(0), "without axes|does not fit"),
    "a state": ("relu", stateful, "is a variable"),
    "a name that writes on the screen": (
        "relu",
        together(named(b"\n\x1b[2J" + b"a" * 5000), stateful),
        r"tensor 0 \(\?\?\[2Ja+\.\.\.a+\) is a variable",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_thing_wrong_is_named(case: str) -> None:
    name, change, words = CASES[case]
    message = refusal(bent(name, change))
    assert re.search(words, message), message or "accepted"


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


def test_real_models_damaged_end_well(shared: Path) -> None:
    data = (shared / "models" / "tflm__hello_world_int8.tflite").read_bytes()
    rng = random.Random(0)
    for _ in range(150):
        damaged = bytearray(data)
        place = rng.randrange(len(damaged) // 4) * 4
        damaged[place : place + 4] = struct.pack("<i", rng.choice(WORDS))
        refusal(bytes(damaged))


def test_the_code_of_an_operator_may_stand_in_either_field() -> None:
    for only in ("builtinCode", "deprecatedBuiltinCode"):
        data = bent("relu", lambda model, only=only: setattr(model.operatorCodes[0], only, 0))  # type: ignore[misc]
        assert graph_from_bytes(data, NAME).operators[0].kind is OpKind.RELU


@pytest.mark.parametrize("name", sorted(MODELS.keys() - {"add", "mul_gate", "float_borders"}))
def test_an_operator_on_a_constant_is_refused(name: str) -> None:
    assert re.search("constants alone|one of its inputs is a constant", refusal(bent(name, constant_source)))


def test_vectors_that_are_joined_are_all_read() -> None:
    """Axis 1 is that of the rows only where there are four axes."""
    graph = graph_from_bytes(MODELS["concat_vectors"], NAME)
    readings = row_program(graph, graph.operators[0]).readings
    assert [(each.lows.tolist(), each.highs.tolist()) for each in readings] == [([0], [0])] * 2
