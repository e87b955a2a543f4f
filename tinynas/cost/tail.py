"""The tail of TFLite Micro's arena: what its interpreter keeps for the life of the model.

Derived from the struct layouts of tflite-micro@90b983c: every allocation is written down as its fields,
so that one model serves 4-byte pointers (microcontrollers, whose compilers also pack enums) and 8-byte
ones (the PyPI runtime, which was built with compression support and a recording allocator).

Against measurement: PyPI's runtime on 12 models, exact on 10, at most 64 bytes above on 2; CMSIS-NN on an
emulated Cortex-M7 on 7, exact on 4, 16 bytes above on 3. It is never below: only the packing of short
options that directly follow each other (`MEAN`, `FULLY_CONNECTED`, `ADD`, `MUL`) is counted generously.

The allocator hands out memory downwards in this order: allocators and planner, one TfLiteEvalTensor a
tensor, one node an operator, parsed options, OpData (aligned to 16 bytes), channel multipliers and
shifts (aligned to 16), scratch handles, the tensors of inputs and outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from tinynas.cost.counts import Counts, Int
from tinynas.cost.scratch import Kernels
from tinynas.graph import OpKind

_ALIGNMENT = 16
#: kMaxScratchBuffersPerOp: requests the planner keeps room for beyond those made
_SPARE_REQUESTS = 12
#: GreedyMemoryPlanner::per_buffer_size()
_PLANNER_BYTES = 40
_INT = 4
_Size = TypeVar("_Size", int, Int)


@dataclass(frozen=True, slots=True)
class Build:
    """How a TFLM library was compiled: what the sizes of its structs depend on."""

    pointer: int
    kernels: Kernels
    compression: bool = False
    recording: bool = False
    #: bytes of an enum: bare-metal Arm compilers pack them
    enum: int = 1


#: what `pip install tflite-micro` is on a 64-bit host
HOST = Build(8, Kernels.REFERENCE, compression=True, recording=True, enum=4)
MCU_REFERENCE = Build(4, Kernels.REFERENCE)
MCU_CMSIS_NN = Build(4, Kernels.CMSIS_NN)


# Fields of a struct: p pointer or size_t, e enum, i 4 bytes, h 2, b 1, d double.
_CONVOLUTION = "iiii iii ii pp ii i"
_DENSE = "iiiiiiiii pp b"
#: OpData that the reference kernels keep, by kind
_OP_DATA: Mapping[OpKind, str] = {
    OpKind.CONV_2D: _CONVOLUTION,
    OpKind.DEPTHWISE_CONV_2D: _CONVOLUTION,
    OpKind.FULLY_CONNECTED: _DENSE,
    OpKind.ADD: "b iiii iii ii iii ii",
    OpKind.MUL: "iiiiiii ii",
    OpKind.MEAN: "iiiiiiiiiii",
    OpKind.AVERAGE_POOL_2D: "iiii ii ii",
    OpKind.MAX_POOL_2D: "iiii ii ii",
    OpKind.PAD: "b iiiii b iiiii b i",
    OpKind.CONCATENATION: "i pp iii",
    OpKind.SOFTMAX: "d iiiiiii ppppp",
    OpKind.LOGISTIC: "iiii",
    OpKind.HARD_SWISH: "hhh i h i",
    OpKind.RELU: "iiiiii",
    OpKind.RELU6: "ii",
    OpKind.QUANTIZE: "id iii",
    OpKind.DEQUANTIZE: "di b iii",
    OpKind.STRIDED_SLICE: "b iiiii b iiiii b iiiii hhhhh b",
}
#: what a build with compression appends
_COMPRESSED: Mapping[OpKind, str] = {
    OpKind.CONV_2D: "ii",
    OpKind.DEPTHWISE_CONV_2D: "ii",
    OpKind.FULLY_CONNECTED: "ii",
    OpKind.CONCATENATION: "i" * 10,
}
#: what CMSIS-NN's kernels append to the reference kernels' struct
_CMSIS_NN: Mapping[OpKind, str] = {
    OpKind.CONV_2D: "i",
    OpKind.DEPTHWISE_CONV_2D: "i",
    OpKind.FULLY_CONNECTED: "ii p iii",
    OpKind.AVERAGE_POOL_2D: "i",
    OpKind.MAX_POOL_2D: "i",
}
#: options parsed from the flatbuffer, by kind
_OPTIONS: Mapping[OpKind, str] = {
    OpKind.CONV_2D: "eiieiie",
    OpKind.DEPTHWISE_CONV_2D: "eiiieii",
    OpKind.FULLY_CONNECTED: "ee bb e",
    OpKind.ADD: "e b",
    OpKind.MUL: "e",
    OpKind.MEAN: "b",
    OpKind.AVERAGE_POOL_2D: "eiiiie iiii",
    OpKind.MAX_POOL_2D: "eiiiie iiii",
    OpKind.CONCATENATION: "ie",
    OpKind.RESHAPE: "i" * 8 + "i",
    OpKind.SOFTMAX: "i",
    OpKind.STRIDED_SLICE: "iiiii b",
    OpKind.RESIZE_NEAREST_NEIGHBOR: "bb",
}


#: the PyPI wheel's dense options are larger than the source's: read from its machine code
_HOST_DENSE_OPTIONS = "ee bb e pp"


def tail_bytes(counts: Counts, build: Build) -> Int:
    """Bytes of the arena's tail for a network with `counts`."""
    size: Int = _fixed(build) + counts.tensors * _size("ppe", build)
    size = size + counts.total_operators * _size("ppppppi p", build)
    for kind, number in counts.operators.items():
        # options are aligned to their widest field, int in all but the shortest: count those as int too
        size = size + number * _up(_size(_options(kind, build), build), _INT)
    size = _persistent(size, counts, build)
    size = size + _handles(counts, build) * build.pointer
    size = _ends(size, counts.inputs, counts.quantized_inputs, build)
    return _ends(size, counts.outputs, counts.quantized_outputs, build)


