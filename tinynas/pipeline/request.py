"""What was asked of a search: everything that decides its result, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tinynas.board import Board, Budget, facts_digest, load_board
from tinynas.cost import Runtime, aim_within, find_runtime
from tinynas.cost.latency import LatencyModel, latency_model
from tinynas.cost.times import require_latency_model
from tinynas.engine.goals import Aim, Goal
from tinynas.errors import RequestError, RunError
from tinynas.pipeline.effort import SHARED_WEIGHTS, SHORT_TRAINING, Effort, Presets
from tinynas.pipeline.strategies import PARETO, STRATEGIES
from tinynas.search.objective import ACCURACY, find_objective
from tinynas.spaces import Scoring, find_family
from tinynas.spaces.families import MOBILE

_PRESETS: Mapping[Scoring, Presets] = MappingProxyType(
    {Scoring.SHARED_WEIGHTS: SHARED_WEIGHTS, Scoring.SHORT_TRAINING: SHORT_TRAINING}
)


def presets_of(family: str) -> Presets:
    """The efforts there are for a search of that family.

    Raises:
        RequestError: there is no such family; the nearest is suggested.
    """
    return _PRESETS[find_family(family).scoring]


def accuracy_key(family: str) -> str:
    """What records call the accuracy that a candidate of that family was chosen by."""
    return f"accuracy_{find_family(family).scoring.name.lower()}"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One search, with names resolved and sizes in bytes.

    `elastic` is how many lower resolutions of the grid are searched besides the chosen one; `min_share`
    guards stage 1 against spaces of which hardly a network fits; `supernet` is a run whose space and
    trained supernet are taken over; `backend` is the Keras backend that trains; `family` is the spaces'.
    `objective` is what is maximised; one that weighs time has the budget's latency as its target. `goal` is
    what the engine's plans are made for. After every `measure_every` generations (0: never) the best networks
    are measured on the board that `measure_on` says: ``port`` or ``virtual``.
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
    family: str = MOBILE.name
    objective: str = ACCURACY
    goal: Goal = Goal.RAM
    measure_every: int = 0
    measure_on: str = ""

    @property
    def aim(self) -> Aim:
        """What the engine's plans are for: the goal, within the budget."""
        return aim_within(self.goal, self.budget, self.board)

    @property
    def rules(self) -> Runtime:
        """Whose memory is counted: the runtime with its plans."""
        return find_runtime(self.runtime, self.aim)

    @property
    def latency(self) -> LatencyModel | None:
        """The model of times there is for the board and the runtime."""
        return latency_model(self.board, self.rules)

    @property
    def minds_time(self) -> bool:
        """Whether modelled times decide anything."""
        return self.budget.latency_ms is not None or self.strategy == PARETO or self.measure_every > 0

    @property
    def times(self) -> str | None:
        """How modelled times are known, as the words that stand beside them, where they decide anything."""
        model = self.latency if self.minds_time else None
        return None if model is None else model.label

    @property
    def limits(self) -> Budget:
        """What a network must stay within: a time that an objective weighs is a target, no limit."""
        return self.budget if self.objective == ACCURACY else replace(self.budget, latency_ms=None)

    @property
    def scoring(self) -> Scoring:
        """How networks of the family are scored."""
        return find_family(self.family).scoring

    @property
    def accuracy_key(self) -> str:
        """What records call accuracies of candidates: ``accuracy_shared_weights``."""
        return accuracy_key(self.family)

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise RequestError(f"'{self.strategy}' is not a strategy: choose {', '.join(STRATEGIES)}")
        find_objective(self.objective, self.budget.latency_ms)
        if self.budget.latency_ms is not None or self.measure_every > 0:
            require_latency_model(self.board, self.rules)
        if self.measure_every < 0 or bool(self.measure_every) != bool(self.measure_on):
            raise RequestError(
                "--measure-every asks a board: add --port or --virtual, and at least 1 generation"
            )
        if not 0 <= self.min_share <= 1:
            raise RequestError(f"--min-share is {self.min_share:g}: it is a share of networks, from 0 to 1")
        if self.supernet is not None and self.scoring is not Scoring.SHARED_WEIGHTS:
            raise RequestError(
                f"--supernet has no meaning for a family scored by {self.scoring}, as {self.family} is: "
                "leave it out"
            )
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
            "numbers": presets_of(self.family).plain(self.effort),
        }
        if self.budget.latency_ms is not None:
            plain["latency_ms"] = self.budget.latency_ms
        if (times := self.times) is not None:
            plain["latency_model"] = times
        if self.objective != ACCURACY:
            plain["objective"] = self.objective
        if self.measure_every:
            plain["measure_every"], plain["measure_on"] = self.measure_every, self.measure_on
        # requests from before there were several families name none
        if self.family != MOBILE.name:
            plain["family"] = self.family
        if self.goal is not Goal.RAM:
            plain["optimize"] = self.goal.value
        if self.supernet is not None:
            plain["supernet"] = str(self.supernet)
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], data_dir: Path | None = None) -> SearchRequest:
        """The request that `to_dict` wrote; its pictures are looked for in `data_dir` first.

        Raises:
            RunError: something is missing or of another kind.
            RequestError: what it names is not there any more.
        """
        try:
            family = str(plain.get("family", MOBILE.name))
            budget = Budget(int(plain["sram_bytes"]), int(plain["flash_bytes"]), plain.get("latency_ms"))
            return cls(
                board=load_board(str(plain["board"])),
                budget=budget,
                runtime=str(plain["runtime"]),
                data=str(plain["data"]),
                data_dir=data_dir,
                effort_name=str(plain["effort"]),
                effort=presets_of(family).make(str(plain["effort"]), plain["numbers"]),
                seed=int(plain["seed"]),
                strategy=str(plain["strategy"]),
                min_share=float(plain["min_share"]),
                elastic=int(plain["elastic_resolutions"]),
                backend=str(plain["backend"]),
                supernet=Path(plain["supernet"]) if "supernet" in plain else None,
                family=family,
                objective=str(plain.get("objective", ACCURACY)),
                goal=Goal(plain.get("optimize", Goal.RAM.value)),
                measure_every=int(plain.get("measure_every", 0)),
                measure_on=str(plain.get("measure_on", "")),
            )
        except (KeyError, TypeError, ValueError) as failure:
            raise RunError(
                f"the request of the run is damaged ({type(failure).__name__}: {failure}): search again"
            ) from None
