"""How networks of a family get their accuracies, and its winner its weights: a strategy for each way.

A family says which is its own (`tinynas.spaces.Scoring`); the stages work with whichever it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from tinynas.pipeline.estimate import Workload
from tinynas.pipeline.request import SearchRequest
from tinynas.pipeline.session import Session
from tinynas.pipeline.shared_weights import SharedWeights
from tinynas.pipeline.short_training import ShortTraining
from tinynas.pipeline.training_stage import Trainee
from tinynas.search import Candidate, Ladder
from tinynas.spaces import Scoring

_Space = TypeVar("_Space", contravariant=True)


class Scorers(Protocol):
    """A way of scoring, ready for one search."""

    def ladder(self, tell: Callable[[str], None]) -> Ladder[Any]:
        """What scores candidates; `tell` hears what goes on while one is scored."""
        ...

    def trainee(self, winner: Candidate[Any]) -> Trainee[Any]:
        """The winner as the search left it, to be fine-tuned and exported."""
        ...


class Method(Protocol[_Space]):
    """A way of scoring."""

    def expected_seconds(self, session: Session, work: Workload) -> Mapping[str, float]:
        """What the stages that are not done will take on two cores, by name."""
        ...

    def prepare(self, session: Session, space: _Space) -> Scorers:
        """Train what has to be trained before the first candidate."""
        ...


_METHODS: Mapping[Scoring, Method[Any]] = MappingProxyType(
    {Scoring.SHARED_WEIGHTS: SharedWeights(), Scoring.SHORT_TRAINING: ShortTraining()}
)


def method_of(request: SearchRequest) -> Method[Any]:
    """How the family asked for is scored."""
    return _METHODS[request.scoring]
