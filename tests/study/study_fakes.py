"""A trainer that takes no time, and one whose worker is killed; spaces of a few channels."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from tinynas.board import Board, Budget
from tinynas.networks import Conv, Genotype
from tinynas.search.limits import Limits
from tinynas.study.record import Outcome, Sampled
from tinynas.study.sampling import sample_networks


@dataclass(frozen=True)
class Widths:
    """The parameters of a `Chain`'s network."""

    widths: tuple[int, ...]


@dataclass(frozen=True)
class Chain:
    """Three convolutions of 1 to `widest` channels."""

    widest: int = 8

    def sample(self, rng: np.random.Generator) -> Widths:
        return Widths(tuple(int(width) for width in rng.integers(1, self.widest + 1, 3)))

    def genotype(self, choice: Widths) -> Genotype:
        return Genotype(4, 1, tuple(Conv(1, 1, width) for width in choice.widths), 2)


def _bytes_of(graph: Any, board: Any) -> Any:
    return SimpleNamespace(total=sum(tensor.elements for tensor in graph.tensors))


def limits(sram_bytes: int = 10_000) -> Limits:
    runtime = SimpleNamespace(name="fake", sram=_bytes_of, flash=_bytes_of)
    board = SimpleNamespace(id="fake")
    return Limits(runtime=cast(Any, runtime), board=cast(Board, board), budget=Budget(sram_bytes, 10_000))


def samples(count: int = 4, seed: int = 0) -> dict[str, list[Sampled]]:
    spaces = {"narrow": Chain(6), "wide": Chain(12)}
    return {name: sample_networks(name, space, limits(), count, seed) for name, space in spaces.items()}


def fake_error(genotype: str) -> float:
    """A number that depends on the network alone."""
    return hashlib.blake2b(genotype.encode()).digest()[0] / 255


@dataclass(frozen=True)
class FakeTrainer:
    """Gives `fake_error`; `seconds` are waited, so that a kill can come in between."""

    seconds: float = 0.0

    def __call__(self, network: Sampled) -> Outcome:
        time.sleep(self.seconds)
        return Outcome(fake_error(network.genotype), self.seconds)


@dataclass(frozen=True)
class Mortal:
    """A trainer whose process is killed in the middle of the networks in `fatal`, `times` each."""

    marks: Path
    fatal: tuple[tuple[str, int], ...]
    times: int = 1
    trainer: Callable[[Sampled], Outcome] = FakeTrainer()

    def __call__(self, network: Sampled) -> Outcome:
        if network.key in self.fatal:
            mark = self.marks / f"{network.space}-{network.index}"
            deaths = len(mark.read_text()) if mark.exists() else 0
            if deaths < self.times:
                mark.write_text("x" * (deaths + 1))
                os.kill(os.getpid(), signal.SIGKILL)
        return self.trainer(network)
