"""What an exported network must pass before it is called the result: the file is the plan, and it runs.

The .tflite is read back and compared with the plan operator by operator; TFLite Micro runs it on real
pictures inside an arena of the predicted size, and must agree with TFLite's reference kernels bit for bit.
The engine's plan of the file is replayed row by row and proven. Any difference is an error. Only a loss of
accuracy by quantisation is a warning, for a person to judge.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.cost.compute import macs, weights_and_biases
from tinynas.cost.counts import count
from tinynas.cost.memory import buffers, plan_greedy
from tinynas.cost.scratch import Kernels, scratch_of
from tinynas.cost.tail import HOST, planning_bytes, tail_bytes
from tinynas.data.pixels import PIXEL_SCALE, to_int8_input
from tinynas.engine.checker import PlanError, check_plan
from tinynas.engine.goals import Aim
from tinynas.engine.planner import plan_network
from tinynas.errors import VerificationError
from tinynas.export.interpret import accuracy, int8_logits
from tinynas.export.micro import MicroArena, measure_arena, run_micro
from tinynas.graph import Graph, Quantization
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import graph_from_bytes
from tinynas.networks import Genotype, build_graph

#: a larger loss of test accuracy by quantisation, as a share, is worth a warning
TOLERATED_LOSS = 0.02
#: int8 = pixel - 128 and nothing else: see `tinynas.data.pixels`
INPUT_QUANTIZATION = Quantization((1 / PIXEL_SCALE,), (0,))


@dataclass(frozen=True, slots=True)
class HostArena:
    """Predicted bytes of TFLite Micro's arena on this computer.

    While TFLM starts, its planner works in `planning` bytes where the `head` will be: more than the head
    itself in networks of many small layers.
    """

    head: int
    tail: int
    planning: int

    @property
    def total(self) -> int:
        """The arena to give it."""
        return self.tail + max(self.head, self.planning)


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found true of a .tflite: measured, or predicted and measured alike.

    `head_bytes` is the activations' part of TFLite Micro's arena (reference kernels), predicted and
    measured alike; the network ran in an arena of the predicted `host_arena_bytes` on this computer and
    in the end used `host_arena_used_bytes`. `engine_arena_bytes` is the arena of tinynas's own engine, whose
    plan of the file was proven. Accuracies are shares, 0 to 1, of `test_pictures` pictures;
    `compared_pictures` of them also ran in TFLite Micro. `seconds` is what all that took.
    """

    genotype: str
    macs: int
    weights_and_biases: int
    model_bytes: int
    head_bytes: int
    host_arena_bytes: int
    host_arena_used_bytes: int
    engine_arena_bytes: int
    test_pictures: int
    compared_pictures: int
    accuracy_float: float
    accuracy_int8: float
    seconds: float

    @property
    def warning(self) -> str | None:
        """One sentence if quantisation lost more than `TOLERATED_LOSS`, else None."""
        lost = self.accuracy_float - self.accuracy_int8
        if lost <= TOLERATED_LOSS:
            return None
        return (
            f"quantisation lost {100 * lost:.1f} points of test accuracy "
            f"({100 * self.accuracy_float:.1f} % float, {100 * self.accuracy_int8:.1f} % int8): "
            "give it more, or more typical, calibration pictures"
        )

    def to_dict(self) -> dict[str, Any]:
        """All fields and the warning, ready for JSON."""
        return {**asdict(self), "warning": self.warning}


def verify(
    model: bytes,
    genotype: Genotype,
    *,
    images: NDArray[np.uint8],
    labels: NDArray[np.integer[Any]],
    float_logits: NDArray[np.floating[Any]],
    aim: Aim | None = None,
    compared: int = 32,
) -> Verification:
    """Check the .tflite `model` against the `genotype` it was made from, and measure it on the test set.

    `images` [n, r, r, c] and `labels` [n] are the test set at the network's resolution, `float_logits`
    [n, classes] what the float network made of it; the first `compared` pictures also run in TFLite Micro.
    The engine's plan that is proven is for `aim`.

    Raises:
        VerificationError: the file is not the planned network, does not run in the predicted arena, two
            runtimes disagree, or the engine's plan would lose a value.
        ModelError: the file cannot be read back, or TFLite Micro cannot run it.
    """
    started = time.perf_counter()
    planned, exported = build_graph(genotype), graph_from_bytes(model, "the exported network")
    check_graph(planned, exported)
    arena = host_arena(planned)
    used = measure_arena(model)
    check_arena(arena, used)
    logits = int8_logits(model, images)
    check_outputs(run_micro(model, to_int8_input(images[:compared]), arena.total), logits[:compared])
    return Verification(
        genotype=str(genotype),
        macs=macs(exported),
        weights_and_biases=weights_and_biases(exported),
        model_bytes=len(model),
        head_bytes=used.head,
        host_arena_bytes=arena.total,
        host_arena_used_bytes=used.total,
        engine_arena_bytes=proven_arena(exported, aim or Aim()),
        test_pictures=len(images),
        compared_pictures=min(compared, len(images)),
        accuracy_float=accuracy(float_logits, labels),
        accuracy_int8=accuracy(logits, labels),
        seconds=time.perf_counter() - started,
    )


