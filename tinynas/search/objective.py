"""What is better: accuracy first, ties decided alike in every run; and the front where memory counts too.

Accuracies compare after equal training; where a ladder lets the better half go on, who came further is first.
"""

from __future__ import annotations

from collections.abc import Iterable

from tinynas.search.candidate import Candidate
from tinynas.search.space_protocol import ChoiceT


def ranked(candidates: Iterable[Candidate[ChoiceT]]) -> list[Candidate[ChoiceT]]:
    """Best first: by steps trained, accuracy, fewer MACs, genotype text, whatever order they came in."""
    return sorted(candidates, key=lambda c: (-c.trained_steps, -c.accuracy, c.footprint.macs, c.genotype))


def pareto_front(candidates: Iterable[Candidate[ChoiceT]]) -> list[Candidate[ChoiceT]]:
    """Those that no other beats in accuracy, SRAM and MACs together, most accurate first.

    Of candidates equal in all three, the first by genotype text stays.
    """
    front: list[Candidate[ChoiceT]] = []
    for candidate in sorted(candidates, key=_front_order):
        # whoever dominates comes earlier in this order, so only the front so far has to be asked
        if not any(_as_small(other, candidate) for other in front):
            front.append(candidate)
    return front


def _front_order(candidate: Candidate[ChoiceT]) -> tuple[float, int, int, str]:
    footprint = candidate.footprint
    return -candidate.accuracy, footprint.sram_bytes, footprint.macs, candidate.genotype


def _as_small(a: Candidate[ChoiceT], b: Candidate[ChoiceT]) -> bool:
    return a.footprint.sram_bytes <= b.footprint.sram_bytes and a.footprint.macs <= b.footprint.macs
