"""What a page about a run says, section by section: plain facts, every number in its unit.

A section that the run cannot fill (yet) is `Missing` and says why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeAlias, TypeVar

from tinynas.engine.plan import Plan
from tinynas.report.memory_table import MemoryRow
from tinynas.search import Candidate, Genes, Timing
from tinynas.search.candidate import candidate_line
from tinynas.spaces import SpaceReport
from tinynas.supernet.phase import Progress

#: design spaces told of: the best
SPACES = 8

_Section = TypeVar("_Section")


@dataclass(frozen=True, slots=True)
class Missing:
    """A section that is not there, and why, in a sentence."""

    why: str


Maybe: TypeAlias = _Section | Missing


@dataclass(frozen=True, slots=True)
class Curve:
    """One phase of training: its points from first to last, and the steps it has in all."""

    phase: str
    steps: int
    points: tuple[Progress, ...]

    @property
    def is_done(self) -> bool:
        """Whether the last step was taken."""
        return self.points[-1].step >= self.steps


@dataclass(frozen=True, slots=True)
class Training:
    """Curves of the phases, in order."""

    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """A network trained on its own during the search: its accuracy after each number of steps, rising."""

    genotype: str
    steps: tuple[int, ...]
    accuracies: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Generation:
    """Networks of one generation, as scored last; accuracies are shares, `best_yet` is of all so far."""

    number: int
    networks: int
    best: float
    mean: float
    deviation: float
    worst: float
    best_yet: float


@dataclass(frozen=True, slots=True)
class Evolution:
    """The search generation by generation, and how many networks came about in which way.

    `trained` counts networks by the steps each was trained on its own; with shared weights it is empty.
    """

    strategy: str
    scoring: str
    generations: tuple[Generation, ...]
    origins: Mapping[str, int]
    trained: Mapping[int, int]

    @property
    def networks(self) -> int:
        """Networks scored."""
        return sum(generation.networks for generation in self.generations)


@dataclass(frozen=True, slots=True)
class Axis:
    """A cost that networks are compared by: its field of a footprint, its title and its unit."""

    key: str
    title: str
    unit: str


@dataclass(frozen=True, slots=True)
class Front:
    """All networks scored, those no other beats (most accurate first), and the costs known of them."""

    axes: tuple[Axis, ...]
    candidates: tuple[Candidate[Genes], ...]
    front: tuple[Candidate[Genes], ...]
    winner: str | None


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator as the runtime runs it; `block` is its place in the genotype, None behind the last.

    `sram_bytes` is what the arena is used up to meanwhile.
    """

    index: int
    operator: str
    block: int | None
    output_shape: tuple[int, ...]
    window: str
    macs: int
    weights: int
    sram_bytes: int


@dataclass(frozen=True, slots=True)
class Block:
    """One block of the genotype and what its operators take together; `form` is ``inverted bottleneck``.

    Fields that its kind does not have are None.
    """

    text: str
    form: str
    kernel: int
    stride: int
    expand: int | None
    group_width: int | None
    squeeze: float | None
    channels: int
    output_shape: tuple[int, ...]
    residual: bool
    operators: int
    macs: int
    weights: int
    sram_bytes: int


@dataclass(frozen=True, slots=True)
class Network:
    """The network the run came to, and how final that is; `plan` is the engine's, None for other runtimes."""

    standing: str
    genotype: str
    runtime: str
    macs: int
    weights: int
    sram_bytes: int
    peak_layer: int
    blocks: tuple[Block, ...]
    layers: tuple[Layer, ...]
    plan: Plan | None


@dataclass(frozen=True, slots=True)
class Layers:
    """Cycles of each operator on a board, as the runtime runs them; `source` is how far to trust them.

    `optimize` is the goal that the plan was made for.
    """

    board: str
    optimize: str
    source: str
    clock_hz: int | None
    operators: tuple[str, ...]
    cycles: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Latency:
    """One inference, and how its time is known. Cycles are of the board's own counter."""

    latency_ms: float
    source: str
    cycles: int | None = None


def as_modelled(label: str) -> str:
    """The `label` of a model of times, which says once that nothing was measured."""
    return label if label.startswith("modelled") else f"modelled, {label}"


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a board, real or virtual, told of the model, beside what was predicted.

    `accuracy` is on the `samples` test pictures that went through the board; on `wrong_samples` of them its
    outputs are not TensorFlow Lite Micro's.
    """

    name: str
    board: str
    times: str
    clock_hz: int | None
    facts: Mapping[str, str]
    measured: Latency | None
    predicted: Latency | None
    samples: int | None
    wrong_samples: int | None
    accuracy: float | None
    memories: tuple[MemoryRow, ...]
    layers: Maybe[Layers]


@dataclass(frozen=True, slots=True)
class Result:
    """The finished network: sizes and accuracies of the file, and what was proven of it."""

    accuracy_float: float
    accuracy_int8: float
    test_pictures: int | None
    compared_pictures: int | None
    params: int
    model_bytes: int | None
    sram_bytes: int
    sram_budget_bytes: int
    flash_bytes: int
    flash_budget_bytes: int
    latency_ms: float | None
    latency_budget_ms: float | None
    warning: str | None


@dataclass(frozen=True, slots=True)
class RunPage:
    """All that the page of a run says."""

    name: str
    state: str
    is_done: bool
    family: str
    request: Mapping[str, Any]
    seconds: Mapping[str, float]
    result: Maybe[Result]
    space: Maybe[SpaceReport]
    training: Maybe[Training]
    #: none where networks share their weights
    trials: tuple[Trial, ...]
    evolution: Maybe[Evolution]
    front: Maybe[Front]
    network: Maybe[Network]
    modelled: Maybe[Layers]
    predicted: Latency | None
    deployed: tuple[Deployed, ...]
    #: of networks measured in the middle of the search
    timings: tuple[Timing, ...]
    environments: Maybe[tuple[Mapping[str, Any], ...]]


def plain(value: object) -> Any:
    """A page, or a part of one, as plain data for ``--json``: the same content."""
    if isinstance(value, Missing):
        return {"missing": value.why}
    if isinstance(value, SpaceReport):
        return value.to_dict() | {"spaces": plain(value.ranking[:SPACES])}
    if isinstance(value, Plan):
        return value.to_dict()
    if isinstance(value, Candidate):
        return _plain_candidate(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, tuple | list) else value


def _plain_candidate(candidate: Candidate[Any]) -> dict[str, Any]:
    """As its journal has it, but for what its space made it from."""
    return {name: value for name, value in json.loads(candidate_line(candidate)).items() if name != "choice"}
