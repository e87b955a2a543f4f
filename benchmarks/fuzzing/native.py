"""A plan run by the C engine without writing and building its C: the tables are laid out in memory instead.

Every struct follows from the class that mirrors it (tinynas/engine/parameters.py), so nothing here knows a
kernel. Arrays are memory of their own, so that the address sanitizer sees a byte too far.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.engine.packing import pack
from tinynas.engine.parameters import Map, PaddingPixel, Parameters, Scale, members
from tinynas.engine.plan import Plan
from tinynas.engine.streaming import planned_rows

_NUMBERS: dict[str, Any] = {
    **{f"int{bits}_t": getattr(ctypes, f"c_int{bits}") for bits in (8, 16, 32)},
    **{f"uint{bits}_t": getattr(ctypes, f"c_uint{bits}") for bits in (8, 16, 32)},
    "float": ctypes.c_float,
}
_WORD = 4


class _Op(ctypes.Structure):
    _fields_ = (
        ("run", ctypes.c_void_p),
        ("parameters", ctypes.c_void_p),
        ("inputs", ctypes.c_void_p),
        ("output", ctypes.c_void_p),
        ("scratch", ctypes.c_uint32),
    )


class _Step(ctypes.Structure):
    _fields_ = (("op", ctypes.c_uint8), ("count", ctypes.c_int8), ("first", ctypes.c_uint16))


class _Network(ctypes.Structure):
    _fields_ = (("ops", ctypes.c_void_p), ("steps", ctypes.c_void_p), ("step_count", ctypes.c_uint32))


def run_plan(
    engine: ctypes.CDLL, plan: Plan, samples: Sequence[Sequence[NDArray[Any]]], garbage: int
) -> list[list[NDArray[Any]]]:
    """For each of `samples` (an array for each input) the outputs; the arena begins full of `garbage`."""
    graph = plan.graph
    memory: list[Any] = []
    network = _network(engine, plan, memory)
    arena = np.empty(plan.arena, np.uint8)
    made = []
    for sample in samples:
        arena[:] = np.random.default_rng(garbage).integers(0, 256, plan.arena, np.uint8)
        for tensor, values in zip(graph.inputs, sample, strict=True):
            start = plan.maps[tensor].offset
            arena[start : start + values.nbytes] = np.frombuffer(values.tobytes(), np.uint8)
        engine.tn_run(ctypes.byref(network), ctypes.c_void_p(arena.ctypes.data))
        made.append([_output(plan, arena, tensor) for tensor in graph.outputs])
    return made


def _output(plan: Plan, arena: NDArray[np.uint8], index: int) -> NDArray[Any]:
    tensor, start = plan.graph.tensors[index], plan.maps[index].offset
    data = arena[start : start + tensor.size_bytes].tobytes()
    return np.frombuffer(data, tensor.dtype.label).reshape(tensor.shape)


def _network(engine: ctypes.CDLL, plan: Plan, memory: list[Any]) -> _Network:
    graph = plan.graph
    maps = {}
    shapes = planned_rows(plan).shapes
    for tensor, placement in plan.maps.items():
        shape = shapes[tensor]
        entry = Map(
            placement.offset, placement.slots, shape.rows, shape.columns, shape.channels, shape.element
        )
        maps[tensor] = _address(_struct(entry, memory), memory)
    ops = (_Op * len(graph.operators))()
    for index, operator in enumerate(graph.operators):
        function = plan.kernels[index]
        sources = [maps[i] for i in graph.activations_in(operator)]
        ops[index] = _Op(
            ctypes.cast(getattr(engine, function), ctypes.c_void_p),
            _address(_struct(pack(graph, index, function), memory), memory),
            _address((ctypes.c_void_p * len(sources))(*sources), memory),
            maps[operator.outputs[0]],
            plan.scratch[index],
        )
    steps = (_Step * len(plan.steps))(*(_Step(s.operator, s.count, s.first) for s in plan.steps))
    return _Network(_address(ops, memory), _address(steps, memory), len(plan.steps))


def _address(value: Any, memory: list[Any]) -> int:
    memory.append(value)
    return ctypes.addressof(value)


def _struct(parameters: Parameters, memory: list[Any]) -> ctypes.Structure:
    """The C struct of `parameters`; what it points at is kept in `memory`."""
    kinds = tuple((m.name, "*" if m.pointer else m.ctype) for m in members(parameters))
    made = _layout(parameters.c_name, kinds)()
    for member in members(parameters):
        value = member.value
        if isinstance(value, Scale):
            setattr(made, member.name, _TnScale(value.multiplier, value.shift))
        elif isinstance(value, PaddingPixel):
            # whole words, as the emitter writes them
            pixel = np.full(-(-value.channels // _WORD) * _WORD, value.zero, np.int8)
            setattr(made, member.name, _array(pixel, memory))
        elif isinstance(value, np.ndarray):
            setattr(made, member.name, _array(value, memory))
        else:
            setattr(made, member.name, value)
    return made  # type: ignore[no-any-return]


def _array(values: NDArray[Any], memory: list[Any]) -> int:
    copy = np.array(values, order="C", copy=True).ravel()
    memory.append(copy)
    return int(copy.ctypes.data)


@cache
def _layout(name: str, kinds: tuple[tuple[str, str], ...]) -> Any:
    """The ctypes class of the C struct `name`, of members and their types ("*": a pointer)."""
    known = {"*": ctypes.c_void_p, "tn_scale": _TnScale, **_NUMBERS}
    return type(name, (ctypes.Structure,), {"_fields_": [(member, known[kind]) for member, kind in kinds]})


class _TnScale(ctypes.Structure):
    _fields_ = (("multiplier", ctypes.c_int32), ("shift", ctypes.c_int32))
