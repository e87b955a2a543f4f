"""MnasNet's controller (arXiv 1807.11626, section 4.2): a recurrent policy that learns from scores by PPO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from tinynas.search.candidate import Candidate, Origin
from tinynas.search.policy import Floats, Policy, Ppo, fresh_policy
from tinynas.search.pool import Pool, Proposal
from tinynas.search.space_protocol import ChoiceT
from tinynas.search.strategy import RandomStart
from tinynas.search.tokens import Alphabet

#: sequences drawn from the policy at a time, and at most for each network wanted
_AT_ONCE, _MOST_DRAWS = 16, 32
#: of the rewards expected, what each generation leaves
_MEMORY = 0.8


@dataclass(frozen=True, kw_only=True)
class Controller(RandomStart):
    """`together` networks at random, then generations of as many drawn from a policy, which learns from each.

    The reward is what the search maximises; by how much a network did better than expected, a moving
    average of the generations before, is its advantage, in units of their quadratic mean in its generation.
    The policy is trained anew from the journal for every proposal, so a killed search goes on identically.
    It never hears of draws that do not fit, or were scored before: they cost nothing and are drawn again,
    so it learns what is good among networks that fit. Where its draws bring too few, the rest of a
    generation is drawn at random, from which it learns as well.

    Raises:
        RequestError: a setting is out of its range.
    """

    together: int = 10
    ppo: Ppo = field(default_factory=Ppo)

    @property
    def opening(self) -> int:
        """A generation like every other."""
        return self.together

    def follow(
        self, scored: Sequence[Candidate[ChoiceT]], pool: Pool[ChoiceT], count: int
    ) -> list[Proposal[ChoiceT]]:
        """Those that the policy draws."""
        alphabet = Alphabet(pool.space)
        policy = self._trained(scored, alphabet)

        def drawn() -> Iterator[ChoiceT]:
            for _ in range(_MOST_DRAWS * count // _AT_ONCE):
                yield from map(alphabet.choice, policy.sample(_AT_ONCE, pool.rng))

        found = pool.offered(count, Origin.MODEL, drawn())
        return found + pool.random(count - len(found))

    def _trained(self, scored: Sequence[Candidate[ChoiceT]], alphabet: Alphabet[ChoiceT]) -> Policy:
        """The policy after all generations of `scored`."""
        policy, expected = fresh_policy(alphabet.sizes), None
        for _, members in groupby(scored, key=lambda candidate: candidate.generation):
            batch = list(members)
            # below 0 is what does not fit any more, by how much: no more than nothing to learn from
            rewards = np.array([max(0.0, candidate.merit) for candidate in batch], np.float64)
            mean = float(rewards.mean())
            expected = mean if expected is None else expected
            tokens = np.array([alphabet.tokens(candidate.choice) for candidate in batch], np.int64)
            policy = policy.updated(tokens, _advantages(rewards, expected), self.ppo)
            expected = _MEMORY * expected + (1 - _MEMORY) * mean
        return policy


def _advantages(rewards: Floats, expected: float) -> Floats:
    """How much better than `expected` each did, by their quadratic mean: at most the root of their number.

    By their deviation, rewards that are all alike would be without bound, and Adam's moments slow ever after.
    """
    better = rewards - expected
    usual = float(np.sqrt(np.mean(better**2)))
    return better / usual if usual else better
