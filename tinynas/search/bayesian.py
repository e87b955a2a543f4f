"""Bayesian optimisation by tree-structured Parzen estimators, as optuna has them (Bergstra et al., 2011).

Two densities are fitted over the tokens of networks scored so far, one to the best and one to the rest, and
the network drawn next is the likeliest under their ratio.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinynas.search.candidate import Candidate, Origin
from tinynas.search.objective import ranked
from tinynas.search.pool import Pool, Proposal
from tinynas.search.space_protocol import ChoiceT
from tinynas.search.strategy import RandomStart, require_at_least
from tinynas.search.tokens import Alphabet

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

#: draws in a row that may bring nothing new that fits before the rest of a generation is drawn at random
_MOST_BARREN = 100


@dataclass(frozen=True, kw_only=True)
class BayesianSearch(RandomStart):
    """`startup` networks at random, then `together` at a time from the estimator.

    The estimator is rebuilt from the journal for every proposal and seeded by the pool's generator, so that a
    killed search goes on identically. It is told the networks in the order of scoring, since the oldest weigh
    least with it, and of each the rank, not the accuracy, of which it uses nothing else. A draw that does not
    fit, or was scored before, is told as failed, which the estimator ignores, and drawn again.

    Raises:
        RequestError: a setting is out of its range.
    """

    startup: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(1, startup=self.startup)

    @property
    def opening(self) -> int:
        """As many as the estimator begins with."""
        return self.startup

    def follow(
        self, scored: Sequence[Candidate[ChoiceT]], pool: Pool[ChoiceT], count: int
    ) -> list[Proposal[ChoiceT]]:
        """Those that the estimator thinks good."""
        alphabet = Alphabet(pool.space)
        study, distributions = _study(scored, alphabet, int(pool.rng.integers(2**32)))
        found: list[Proposal[ChoiceT]] = []
        barren = 0
        while len(found) < count and barren < _MOST_BARREN:
            trial = study.ask(distributions)
            choice = alphabet.choice([trial.params[name] for name in distributions])
            proposals = pool.offered(1, Origin.MODEL, [choice])
            if not proposals:
                _fail(study, trial.number)
            barren = 0 if proposals else barren + 1
            found += proposals
        return found + pool.random(count - len(found))


def _fail(study: Study, number: int) -> None:
    from optuna.trial import TrialState

    study.tell(number, state=TrialState.FAIL)


def _study(
    scored: Sequence[Candidate[ChoiceT]], alphabet: Alphabet[ChoiceT], seed: int
) -> tuple[Study, dict[str, BaseDistribution]]:
    """An optuna study of all that is scored, and what it chooses from."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions: dict[str, BaseDistribution] = {
        f"{i:03}": optuna.distributions.IntDistribution(0, size - 1) for i, size in enumerate(alphabet.sizes)
    }
    with warnings.catch_warnings():
        # joint densities, and distance from what is still being scored, were long called experimental
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=0, multivariate=True, constant_liar=True
        )
    study = optuna.create_study(sampler=sampler)
    ranks = {candidate.genotype: float(rank) for rank, candidate in enumerate(ranked(scored))}
    for candidate in scored:
        params = dict(zip(distributions, alphabet.tokens(candidate.choice), strict=True))
        study.add_trial(
            optuna.trial.create_trial(
                params=params, distributions=distributions, value=ranks[candidate.genotype]
            )
        )
    return study, distributions