def planning_bytes(counts: Counts, build: Build) -> Int:
    """Bytes that TFLM's memory planner borrows, while it starts, where the head will be.

    One record a scratch request, tensor and planned buffer: in networks of many small layers more than the
    head itself. A slight upper bound, since about the last 200 bytes of the tail are taken only afterwards.
    """
    handles = _handles(counts, build)
    requests = _size("pii", build) * (handles + _SPARE_REQUESTS)
    records = _up(requests + _size("ppiiib", build) * (counts.tensors + handles), _ALIGNMENT)
    return _up(records + _PLANNER_BYTES * (counts.tensors - counts.constants + handles), _ALIGNMENT)


def _persistent(size: Int, counts: Counts, build: Build) -> Int:
    """`size` grown by OpData and channel tables; the first OpData falls into the gap below what stands."""
    first = _op_data(counts.first, build) if counts.first else 0
    size = _up(size + first, _ALIGNMENT) - _up(first, _ALIGNMENT)
    for kind, number in counts.operators.items():
        size = size + number * _up(_op_data(kind, build), _ALIGNMENT)
    for slots in counts.channel_slots.values():
        size = size + 2 * _INT * slots
    return size


def _handles(counts: Counts, build: Build) -> Int:
    """Number of scratch requests."""
    means: Int = 3 * counts.of(OpKind.MEAN)
    if build.kernels is Kernels.REFERENCE:
        return means
    return means + counts.spatial_convs + counts.large_depthwise + counts.of(OpKind.AVERAGE_POOL_2D)


def _ends(size: Int, number: int, quantized: int, build: Build) -> Int:
    """`size` grown by the TfLiteTensors of the network's inputs or of its outputs."""
    tensor = _size("ep ii p p p ee b", build)
    quantization = _size("ppi", build) + 2 * _INT
    return _up(size + number * build.pointer, _ALIGNMENT) + number * tensor + quantized * quantization


def _options(kind: OpKind, build: Build) -> str:
    wheel = build.recording and kind is OpKind.FULLY_CONNECTED
    return _HOST_DENSE_OPTIONS if wheel else _OPTIONS.get(kind, "")


@cache
def _op_data(kind: OpKind, build: Build) -> int:
    fields = _OP_DATA.get(kind, "") + (_COMPRESSED.get(kind, "") if build.compression else "")
    base = _size(fields, build)
    if build.kernels is Kernels.REFERENCE or kind not in _CMSIS_NN:
        return base
    # the reference struct is the first member
    return _up(base + _size(_CMSIS_NN[kind], build), build.pointer)


@cache
def _fixed(build: Build) -> int:
    """What every model costs: allocators, planner, options allocator, one subgraph."""
    recording = build.recording
    structs = (
        "pp ppppp p i" + ("pppp" if recording else ""),
        "p ii pppp ii p b",
        "p pppp b p p p" + ("p" + "ppp" * 8 if recording else ""),
        "pp",
        "pp" + ("p" if build.compression else ""),
    )
    return sum(_up(_size(fields, build), build.pointer) for fields in structs)


@cache
def _size(fields: str, build: Build) -> int:
    """`sizeof` a struct of these fields, with C's padding."""
    widths = {"p": build.pointer, "e": build.enum, "i": 4, "h": 2, "b": 1, "d": 8}
    size, widest = 0, 1
    for field in fields.replace(" ", ""):
        width = widths[field]
        size, widest = -(-size // width) * width + width, max(widest, width)
    return -(-size // widest) * widest


def _up(size: _Size, alignment: int) -> _Size:
    return -(-size // alignment) * alignment
