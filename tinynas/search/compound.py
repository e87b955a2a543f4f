"""Grid search by compound scaling (EfficientNet, arXiv 1905.11946, section 3.3).

Depth grows by alpha^phi, width by beta^phi, resolution by gamma^phi, where alpha * beta^2 * gamma^2 is 2, so
that each step of phi doubles the computation. The paper looks for the coefficients on a grid at phi = 1, then
keeps them and lets phi grow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from tinynas.search.candidate import Candidate, Origin
from tinynas.search.objective import ranked
from tinynas.search.pool import Pool, Proposal
from tinynas.search.space_protocol import ChoiceT, Space
from tinynas.search.strategy import require_at_least
from tinynas.spaces.genes import Dimension, Gene

#: what beta and gamma can be; alpha follows from them
_FACTORS = (1.0, 1.1, 1.2, 1.3, 1.4)
#: values of a gene that is no size, which all its numbers then have alike
_SETTINGS = 3
#: steps of phi: the paper's smallest, and the last that is looked at
_PHI_STEP, _MOST_PHI = 0.5, 16.0


@dataclass(frozen=True, slots=True)
class Coefficients:
    """How depth (alpha), width (beta) and resolution (gamma) share a doubling of computation."""

    alpha: float
    beta: float
    gamma: float

    def factors(self, phi: float) -> Mapping[Dimension, float]:
        """By what each dimension is multiplied."""
        return {
            Dimension.DEPTH: self.alpha**phi,
            Dimension.WIDTH: self.beta**phi,
            Dimension.RESOLUTION: self.gamma**phi,
        }


def coefficient_grid() -> list[Coefficients]:
    """Every beta and gamma on a grid of tenths that leave alpha = 2 / (beta^2 * gamma^2) at least 1."""
    pairs = [(beta, gamma) for beta, gamma in product(_FACTORS, _FACTORS) if beta**2 * gamma**2 <= 2]
    return [Coefficients(2 / (beta**2 * gamma**2), beta, gamma) for beta, gamma in pairs]


@dataclass(frozen=True, kw_only=True)
class CompoundGrid:
    """First every pair of coefficients at phi = 1, then the best of them first, phi from large to small.

    The baseline is the smallest network of the space. In a space of few choices a scaled network is the
    nearest the space has: where a size has a number for each stage, what one stage had to round off is made
    up for by the next, so that totals come near; a dimension at its end stays there, and a step then
    doubles nothing. Genes that are no size (kernels, group widths) take up to three values each, alike all
    over. Different coefficients often mean one network, which is scored once; the grid may end before its
    evaluations do. What does not fit is passed over, so phi begins at the largest that does.

    Raises:
        RequestError: there is nothing to score.
    """

    evaluations: int

    def __post_init__(self) -> None:
        require_at_least(1, evaluations=self.evaluations)

    @property
    def generations(self) -> int:
        """The grid of coefficients, then growth."""
        return 2

    def propose(
        self, generation: int, scored: Sequence[Candidate[ChoiceT]], pool: Pool[ChoiceT]
    ) -> list[Proposal[ChoiceT]]:
        """The grid of coefficients, then the growth of the best."""
        space = pool.space
        first = {c: scaled(space, space.smallest(), c.factors(1.0)) for c in coefficient_grid()}
        if generation == 0:
            baseline = pool.offered(1, Origin.SEED, [space.smallest()])
            left = self.evaluations - len(baseline)
            return baseline + pool.offered(left, Origin.GRID, first.values())
        place = {candidate.genotype: i for i, candidate in enumerate(ranked(scored))}
        best_first = sorted(first, key=lambda c: place.get(str(space.genotype(first[c])), len(place)))
        count = self.evaluations - len(scored)
        return pool.offered(count, Origin.GRID, _growth(space, best_first))


def scaled(space: Space[ChoiceT], choice: ChoiceT, factors: Mapping[Dimension, float]) -> ChoiceT:
    """The network of `space` nearest to `choice` with each dimension multiplied."""
    codes: list[float] = []
    for name, gene in space.genes.items():
        own = gene.encode(getattr(choice, name))
        dimension = space.dimensions.get(name)
        codes += own if dimension is None else _grown(gene, own, factors[dimension])
    return space.decode(codes)


def _grown(gene: Gene, codes: Sequence[float], factor: float) -> list[float]:
    """Codes of the values multiplied by `factor`, each rounding made up for by the next."""
    grown, owed = [], 0.0
    for number, code in zip(gene.numbers, codes, strict=True):
        target = factor * number.at(code) + owed
        value = number.nearest(target)
        grown.append(number.place(value))
        # an end of the range owes nothing to the next
        owed = target - value if number.nearest(target + value) != value else 0.0
    return grown


def _growth(space: Space[ChoiceT], best_first: Sequence[Coefficients]) -> Iterator[ChoiceT]:
    """Every coefficient's networks, from the largest phi down, with every setting of the other genes."""
    bases = [space.decode(codes) for codes in _settings(space)]
    steps = math.floor(_MOST_PHI / _PHI_STEP)
    for coefficients in best_first:
        for step in range(steps, -1, -1):
            for base in bases:
                yield scaled(space, base, coefficients.factors(step * _PHI_STEP))


def _settings(space: Space[ChoiceT]) -> Iterator[list[float]]:
    """Codes of the smallest network with the genes that are no size at each of their settings."""
    smallest = space.smallest()
    options: list[list[tuple[float, ...]]] = []
    for name, gene in space.genes.items():
        own = gene.encode(getattr(smallest, name))
        free = name not in space.dimensions
        options.append([own] if not free else list(dict.fromkeys(_uniform(gene))))
    for parts in product(*options):
        yield [code for part in parts for code in part]


def _uniform(gene: Gene) -> Iterator[tuple[float, ...]]:
    """Codes with all numbers of `gene` alike."""
    for i in range(_SETTINGS):
        place = (i + 0.5) / _SETTINGS
        yield tuple(number.place(number.at(place)) for number in gene.numbers)