def check_graph(planned: Graph, exported: Graph) -> None:
    """Operators, wiring, shapes, MACs, parameters and the input's quantisation are as planned.

    Raises:
        VerificationError: the first difference, in words.
    """
    if difference := next(_differences(planned, exported), None):
        raise VerificationError(
            f"the exported network is not the planned one: {difference}; this is a defect of tinynas "
            "or an untested TensorFlow version"
        )


def host_arena(graph: Graph) -> HostArena:
    """The arena that PyPI's TFLite Micro should need for `graph` on this computer, with reference kernels.

    The head is the same on a microcontroller with these kernels; the tail has pointers of 8 bytes.
    """
    head = plan_greedy(buffers(graph, scratch_of(graph, Kernels.REFERENCE))).peak
    counts = count(graph)
    return HostArena(head, int(tail_bytes(counts, HOST)), int(planning_bytes(counts, HOST)))


def check_arena(predicted: HostArena, measured: MicroArena) -> None:
    """The head is predicted to the byte, and the predicted tail is enough.

    The tail may be smaller: the converter stores equal constants once.

    Raises:
        VerificationError: either is not so.
    """
    if measured.head != predicted.head:
        raise VerificationError(
            f"TFLite Micro's activations take {measured.head:,} B, not the predicted {predicted.head:,} B: "
            "the memory model of tinynas does not match the installed tflite-micro"
        )
    if measured.tail > predicted.tail:
        raise VerificationError(
            f"TFLite Micro keeps {measured.tail:,} B for itself, not the predicted {predicted.tail:,} B: "
            "the memory model of tinynas does not match the installed tflite-micro"
        )


def proven_arena(graph: Graph, aim: Aim) -> int:
    """Bytes of the engine's arena for `graph`, whose plan for `aim` is replayed step by step.

    Raises:
        VerificationError: the plan reads what is no longer there.
    """
    plan = plan_network(simplify(graph), aim)
    try:
        check_plan(plan)
    except PlanError as fault:
        raise VerificationError(
            f"the engine's plan of the exported network is wrong ({fault}): this is a defect of tinynas; "
            "search with --runtime tflm until it is mended"
        ) from fault
    return plan.arena


def check_outputs(micro: NDArray[np.int8], reference: NDArray[np.int8]) -> None:
    """TFLite Micro's logits [n, classes] equal those of TFLite's reference kernels bit for bit.

    Raises:
        VerificationError: a picture's logits differ.
    """
    wrong = np.flatnonzero((micro.reshape(reference.shape) != reference).any(axis=1))
    if wrong.size:
        raise VerificationError(
            f"TFLite Micro and TFLite's reference kernels disagree on {wrong.size} of {len(reference)} "
            f"pictures, first on number {wrong[0]}: install the versions of tflite-micro and TensorFlow "
            "that tinynas names"
        )


def _differences(planned: Graph, exported: Graph) -> Iterator[str]:
    """How `exported` differs from `planned`, most telling first."""
    found = exported.tensors[exported.inputs[0]].quantization
    if found != INPUT_QUANTIZATION:
        yield f"its input is quantised as {found} instead of scale 1/{PIXEL_SCALE}, zero point 0"
    for number, (plan, export) in enumerate(zip(planned.operators, exported.operators, strict=False)):
        if plan.kind is not export.kind:
            yield f"operator {number} is {export.kind.value} where {plan.kind.value} was planned"
    if len(planned.operators) != len(exported.operators):
        yield f"it has {len(exported.operators)} operators where {len(planned.operators)} were planned"
    if planned.signature() != exported.signature():
        yield _signature_difference(planned, exported)
    for count_of in (macs, weights_and_biases):
        if count_of(planned) != count_of(exported):
            yield f"its {count_of.__name__} are {count_of(exported):,}, not {count_of(planned):,} as planned"


def _signature_difference(planned: Graph, exported: Graph) -> str:
    """The first part in which two different signatures differ."""
    parts = zip(("inputs", "operators", "ends"), planned.signature(), exported.signature(), strict=True)
    name, plan, export = next(part for part in parts if part[1] != part[2])
    if isinstance(plan, tuple) and isinstance(export, tuple):
        plan, export = next(((p, e) for p, e in zip(plan, export, strict=False) if p != e), (plan, export))
    return f"among its {name} stands {export} where {plan} was planned"
