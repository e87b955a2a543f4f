"""One network, compiled, run on every platform and compared byte by byte with TensorFlow Lite Micro."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from cores.build import Interface
from micro_oracle import micro_outputs

from exact.programs import Bytes, Platform, Sources
from exact.samples import Values, samples_for
from exact.subjects import Subject
from exact.tflite_edits import cut_behind
from tinynas.engine.emit import SOURCES, emit
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.planner import plan_network
from tinynas.errors import ToolchainError, VerificationError
from tinynas.graph import DType, Graph
from tinynas.graph.passes import simplify
from tinynas.pipeline.compile_check import input_borders, output_borders

#: bytes of constants that the emulated boards have room for; plans for speed give kernels back to stay within
ROOM = (4 << 20) - (256 << 10)
#: begins the names of the C functions
_NAME = "net"


@dataclass(frozen=True, slots=True)
class Task:
    """A platform, and the most samples of a network it is to run."""

    platform: Platform
    most: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """One network on one platform; `fault` says what ended or refused it, or which operator differs first."""

    group: str
    name: str
    borders: str
    platform: str
    arena_bytes: int
    samples: int
    bytes_compared: int
    bytes_different: int
    fault: str = ""

    @property
    def exact(self) -> bool:
        """Whether every byte came, and was right."""
        return not self.bytes_different and not self.fault

    def blamed(self, place: str) -> Comparison:
        """The same with what `first_difference` found."""
        return replace(self, fault=f"{self.fault}; {place}")


def compare(
    subject: Subject, tasks: Sequence[Task], seed: int, truth: bytes | None = None
) -> Iterator[Comparison]:
    """`subject` on every platform; a whole model also with the conversions at its borders, where it has any.

    `truth` is another file whose outputs are to be expected, to see what a wrong constant does.
    """
    original = subject.graph()
    stored, kept = simplify(original), simplify(original, keep_float_io=True)
    samples = samples_for(original, stored, subject.samples, seed)
    expected = micro_outputs(truth or subject.model, samples, len(original.outputs))
    variants = {"dropped": stored}
    if subject.group == "model" and _ends(kept) != _ends(stored):
        variants["kept"] = kept
    for borders, graph in variants.items():
        with TemporaryDirectory(prefix="tinynas-exact-") as folder:
            network = _Network.compiled(original, graph, Path(folder), subject.goal)
            for task in tasks:
                ours = [values[: task.most] for values in samples]
                theirs = _joined([values[: task.most] for values in expected])
                yield _compared(subject, borders, network, task, ours, theirs, seed)


def first_difference(subject: Subject, task: Task, seed: int) -> str:
    """The first operator at which `subject`, cut behind it, differs on `task`'s platform."""
    graph = subject.graph()
    for index, operator in enumerate(graph.operators):
        if graph.tensors[operator.outputs[0]].dtype is not DType.INT8:
            continue
        cut = replace(subject, model=cut_behind(subject.model, index))
        if not all(each.exact for each in compare(cut, [task], seed)):
            return f"first at operator {index}, {operator.kind.value}"
    return "only whole: a matter of its plan"


def notices_short_arena(subject: Subject, platform: Platform, missing: int, seed: int) -> bool:
    """Whether `platform` ends a program whose arena lacks its last `missing` bytes."""
    original = subject.graph()
    graph = simplify(original)
    samples = samples_for(original, graph, subject.samples, seed)
    with TemporaryDirectory(prefix="tinynas-exact-") as folder:
        network = _Network.compiled(original, graph, Path(folder), subject.goal)
        sources = replace(network.sources, arena=network.sources.arena - missing)
        header = sources.folder / f"{_NAME}.h"
        size = f"{_NAME.upper()}_ARENA_BYTES {{}}\n".format
        header.write_text(header.read_text().replace(size(network.sources.arena), size(sources.arena)))
        try:
            platform.run(sources, network.inputs(samples))
        except VerificationError as error:
            return "AddressSanitizer" in str(error)
    return False


@dataclass(frozen=True)
class _Network:
    """Emitted C, and what its inputs and outputs have to do with those of the file."""

    original: Graph
    graph: Graph
    sources: Sources

    @classmethod
    def compiled(cls, original: Graph, graph: Graph, folder: Path, goal: Goal) -> _Network:
        """`graph`, which `original` was simplified to, as C for `goal` in `folder`."""
        plan = plan_network(graph, Aim(goal, constants=ROOM))
        emit(plan, _NAME, folder)
        sizes = ([graph.tensors[i].size_bytes for i in ends] for ends in (graph.inputs, graph.outputs))
        interface = Interface(_NAME, *map(tuple, sizes))
        return cls(original, graph, Sources(folder / SOURCES, interface, plan.arena))

    def inputs(self, samples: Sequence[Values]) -> Bytes:
        """The file's inputs as the network takes them: [n, bytes]."""
        borders = input_borders(self.original, self.graph)
        return _joined([border.convert(each) for border, each in zip(borders, samples, strict=True)])

    def outputs(self, made: Bytes) -> Bytes:
        """The network's outputs as the file gives them: [n, bytes]."""
        tensors = [self.graph.tensors[i] for i in self.graph.outputs]
        parts = np.split(made, np.cumsum([tensor.size_bytes for tensor in tensors])[:-1], axis=1)
        borders = output_borders(self.original, self.graph)
        return _joined(
            [
                border.convert(np.ascontiguousarray(part).view(tensor.dtype.label).reshape(-1, *tensor.shape))
                for border, part, tensor in zip(borders, parts, tensors, strict=True)
            ]
        )


def _compared(
    subject: Subject,
    borders: str,
    network: _Network,
    task: Task,
    samples: Sequence[Values],
    expected: Bytes,
    seed: int,
) -> Comparison:
    facts = (subject.group, subject.name, borders, task.platform.name, network.sources.arena)
    try:
        made = network.outputs(task.platform.run(network.sources, network.inputs(samples)))
    except (VerificationError, ToolchainError) as error:
        return Comparison(*facts, 0, 0, 0, str(error))
    differs = made != expected
    fault = f"sample {int(differs.any(axis=1).argmax())} of seed {seed}" if differs.any() else ""
    return Comparison(*facts, len(made), made.size, int(differs.sum()), fault)


def _ends(graph: Graph) -> list[Any]:
    return [graph.tensors[i] for i in (*graph.inputs, *graph.outputs)]


def _joined(arrays: Sequence[Values]) -> Bytes:
    """Arrays [n, ...] as [n, bytes of all]."""
    flat = [np.ascontiguousarray(each).reshape(len(each), -1).view(np.int8) for each in arrays]
    return np.concatenate(flat, axis=1)
