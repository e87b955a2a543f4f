"""Hostile .tflite files out of good ones: a flatbuffer is taken apart, one thing bent, and closed again.

Most mutations leave a file that parses, so that they reach what lies behind the parser: shapes, axes, scales,
indices, options. The others damage bytes: flips, cuts, overwritten and swapped 32-bit words, spliced pieces.
"""

from __future__ import annotations

import copy
import math
import random
import struct
from collections.abc import Callable, Sequence
from typing import Any

import flatbuffers
import numpy as np
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from fuzzing.growths import as_list, grow
from tinynas.graph import OpKind

Rng = random.Random
Damage = Callable[[bytes, int], bytes]

_CODES = [getattr(schema.BuiltinOperator, kind.value) for kind in OpKind]
_INTEGERS = (
    *(-(2**31), -(2**30), -129, -128, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 63, 64, 127, 128),
    *(255, 256, 511, 512, 1024, 4096, 32767, 32768, 65535, 65536, 2**20, 2**24, 2**30, 2**31 - 1),
)
_FLOATS = (
    *(0.0, -0.0, -1.0, math.nan, math.inf, 1e-45, 1e-38, 1e-30, 1e-12, 1e-8, 1e-5, 1 / 256, 1 / 128, 0.5),
    *(1.0, 2.0, 6.0, 100.0, 1e6, 1e12, 1e30, 3.4e38),
)
#: larger buffers hold weights, whose values matter little
_ARGUMENTS = 64
_LARGEST_CONSTANT = 2000


def mutate(data: bytes, most: int, seed: int, good: Sequence[bytes], damage: Damage | None = None) -> bytes:
    """A neighbour of `data`, or of one of the `good` files, of at most `most` bytes.

    `damage` is another mutator of bytes to choose from.
    """
    rng = Rng(seed)
    if good and rng.random() < 0.4:
        data = rng.choice(good)
    if rng.random() < 0.85:
        bent = _bent(data, rng)
        if bent is None and good:
            bent = _bent(rng.choice(good), rng)
        if bent is not None and len(bent) <= most:
            if rng.random() < 0.9:
                return bent
            data = bent
    if damage is not None and rng.random() < 0.3:
        return damage(data, most)
    made = bytearray(data or b"\0")
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        rng.choice(_DAMAGES)(made, rng)
        made = made or bytearray(b"\0")
    return bytes(made[:most])


def _bent(data: bytes, rng: Rng) -> bytes | None:
    """`data` with something in its tables changed; None where it cannot be taken apart or put together."""
    try:
        model = schema.ModelT.InitFromPackedBuf(data, 0)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            rng.choices(_BENDS, _WEIGHTS)[0](model, rng)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())
    # the flatbuffers library raises anything on damaged bytes; they are then treated as bytes
    except Exception:
        return None


# --- numbers --------------------------------------------------------------------------------------------


