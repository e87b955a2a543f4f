"""What was asked of a search: everything that decides its result, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinynas.board import Board, Budget, facts_digest
from tinynas.errors import RequestError
from tinynas.pipeline.effort import Effort, effort_dict

STRATEGIES = ("evolution", "random")


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One search, with names resolved and sizes in bytes.

    `elastic` is how many lower resolutions of the grid are searched besides the chosen one; `min_share`
    guards stage 1 against spaces of which hardly a network fits; `supernet` is a run whose space and
    trained supernet are taken over; `backend` is the Keras backend that trains.
    """

    board: Board
    budget: Budget
    runtime: str
    data: str
    data_dir: Path | None
    effort_name: str
    effort: Effort
    seed: int
    strategy: str = "evolution"
    min_share: float = 0.05
    elastic: int = 1
    backend: str = "tensorflow"
    supernet: Path | None = None

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise RequestError(f"'{self.strategy}' is not a strategy: choose {' or '.join(STRATEGIES)}")
        if not 0 <= self.min_share <= 1:
            raise RequestError(f"--min-share is {self.min_share:g}: it is a share of networks, from 0 to 1")
        if self.elastic < 0 or self.seed < 0:
            raise RequestError("--seed and --elastic must not be negative")

    def to_dict(self) -> dict[str, Any]:
        """Plain data for request.json; two requests with equal data have equal results."""
        plain: dict[str, Any] = {
            "board": self.board.id,
            "board_facts": facts_digest(self.board),
            "sram_bytes": self.budget.sram_bytes,
            "flash_bytes": self.budget.flash_bytes,
            "runtime": self.runtime,
            "data": self.data,
            "effort": self.effort_name,
            "seed": self.seed,
            "backend": self.backend,
            "strategy": self.strategy,
            "min_share": self.min_share,
            "elastic_resolutions": self.elastic,
            "numbers": effort_dict(self.effort),
        }
        if self.supernet is not None:
            plain["supernet"] = str(self.supernet)
        return plain
