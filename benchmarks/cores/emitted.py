"""A model compiled by tinynas and built for a bare board, what to feed it and what to expect of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cores.build import Core, Firmware, Interface, build
from tinynas.engine.emit import SOURCES, Emission, emit
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.plan import Plan
from tinynas.engine.planner import plan_network
from tinynas.export.micro import run_micro_all
from tinynas.graph import DType, Graph, Tensor
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import graph_from_bytes
from tinynas.pipeline.compile_check import input_borders, output_borders

#: of every model's C
_NAME = "net"
_ARENA = "arena"


@dataclass(frozen=True)
class Emitted:
    """A built model: the file it was made of, its graph as read and as planned, its C, the firmware."""

    model: bytes
    original: Graph
    plan: Plan
    emission: Emission
    firmware: Firmware

    def arena_bytes(self) -> int:
        """The static array in the ELF."""
        return self.firmware.symbols()[_ARENA][1]


def build_emitted(
    model: bytes,
    name: str,
    core: Core,
    folder: Path,
    flags: tuple[str, ...] = (),
    goal: Goal = Goal.RAM,
    dsp: bool | None = None,
    arena: int | None = None,
) -> Emitted:
    """Compiles the .tflite `model` and builds it for `core` in `folder`; `flags` are further ones for gcc.

    What is planned for is `goal`, in an arena of `arena` bytes if that is given, and a core with DSP
    instructions or without: `core`, unless `dsp` says.

    Raises:
        ModelError: the engine cannot run the model.
        BuildError: gcc does not take the C.
    """
    original = graph_from_bytes(model, name)
    aim = Aim(goal, arena, dsp=core.dsp if dsp is None else dsp)
    plan = plan_network(simplify(original), aim)
    emission, firmware = build_plan(plan, core, folder, flags)
    return Emitted(model, original, plan, emission, firmware)


def build_plan(
    plan: Plan, core: Core, folder: Path, flags: tuple[str, ...] = ()
) -> tuple[Emission, Firmware]:
    """The C of `plan`, and a program of it for `core`, in `folder`; `flags` are further ones for gcc.

    Raises:
        BuildError: gcc does not take the C.
    """
    library = folder / "library"
    emission = emit(plan, _NAME, library)
    mine = library / SOURCES / f"{_NAME}.c"
    engine = [source for source in sorted(mine.parent.glob("*.c")) if source != mine]
    inputs, outputs = (tuple(tensor.size_bytes for tensor in ends) for ends in _ends(plan.graph))
    return emission, build([mine], engine, Interface(_NAME, inputs, outputs), core, folder, flags)


def lcg_bytes(count: int, seed: int = 12345) -> NDArray[np.int8]:
    """`count` values of peers.md's generator: s = s * 1664525 + 1013904223 mod 2^32, int8 = s >> 24."""

    def values() -> Iterator[int]:
        state = seed
        for _ in range(count):
            state = (state * 1664525 + 1013904223) % 2**32
            yield state >> 24

    return np.fromiter(values(), np.uint8, count).view(np.int8)


def lcg_inputs(emitted: Emitted) -> list[NDArray[Any]]:
    """The inputs of peers.md, [1, ...] for each of the file's: int8 as they come, floats as int8 / 128."""
    inputs = []
    for tensor in (emitted.original.tensors[i] for i in emitted.original.inputs):
        values = lcg_bytes(tensor.elements).reshape(1, *tensor.shape)
        inputs.append(values / np.float32(128) if tensor.dtype is DType.FLOAT32 else values)
    return inputs


def firmware_inputs(emitted: Emitted, inputs: Sequence[NDArray[Any]]) -> NDArray[np.int8]:
    """The file's `inputs`, one [n, ...] each, as the firmware takes them: [n, bytes]."""
    borders = input_borders(emitted.original, emitted.plan.graph)
    parts = [border.convert(values) for border, values in zip(borders, inputs, strict=True)]
    return np.concatenate([_bytes(part) for part in parts], axis=1)


def differing_outputs(emitted: Emitted, inputs: Sequence[NDArray[Any]], made: NDArray[np.int8]) -> int:
    """How many of the firmware's outputs `made` [n, bytes] for the file's `inputs` differ from TFLM's.

    Compared are the bytes of the file's own outputs.

    Raises:
        ModelError: TFLM cannot run the model.
    """
    theirs = run_micro_all(emitted.model, inputs, len(emitted.original.outputs))
    differs = np.zeros(len(made), bool)
    sizes = np.cumsum(emitted.firmware.interface.outputs)[:-1]
    borders = output_borders(emitted.original, emitted.plan.graph)
    for part, tensor, border, expected in zip(
        np.split(made, sizes, axis=1), _ends(emitted.plan.graph)[1], borders, theirs, strict=True
    ):
        values = np.ascontiguousarray(part).view(tensor.dtype.label).reshape(-1, *tensor.shape)
        differs |= (_bytes(border.convert(values)) != _bytes(expected)).any(axis=1)
    return int(differs.sum())


def _ends(graph: Graph) -> tuple[list[Tensor], list[Tensor]]:
    return [graph.tensors[i] for i in graph.inputs], [graph.tensors[i] for i in graph.outputs]


def _bytes(values: NDArray[Any]) -> NDArray[np.int8]:
    """`values` [n, ...] as [n, bytes]."""
    flat: NDArray[np.int8] = np.ascontiguousarray(values).reshape(len(values), -1).view(np.int8)
    return flat
