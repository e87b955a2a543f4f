"""The parameter structs of the C kernels, as Python sees them.

Each class mirrors one struct of firmware/engine/tinynas_kernels.h: the same members in the same order, each
with its C type, so that the emitter writes any of them without knowing it, sizes can be told before anything
is compiled, and a number that its member cannot hold is found here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, ClassVar, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

Int8s = NDArray[np.int8]
Int16s = NDArray[np.int16]
Int32s = NDArray[np.int32]
Uint16s = NDArray[np.uint16]

I8 = Annotated[int, "int8_t"]
U8 = Annotated[int, "uint8_t"]
I16 = Annotated[int, "int16_t"]
I32 = Annotated[int, "int32_t"]
U16 = Annotated[int, "uint16_t"]
U32 = Annotated[int, "uint32_t"]
F32 = Annotated[float, "float"]

#: bytes of each C type on a 32-bit core; every other member is a pointer or a struct
C_BYTES = {"int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "uint32_t": 4, "float": 4}
POINTER_BYTES = 4


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a C struct: `ctype` of a number or of what a pointer points at, or a struct's name."""

    name: str
    ctype: str
    pointer: bool
    value: Any


@dataclass(frozen=True)
class Parameters:
    """A C struct of constants. Subclasses name it and list its members in order."""

    c_name: ClassVar[str]

    def __post_init__(self) -> None:
        """Hold every number to its member's range.

        Raises:
            ValueError: a number does not fit its C type.
        """
        for member in members(self):
            if member.ctype in C_BYTES and member.ctype != "float" and not member.pointer:
                limits = np.iinfo(member.ctype.removesuffix("_t"))
                if not limits.min <= member.value <= limits.max:
                    raise ValueError(f"{member.name} is {member.value}, which the engine cannot hold")


def members(parameters: Parameters) -> list[Member]:
    """The struct's members in C's order, with their values."""
    hints = _hints(type(parameters))  # type: ignore[arg-type]  # a class has the hash of type
    return [
        _member(each.name, hints[each.name], getattr(parameters, each.name)) for each in fields(parameters)
    ]


@cache
def _hints(mirror: type[Parameters]) -> dict[str, Any]:
    return get_type_hints(mirror, include_extras=True)


def _member(name: str, hint: Any, value: Any) -> Member:
    if hasattr(hint, "__metadata__"):
        return Member(name, hint.__metadata__[0], pointer=False, value=value)
    if isinstance(hint, type) and issubclass(hint, Parameters):
        return Member(name, hint.c_name, pointer=False, value=value)
    return Member(name, _POINTED[_without_none(hint)], pointer=True, value=value)


def _without_none(hint: Any) -> Any:
    return next((each for each in get_args(hint) if each in _POINTED), hint)


