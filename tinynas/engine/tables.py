"""The tables of one network: every operator packed, every array named, and what all of it takes in flash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.engine.c_text import c_float, describe, shape_text
from tinynas.engine.packing import pack
from tinynas.engine.parameters import (
    POINTER_BYTES,
    Map,
    Member,
    PaddingPixel,
    Parameters,
    members,
    struct_bytes,
)
from tinynas.engine.plan import ALIGNMENT, Plan
from tinynas.engine.rows import MapShape, map_shape
from tinynas.engine.streaming import planned_rows
from tinynas.errors import ModelError
from tinynas.graph import DType, Graph, Operator

#: bytes of a tn_map, a tn_op, a tn_step and a tn_network on a 32-bit core
_MAP_BYTES, _OP_BYTES, _STEP_BYTES, _NETWORK_BYTES = 20, 5 * POINTER_BYTES, 4, 3 * POINTER_BYTES
_C_TYPES = {DType.INT8: "int8_t", DType.FLOAT32: "float"}


def structure_bytes(graph: Graph, steps: int) -> int:
    """Bytes of the tables of `graph` but for parameters on a 32-bit core: maps, operators and `steps`."""
    maps = {*graph.inputs, *(index for operator in graph.operators for index in operator.outputs)}
    readings = sum(len(list(graph.activations_in(operator))) for operator in graph.operators)
    return (
        _MAP_BYTES * len(maps)
        + _OP_BYTES * len(graph.operators)
        + POINTER_BYTES * readings
        + _STEP_BYTES * steps
        + _NETWORK_BYTES
        + sum(4 * len(ends) for ends in (graph.inputs, graph.outputs) if len(ends) > 1)
    )


@dataclass(frozen=True, slots=True)
class FlashBytes:
    """What the constants of a compiled network take in flash, in bytes; code is not counted."""

    weights: int
    #: biases, multipliers and shifts
    quantisation: int
    #: look-up tables, padding pixels, constant operands
    tables: int
    #: maps, operators with their parameters, and steps
    schedule: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.quantisation + self.tables + self.schedule


@dataclass(frozen=True)
class Array:
    """A constant array with its C name."""

    name: str
    ctype: str
    values: NDArray[Any]


@dataclass(frozen=True)
class PaddingArray(Array):
    zero: int


@dataclass(frozen=True)
class PackedOperator:
    """An operator with everything of it that stands in C."""

    index: int
    name: str
    description: str
    struct: str
    function: str
    members: tuple[tuple[str, str], ...]
    arrays: tuple[Array, ...]
    inputs: tuple[int, ...]
    first_input: int
    output: int
    scratch: int


@dataclass(frozen=True, slots=True)
class End:
    """An input or output of the network."""

    ctype: str
    shape: str
    map: MapShape
    offset: int
    elements: int
    bytes: int
    scale: float | None
    zero_point: int | None

    @classmethod
    def of(cls, plan: Plan, index: int) -> End:
        tensor, placement = plan.graph.tensors[index], plan.maps[index]
        shape = map_shape(tensor)
        if placement.slots != shape.rows:
            raise ValueError(f"tensor {index} is an input or output of the network and the plan splits it")
        known = tensor.quantization
        return cls(
            ctype=_C_TYPES[tensor.dtype],
            shape=shape_text(tensor.shape),
            map=shape,
            offset=placement.offset,
            elements=tensor.elements,
            bytes=tensor.size_bytes,
            scale=known.scales[0] if known and tensor.dtype is DType.INT8 else None,
            zero_point=known.zero_points[0] if known and tensor.dtype is DType.INT8 else None,
        )


def common_type(ends: Sequence[End]) -> str:
    types = {end.ctype for end in ends}
    return types.pop() if len(types) == 1 else "void"


@dataclass
class Tables:
    """Packs every operator of a plan and names its arrays; equal arrays are kept once."""

    plan: Plan
    operators: list[PackedOperator] = field(default_factory=list)
    maps: list[Map] = field(default_factory=list)
    _names: dict[tuple[str, bytes], str] = field(default_factory=dict)
    _pixels: dict[int, int] = field(default_factory=dict)
    _bytes: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        graph, tensors = self.plan.graph, sorted(self.plan.maps)
        places = {tensor: place for place, tensor in enumerate(tensors)}
        shapes = planned_rows(self.plan).shapes
        self.maps = [self._map(tensor, shapes[tensor]) for tensor in tensors]
        read = 0
        for index, operator in enumerate(graph.operators):
            op = self._operator(index, operator, read, places)
            self.operators.append(op)
            read += len(op.inputs)

    @property
    def paddings(self) -> list[PaddingArray]:
        """One pixel of each zero point, as wide as the widest layer that is padded with it."""
        return [
            PaddingArray(_pixel_name(zero), "int8_t", np.full(channels, zero, np.int8), zero)
            for zero, channels in sorted(self._pixels.items())
        ]

    def flash(self, steps: int) -> FlashBytes:
        """Bytes of all constants on a 32-bit core."""
        schedule = self._bytes.get("structs", 0) + structure_bytes(self.plan.graph, steps)
        tables = self._bytes.get("tables", 0) + sum(_words(channels) for channels in self._pixels.values())
        return FlashBytes(self._bytes.get("weights", 0), self._bytes.get("quantisation", 0), tables, schedule)

    def _map(self, tensor: int, shape: MapShape) -> Map:
        placement = self.plan.maps[tensor]
        try:
            return Map(
                placement.offset, placement.slots, shape.rows, shape.columns, shape.channels, shape.element
            )
        except ValueError as error:
            raise ModelError(
                f"{self.plan.graph.name}: a feature map is too large ({error}): use smaller images"
            ) from error

    def _operator(self, index: int, operator: Operator, read: int, places: dict[int, int]) -> PackedOperator:
        graph = self.plan.graph
        parameters = pack(graph, index, self.plan.kernels[index])
        self._count("structs", _words(struct_bytes(parameters)))
        arrays: list[Array] = []
        values = tuple((member.name, self._value(index, member, arrays)) for member in members(parameters))
        return PackedOperator(
            index=index,
            name=f"op{index}",
            description=describe(graph, operator),
            struct=parameters.c_name,
            function=self.plan.kernels[index],
            members=values,
            arrays=tuple(arrays),
            inputs=tuple(places[i] for i in graph.activations_in(operator)),
            first_input=read,
            output=places[operator.outputs[0]],
            scratch=self.plan.scratch[index],
        )

    def _value(self, index: int, member: Member, arrays: list[Array]) -> str:
        """The member's initialiser; an array that is new is added to `arrays`."""
        value = member.value
        if value is None:
            return "0"
        if isinstance(value, Parameters):
            return "{ " + ", ".join(self._value(index, each, arrays) for each in members(value)) + " }"
        if isinstance(value, PaddingPixel):
            # kernels may load whole words
            self._pixels[value.zero] = max(self._pixels.get(value.zero, 0), _words(value.channels))
            return _pixel_name(value.zero)
        if isinstance(value, np.ndarray):
            key = (member.ctype, value.tobytes())
            if key not in self._names:
                self._names[key] = f"op{index}_{member.name}"
                arrays.append(Array(self._names[key], member.ctype, value))
                self._count(_part_of(member.name), _words(value.nbytes))
            return self._names[key]
        return c_float(value) if member.ctype == "float" else str(value)

    def _count(self, part: str, size: int) -> None:
        self._bytes[part] = self._bytes.get(part, 0) + size


def _part_of(member: str) -> str:
    if member == "weights":
        return "weights"
    return "quantisation" if member in ("bias", "multipliers", "shifts", "constants") else "tables"


def _words(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _pixel_name(zero: int) -> str:
    return f"padding_{'minus_' if zero < 0 else ''}{abs(zero)}"
