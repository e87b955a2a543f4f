"""What was asked of a study: everything that decides its table, and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinynas.board import Board, Budget, facts_digest
from tinynas.errors import RequestError
from tinynas.study.sampling import UNBOUNDED, Band, Complexity
from tinynas.units import parse_count


@dataclass(frozen=True, slots=True)
class StudyRequest:
    """One study, with names resolved and sizes in bytes.

    `networks` are drawn from each of `spaces` and trained for `epochs`, each by `threads` threads, on
    `pictures` of the data (0: all that are not held out) and scored on `held_out` others (0: a fifth, at most
    2,000). `resolution` None means the pictures' own.
    """

    board: Board
    budget: Budget
    runtime: str
    spaces: tuple[str, ...]
    networks: int
    data: str
    data_dir: Path | None
    seed: int
    resolution: int | None = None
    complexity: Complexity = UNBOUNDED
    epochs: float = 2.0
    pictures: int = 0
    held_out: int = 0
    batch_size: int = 64
    rate: float = 0.1
    threads: int = 1
    backend: str = "tensorflow"

    def __post_init__(self) -> None:
        if not self.spaces or len(set(self.spaces)) < len(self.spaces):
            raise RequestError("--space must name different spaces, such as anynetx-a,regnetx")
        whole = {"--networks": self.networks, "--batch-size": self.batch_size}
        positive = whole | {"--epochs": self.epochs, "--rate": self.rate, "--threads": self.threads}
        for name, value in positive.items():
            if not 0 < value < 1e9:
                raise RequestError(f"{name} is {value:g}: it must be positive")
        if min(self.pictures, self.held_out, self.seed) < 0:
            raise RequestError("--pictures, --held-out and --seed must not be negative")

    def to_dict(self) -> dict[str, Any]:
        """Plain data for request.json; two studies with equal data have equal tables but for the seconds."""
        bounds = self.complexity
        plain: dict[str, Any] = {
            "kind": "study",
            "board": self.board.id,
            "board_facts": facts_digest(self.board),
            "sram_bytes": self.budget.sram_bytes,
            "flash_bytes": self.budget.flash_bytes,
            "runtime": self.runtime,
            "spaces": list(self.spaces),
            "networks": self.networks,
            "data": self.data,
            "resolution": self.resolution,
            "macs_band": [bounds.macs.low, bounds.macs.high] if bounds.macs else None,
            "epochs": self.epochs,
            "pictures": self.pictures,
            "held_out": self.held_out,
            "batch_size": self.batch_size,
            "rate": self.rate,
            "threads": self.threads,
            "seed": self.seed,
            "backend": self.backend,
        }
        # requests from before there were these bounds do not name them
        most = {"most_params": bounds.params, "most_activations": bounds.activations}
        return plain | {name: bound for name, bound in most.items() if bound is not None}


def parse_band(text: str) -> Band:
    """The band of MACs meant by ``0.5m-2m`` or ``500k-2000000``.

    Raises:
        RequestError: it is no such range.
    """
    match = re.fullmatch(r"\s*([^-\s]+)\s*-\s*([^-\s]+)\s*", text)
    if match is None:
        raise RequestError(f"'{text}' is not a range of MACs: write 0.5m-2m")
    low, high = (parse_count(part) for part in match.groups())
    if low > high:
        raise RequestError(f"--macs {text} ends below where it begins: write {match[2]}-{match[1]}")
    return Band(low, high)