def _integer(old: int, rng: Rng) -> int:
    near = (old + 1, old - 1, old * 2, old // 2, -old, old + rng.randint(-9, 9))
    return max(-(2**31), min(2**31 - 1, rng.choice((*near, rng.choice(_INTEGERS)))))


def _real(old: float, rng: Rng) -> float:
    return float(np.float32(rng.choice((old * 2, old / 2, old * rng.uniform(0.5, 2), rng.choice(_FLOATS)))))


def _bend_list(values: Any, rng: Rng, number: Callable[[Any, Rng], Any], other: Any = None) -> list[Any]:
    """`values` with one changed, gone, doubled or two swapped; or `other` instead."""
    made = as_list(values)
    what = rng.choice(("change",) * 6 + ("insert", "remove", "swap", "other"))
    if what == "other":
        return as_list(other)
    if what == "insert" or not made:
        made.insert(rng.randint(0, len(made)), number(1, rng))
    elif what == "change":
        place = rng.randrange(len(made))
        made[place] = number(made[place], rng)
    elif what == "remove":
        del made[rng.randrange(len(made))]
    else:
        one, two = rng.randrange(len(made)), rng.randrange(len(made))
        made[one], made[two] = made[two], made[one]
    return made


# --- tables ---------------------------------------------------------------------------------------------


def _any_tensor(model: Any, rng: Rng) -> Any:
    return rng.choice(model.subgraphs[0].tensors)


def _any_operator(model: Any, rng: Rng) -> Any:
    return rng.choice(model.subgraphs[0].operators)


def _bend_shape(model: Any, rng: Rng) -> None:
    tensor = _any_tensor(model, rng)
    tensor.shape = _bend_list(tensor.shape, rng, _integer, _any_tensor(model, rng).shape)


def _bend_shapes_alike(model: Any, rng: Rng) -> None:
    """One size changes wherever it stands, so that operators still fit."""
    tensors = model.subgraphs[0].tensors
    old = rng.choice(as_list(rng.choice(tensors).shape) or [1])
    new = _integer(old, rng)
    for tensor in tensors:
        tensor.shape = [new if size == old else size for size in as_list(tensor.shape)]


def _bend_type(model: Any, rng: Rng) -> None:
    _any_tensor(model, rng).type = rng.randint(0, 20)


def _bend_buffer_index(model: Any, rng: Rng) -> None:
    tensor = _any_tensor(model, rng)
    tensor.buffer = rng.choice((0, rng.randrange(len(model.buffers)), abs(_integer(tensor.buffer, rng))))


def _bend_quantization(model: Any, rng: Rng) -> None:
    tensor, other = _any_tensor(model, rng), _any_tensor(model, rng)
    known = tensor.quantization
    what = rng.choice(("gone", "other", "scale", "scale", "scale", "zero", "zero", "axis"))
    if what == "gone":
        tensor.quantization = None
    elif what == "other":
        tensor.quantization = copy.deepcopy(other.quantization)
    elif known is not None and what == "scale":
        known.scale = _bend_list(known.scale, rng, _real)
    elif known is not None and what == "zero":
        known.zeroPoint = _bend_list(known.zeroPoint, rng, _integer)
    elif known is not None:
        known.quantizedDimension = _integer(known.quantizedDimension, rng)


def _bend_scales_together(model: Any, rng: Rng) -> None:
    """Every scale times one factor: what one layer leaves in range another may not."""
    factor = rng.choice((1e-20, 1e-6, 1e-3, 0.1, 10.0, 1e3, 1e6, 1e20))
    for tensor in model.subgraphs[0].tensors:
        if tensor.quantization is not None and rng.random() < 0.5:
            tensor.quantization.scale = [s * factor for s in as_list(tensor.quantization.scale)]


def _bend_variable(model: Any, rng: Rng) -> None:
    tensor = _any_tensor(model, rng)
    tensor.isVariable = not tensor.isVariable


def _bend_name(model: Any, rng: Rng) -> None:
    names = (b"", b"\n", b"\x1b[2J", b"*/ int x; /*", b"\xff\xfe", b"%s%n", b"a" * 5000, "naïve €".encode())
    _any_tensor(model, rng).name = rng.choice(names)


def _bend_wiring(model: Any, rng: Rng) -> None:
    operator, count = _any_operator(model, rng), len(model.subgraphs[0].tensors)

    def index(old: int, rng: Rng) -> int:
        return rng.choice((-1, rng.randrange(count), rng.randrange(count), rng.randrange(count), count))

    if rng.random() < 0.7:
        operator.inputs = _bend_list(operator.inputs, rng, index)
    else:
        operator.outputs = _bend_list(operator.outputs, rng, index)


def _bend_ends(model: Any, rng: Rng) -> None:
    subgraph = model.subgraphs[0]

    def index(old: int, rng: Rng) -> int:
        return rng.choice((rng.randrange(len(subgraph.tensors)), _integer(old, rng)))

    if rng.random() < 0.5:
        subgraph.inputs = _bend_list(subgraph.inputs, rng, index)
    else:
        subgraph.outputs = _bend_list(subgraph.outputs, rng, index)


def _bend_options(model: Any, rng: Rng) -> None:
    operator = _any_operator(model, rng)
    table = operator.builtinOptions
    if table is None or rng.random() < 0.05:
        operator.builtinOptions = None
        operator.builtinOptionsType = 0
        return
    if not vars(table):
        return
    name = rng.choice(list(vars(table)))
    old = getattr(table, name)
    if isinstance(old, bool):
        setattr(table, name, not old)
    elif isinstance(old, float):
        setattr(table, name, _real(old, rng))
    elif isinstance(old, int):
        # most of the schema's enumerations are bytes
        setattr(table, name, rng.choice((rng.randint(0, 5), rng.randint(0, 5), _integer(old, rng))))
    else:
        setattr(table, name, _bend_list(old, rng, _integer))


def _bend_code(model: Any, rng: Rng) -> None:
    made = rng.choice(model.operatorCodes)
    code = rng.choice((*_CODES, rng.randint(0, 210)))
    made.builtinCode, made.deprecatedBuiltinCode = code, min(code, 127)


def _bend_operators(model: Any, rng: Rng) -> None:
    operators = model.subgraphs[0].operators
    place = rng.randrange(len(operators))
    what = rng.choice(("remove", "double", "swap", "code"))
    if what == "remove" and len(operators) > 1:
        del operators[place]
    elif what == "double":
        operators.insert(place, copy.deepcopy(operators[place]))
    elif what == "swap":
        other = rng.randrange(len(operators))
        operators[place], operators[other] = operators[other], operators[place]
    else:
        operators[place].opcodeIndex = rng.randint(0, len(model.operatorCodes))


def _bend_arguments(model: Any, rng: Rng) -> None:
    """The constants that say what an operator does: axes, margins, sizes, orders."""
    small = [b for b in model.buffers if 0 < len(as_list(b.data)) <= _ARGUMENTS]
    if not small:
        return
    buffer = rng.choice(small)
    data = bytes(as_list(buffer.data))
    if len(data) % 4 == 0 and rng.random() < 0.85:
        numbers = list(struct.unpack(f"<{len(data) // 4}i", data))
        place = rng.randrange(len(numbers))
        numbers[place] = _integer(numbers[place], rng)
        data = struct.pack(f"<{len(numbers)}i", *numbers)
    else:
        data = data[: rng.randint(0, len(data))] if rng.random() < 0.5 else data + b"\0" * rng.randint(1, 4)
    buffer.data = np.frombuffer(data, np.uint8)


def _bend_to_constant(model: Any, rng: Rng) -> None:
    """A feature map becomes a constant."""
    subgraph = model.subgraphs[0]
    place = rng.randrange(len(subgraph.tensors))
    tensor = subgraph.tensors[place]
    size = math.prod(as_list(tensor.shape))
    if not 0 < size <= _LARGEST_CONSTANT:
        return
    model.buffers.append(schema.BufferT())
    model.buffers[-1].data = np.frombuffer(rng.randbytes(size), np.uint8)
    tensor.buffer = len(model.buffers) - 1
    inputs = as_list(subgraph.inputs)
    if place in inputs and len(inputs) > 1:
        subgraph.inputs = [i for i in inputs if i != place]
    elif place in inputs:
        # a network has an input, even if nobody reads it
        subgraph.tensors.append(copy.deepcopy(tensor))
        subgraph.tensors[-1].buffer = 0
        subgraph.inputs = [len(subgraph.tensors) - 1]


def _bend_weights(model: Any, rng: Rng) -> None:
    """Weights of one value: dead channels, and the largest sums."""
    large = [b for b in model.buffers if len(as_list(b.data)) > 0]
    if not large:
        return
    buffer = rng.choice(large)
    data = np.array(as_list(buffer.data), np.uint8)
    first = rng.randrange(len(data))
    data[first : first + rng.choice((4, 16, len(data)))] = rng.choice((0, 0, 0x7F, 0x80, 0xFF))
    buffer.data = data


_BENDS, _WEIGHTS = zip(
    *(
        (_bend_shape, 4),
        (_bend_shapes_alike, 3),
        (_bend_type, 1),
        (_bend_buffer_index, 1),
        (_bend_quantization, 4),
        (_bend_scales_together, 1),
        (_bend_variable, 0.3),
        (_bend_name, 0.3),
        (_bend_wiring, 2),
        (_bend_ends, 1),
        (_bend_options, 4),
        (_bend_code, 1),
        (_bend_operators, 1),
        (_bend_arguments, 3),
        (_bend_weights, 1),
        (_bend_to_constant, 1),
        (grow, 5),
    ),
    strict=True,
)


# --- bytes ----------------------------------------------------------------------------------------------


def _flip(data: bytearray, rng: Rng) -> None:
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _cut(data: bytearray, rng: Rng) -> None:
    del data[rng.randrange(len(data)) :]


def _word_at(data: bytearray, rng: Rng) -> int:
    return rng.randrange(max(1, len(data) // 4)) * 4


def _overwrite_word(data: bytearray, rng: Rng) -> None:
    place = _word_at(data, rng)
    old = int.from_bytes(data[place : place + 4], "little", signed=True)
    data[place : place + 4] = struct.pack("<i", _integer(old, rng))


def _overwrite_float(data: bytearray, rng: Rng) -> None:
    place = _word_at(data, rng)
    data[place : place + 4] = struct.pack("<f", rng.choice(_FLOATS))


def _swap_words(data: bytearray, rng: Rng) -> None:
    one, two = _word_at(data, rng), _word_at(data, rng)
    data[one : one + 4], data[two : two + 4] = data[two : two + 4], data[one : one + 4]


def _splice(data: bytearray, rng: Rng) -> None:
    start, size, target = _word_at(data, rng), rng.choice((4, 8, 16, 64)), _word_at(data, rng)
    data[target : target + size] = data[start : start + size]


_DAMAGES = (_flip, _flip, _cut, _overwrite_word, _overwrite_word, _overwrite_float, _swap_words, _splice)
