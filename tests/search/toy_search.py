"""A tiny space, a runtime and scores that take microseconds, for tests of the search itself."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tinynas.board import Board, Budget
from tinynas.graph import Graph
from tinynas.networks import Conv, Genotype
from tinynas.search import Limits
from tinynas.spaces.genes import Dimension, Each, Gene, Options, decode_genes, encode_genes


@dataclass(frozen=True, slots=True)
class ToyChoice:
    """Channels of each layer; the last gene is dormant, so several choices share a genotype."""

    channels: tuple[int, ...]
    dormant: int


@dataclass
class ToySpace:
    """`layers` convolutions of 1..`widest` channels; counts what it is asked for."""

    layers: int = 3
    widest: int = 8
    calls: Counter[str] = field(default_factory=Counter)

    def sample(self, rng: np.random.Generator) -> ToyChoice:
        self.calls["sample"] += 1
        genes = [int(gene) for gene in rng.integers(1, self.widest + 1, size=self.layers)]
        return ToyChoice(tuple(genes), int(rng.integers(2)))

    def mutate(self, choice: ToyChoice, rng: np.random.Generator, probability: float) -> ToyChoice:
        self.calls["mutate"] += 1
        redrawn = rng.random(self.layers) < probability
        fresh = rng.integers(1, self.widest + 1, size=self.layers)
        genes = zip(choice.channels, fresh, redrawn, strict=True)
        return ToyChoice(tuple(int(new) if hit else old for old, new, hit in genes), choice.dormant)

    def cross(self, mother: ToyChoice, father: ToyChoice, rng: np.random.Generator) -> ToyChoice:
        self.calls["cross"] += 1
        pairs = zip(mother.channels, father.channels, rng.random(self.layers) < 0.5, strict=True)
        return ToyChoice(tuple(m if taken else f for m, f, taken in pairs), father.dormant)

    @property
    def genes(self) -> dict[str, Gene]:
        return {
            "channels": Each(Options(tuple(range(1, self.widest + 1))), self.layers),
            "dormant": Options((0, 1)),
        }

    @property
    def dimensions(self) -> dict[str, Dimension]:
        return {"channels": Dimension.WIDTH}

    def smallest(self) -> ToyChoice:
        return ToyChoice((1,) * self.layers, 0)

    def encode(self, choice: ToyChoice) -> NDArray[np.float32]:
        return encode_genes(self.genes, choice)

    def decode(self, codes: Sequence[float]) -> ToyChoice:
        return ToyChoice(**decode_genes(self.genes, codes))

    def admits(self, choice: ToyChoice) -> bool:
        return True

    def genotype(self, choice: ToyChoice) -> Genotype:
        return Genotype(4, 1, tuple(Conv(1, 1, channels) for channels in choice.channels), 2)


class ToyRuntime:
    """SRAM is the bytes of all activations; flash those of all weights."""

    name = "toy"

    def sram(self, graph: Graph, board: Board) -> Any:
        tensors = {i for op in graph.operators for i in op.outputs}
        return SimpleNamespace(total=sum(graph.tensors[i].elements for i in tensors))

    def flash(self, graph: Graph, board: Board) -> Any:
        return SimpleNamespace(total=sum(tensor.elements for tensor in graph.constants()))


@dataclass
class Scorer:
    """Accuracy from the genotype and the seed alone, coarse enough for ties; counts what it scored."""

    seed: int = 0
    scored: list[str] = field(default_factory=list)

    def __call__(self, choice: ToyChoice, genotype: Genotype) -> float:
        self.scored.append(str(genotype))
        noise = np.random.default_rng(genotype_seed(self.seed, genotype)).random() / 4
        return round(0.05 * sum(choice.channels) / len(choice.channels) + noise, 2)


@dataclass(frozen=True)
class Hidden:
    """Accuracy by how near the channels are to those of a network nobody is told: a smooth thing to learn."""

    seed: int
    space: ToySpace

    def __call__(self, choice: ToyChoice, genotype: Genotype) -> float:
        rng = np.random.default_rng([self.seed, 999])
        target = rng.integers(1, self.space.widest + 1, self.space.layers)
        return float(1 - np.abs(np.array(choice.channels) - target).mean() / self.space.widest)


class ToyClock:
    """A tenth of a millisecond for every channel of every convolution."""

    board = "toy"
    label = "a toy's"

    def milliseconds(self, graph: Graph) -> float:
        return sum(_convolved(graph)) / 10

    def layers(self, graph: Graph) -> tuple[float, ...]:
        return tuple(channels / 10 for channels in _convolved(graph))


def _convolved(graph: Graph) -> list[int]:
    """Channels that each operator convolves: 0 where it is no convolution."""
    return [
        graph.tensors[operator.outputs[0]].shape[-1] if operator.window is not None else 0
        for operator in graph.operators
    ]


def toy_limits(
    sram_bytes: int = 10**9, flash_bytes: int = 10**9, latency_ms: float | None = None, timed: bool = False
) -> Limits:
    """Limits of the toy runtime; `timed` ones know times, and so do those that bound them."""
    return Limits(
        runtime=cast(Any, ToyRuntime()),
        board=cast(Any, SimpleNamespace(id="toy")),
        budget=Budget(sram_bytes, flash_bytes, latency_ms),
        latency=ToyClock() if timed or latency_ms is not None else None,
    )


def genotype_seed(seed: int, genotype: Genotype | str) -> int:
    """A seed (0 <= s < 2**32) for whatever is random in scoring `genotype`, alike on every machine."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {genotype}".encode(), digest_size=4).digest(), "big")