def struct_bytes(parameters: Parameters) -> int:
    """Bytes of the C struct on a 32-bit core."""
    size, widest = 0, 1
    for member in members(parameters):
        each, alignment = _layout(member)
        size = -(-size // alignment) * alignment + each
        widest = max(widest, alignment)
    return -(-size // widest) * widest


def _layout(member: Member) -> tuple[int, int]:
    """Size and alignment of a member on a 32-bit core."""
    if member.pointer:
        return POINTER_BYTES, POINTER_BYTES
    if isinstance(member.value, Parameters):
        inner = max(_layout(each)[1] for each in members(member.value))
        return struct_bytes(member.value), inner
    return C_BYTES[member.ctype], C_BYTES[member.ctype]


@dataclass(frozen=True, slots=True)
class PaddingPixel:
    """A pixel of `channels` zero points; operators of the same zero point share one in flash."""

    zero: int
    channels: int


#: what pointers point at
_POINTED: dict[Any, str] = {
    Int8s: "int8_t",
    Int16s: "int16_t",
    Int32s: "int32_t",
    Uint16s: "uint16_t",
    PaddingPixel: "int8_t",
}


@dataclass(frozen=True)
class Map(Parameters):
    """A feature map (tinynas_engine.h): where it lies and its shape."""

    c_name: ClassVar[str] = "tn_map"
    offset: U32
    slots: U16
    rows: U16
    columns: U32
    channels: U32
    size: U8


@dataclass(frozen=True)
class Scale(Parameters):
    """A requantisation: `multiplier` / 2^31 * 2^`shift`."""

    c_name: ClassVar[str] = "tn_scale"
    multiplier: I32
    shift: I32


@dataclass(frozen=True, eq=False)
class Convolution(Parameters):
    """Convolutions and fully connected layers; see the header for what the arrays hold."""

    c_name: ClassVar[str] = "tn_conv"
    weights: Int8s
    bias: Int32s
    multipliers: Int32s
    shifts: Int8s
    padding: PaddingPixel | None
    depth: U32
    kernel_rows: U16
    kernel_columns: U16
    stride_rows: U16
    stride_columns: U16
    pad_top: U16
    pad_left: U16
    groups: U16
    output_zero: I8
    low: I8
    high: I8
    narrow: U8


@dataclass(frozen=True, eq=False)
class Blocks(Parameters):
    """Convolutions and dense layers by blocks of pixels and channels; see tn_blocks.h for the layouts."""

    c_name: ClassVar[str] = "tn_blocks"
    weights: Int16s
    constants: Int32s | None
    depth: U32
    columns: U32
    kernel_rows: U16
    kernel_columns: U16
    stride_rows: U16
    stride_columns: U16
    pad_top: U16
    pad_left: U16
    before: U16
    padding: I8
    low: I8
    high: I8


@dataclass(frozen=True, eq=False)
class Binary(Parameters):
    """ADD and MUL. A constant stands for the right input."""

    c_name: ClassVar[str] = "tn_binary"
    left: Scale
    right: Scale
    output: Scale
    left_zero: I16
    right_zero: I16
    constant: Int8s | None
    constant_rows: U16
    constant_columns: U32
    constant_channels: U32
    output_zero: I8
    low: I8
    high: I8


@dataclass(frozen=True, eq=False)
class Sum(Parameters):
    """ADD by a table: int32 [256], of -128 first."""

    c_name: ClassVar[str] = "tn_table_sum"
    table: Int32s
    multiplier: I32
    rounding: I32
    shift: I32
    scaled: U8
    low: I8
    high: I8


@dataclass(frozen=True)
class Pool(Parameters):
    """Average and maximum pooling."""

    c_name: ClassVar[str] = "tn_pool"
    kernel_rows: U16
    kernel_columns: U16
    stride_rows: U16
    stride_columns: U16
    pad_top: U16
    pad_left: U16
    low: I8
    high: I8


@dataclass(frozen=True)
class Mean(Parameters):
    """A mean over rows, columns or both."""

    c_name: ClassVar[str] = "tn_mean_parameters"
    scale: Scale
    input_zero: I32
    output_zero: I32
    over_rows: U8
    over_columns: U8


@dataclass(frozen=True, eq=False)
class Lookup(Parameters):
    """A function of one value: int8 [256], of -128 first."""

    c_name: ClassVar[str] = "tn_lookup_parameters"
    table: Int8s


@dataclass(frozen=True, eq=False)
class Softmax(Parameters):
    """Softmax over the channels: int32 [256]."""

    c_name: ClassVar[str] = "tn_softmax_parameters"
    exponentials: Int32s


@dataclass(frozen=True)
class Concatenation(Parameters):
    """Rows of `inputs` maps side by side, in `blocks` turns."""

    c_name: ClassVar[str] = "tn_concat_parameters"
    inputs: U32
    blocks: U32


@dataclass(frozen=True)
class Pad(Parameters):
    """Rows, columns and channels before the input."""

    c_name: ClassVar[str] = "tn_pad_parameters"
    top: U16
    left: U16
    front: U16
    value: I8


@dataclass(frozen=True, eq=False)
class Resize(Parameters):
    """Which input row and column each output row and column repeats."""

    c_name: ClassVar[str] = "tn_resize_parameters"
    rows: Uint16s
    columns: Uint16s


@dataclass(frozen=True)
class Permutation(Parameters):
    """Strides in elements along the output's rows, columns and channels, and the first element."""

    c_name: ClassVar[str] = "tn_permute_parameters"
    row: U32
    column: U32
    channel: U32
    first: U32


@dataclass(frozen=True)
class Affine(Parameters):
    """real = scale * (stored - zero)."""

    c_name: ClassVar[str] = "tn_affine"
    scale: F32
    zero: I32
