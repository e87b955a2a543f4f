"""A recurrent policy over token sequences, and its update by PPO, in NumPy.

One LSTM cell reads the token chosen last and gives the logits of the next; every position has its own
embeddings and its own output weights. Gradients are written out, as search must not need a training framework
(`tests/search/test_policy.py` holds them against finite differences).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
#: tokens of sequences [n, positions]
Sequences: TypeAlias = NDArray[np.int64]
Weights: TypeAlias = Mapping[str, Floats]

_HIDDEN = 32
#: the smaller, the nearer to uniform a fresh policy is
_SPREAD = 0.1


@dataclass(frozen=True, slots=True)
class Ppo:
    """How a policy learns (Schulman et al., arXiv 1707.06347, section 3): `passes` over a batch by Adam.

    Probability ratios are clipped to 1 +- `clip`; `entropy` weighs the bonus for staying undecided.
    """

    rate: float = 0.01
    passes: int = 8
    clip: float = 0.2
    entropy: float = 0.02


@dataclass(frozen=True)
class Policy:
    """The weights after some updates, and Adam's moments; never changed in place. `sizes[i]` tokens at i."""

    sizes: tuple[int, ...]
    weights: Weights
    first: Weights
    second: Weights
    steps: int = 0

    def sample(self, count: int, rng: np.random.Generator) -> Sequences:
        """`count` sequences drawn from the policy."""
        tokens = np.zeros((count, len(self.sizes)), np.int64)
        state = _start(count)
        for place in range(len(self.sizes)):
            logits, state, _ = _step(self, place, tokens, state)
            below = np.cumsum(np.exp(_log_softmax(logits)), axis=1)
            # rounding may leave the last sum below 1
            tokens[:, place] = (rng.random((count, 1)) >= below[:, :-1]).sum(axis=1)
        return tokens

    def log_probabilities(self, tokens: Sequences) -> Floats:
        """Of every token given those before it: [n, positions]."""
        return _chosen(_logits(self, tokens)[0], tokens)

    def updated(self, tokens: Sequences, advantages: Floats, ppo: Ppo) -> Policy:
        """The policy after PPO on `tokens` [n, positions], which did better than expected by `advantages`."""
        policy, before = self, self.log_probabilities(tokens)
        for _ in range(ppo.passes):
            _, slopes = loss(policy, tokens, advantages, before, ppo)
            policy = _adam(policy, slopes, ppo.rate)
        return policy


def fresh_policy(sizes: Sequence[int], seed: int = 0) -> Policy:
    """A policy that has learnt nothing: near to uniform."""
    rng, outputs = np.random.default_rng(seed), sum(sizes)
    shapes = {
        # the row before those of the first position is the start's
        "embedding": (1 + outputs, _HIDDEN),
        "input": (_HIDDEN, 4 * _HIDDEN),
        "recurrent": (_HIDDEN, 4 * _HIDDEN),
        "bias": (4 * _HIDDEN,),
        "output": (_HIDDEN, outputs),
        "output_bias": (outputs,),
    }
    weights = {name: _SPREAD * rng.standard_normal(shape) for name, shape in shapes.items()}
    nothing = {name: np.zeros(shape) for name, shape in shapes.items()}
    return Policy(tuple(sizes), _frozen(weights), _frozen(nothing), _frozen(nothing))


def loss(
    policy: Policy, tokens: Sequences, advantages: Floats, before: Floats, ppo: Ppo
) -> tuple[float, dict[str, Floats]]:
    """PPO's clipped loss with the entropy bonus, the mean over tokens, and its gradient by weight.

    `before` are log probabilities [n, positions] under the policy that chose the tokens.
    """
    logits, caches = _logits(policy, tokens)
    logs = [_log_softmax(each) for each in logits]
    ratio = np.exp(_chosen(logits, tokens) - before)
    gain, limit = (
        ratio * advantages[:, None],
        np.clip(ratio, 1 - ppo.clip, 1 + ppo.clip) * advantages[:, None],
    )
    # where the clipped value is the smaller, nothing depends on the policy
    slope = np.where(gain <= limit, gain, 0.0)
    entropies = np.stack([-(np.exp(log) * log).sum(axis=1) for log in logs], axis=1)
    value = -np.mean(np.minimum(gain, limit) + ppo.entropy * entropies)
    on_logits = []
    for place, log in enumerate(logs):
        share = np.exp(log)
        chosen = np.eye(policy.sizes[place])[tokens[:, place]]
        gained = slope[:, [place]] * (chosen - share)
        kept = -share * (log + entropies[:, [place]])
        on_logits.append(-(gained + ppo.entropy * kept) / tokens.size)
    return float(value), _backward(policy, on_logits, caches)


@dataclass(frozen=True, slots=True)
class _Cache:
    """What the gradient of one step needs."""

    rows: NDArray[np.int64]
    gates: tuple[Floats, Floats, Floats, Floats]
    cell_before: Floats
    cell: Floats
    hidden_before: Floats
    hidden: Floats


def _start(count: int) -> tuple[Floats, Floats]:
    return np.zeros((count, _HIDDEN)), np.zeros((count, _HIDDEN))


def _step(
    policy: Policy, place: int, tokens: Sequences, state: tuple[Floats, Floats]
) -> tuple[Floats, tuple[Floats, Floats], _Cache]:
    """Logits at `place` [n, size], the state after it (hidden, cell), and what the gradient needs."""
    weights, (hidden, cell) = policy.weights, state
    rows = _rows(policy.sizes, place, tokens)
    sums = weights["embedding"][rows] @ weights["input"] + hidden @ weights["recurrent"] + weights["bias"]
    i, f, o, g = np.split(sums, 4, axis=1)
    i, f, o, g = _sigmoid(i), _sigmoid(f + 1.0), _sigmoid(o), np.tanh(g)
    after = f * cell + i * g
    out = o * np.tanh(after)
    part = _part(policy.sizes, place)
    logits = out @ weights["output"][:, part] + weights["output_bias"][part]
    return logits, (out, after), _Cache(rows, (i, f, o, g), cell, after, hidden, out)


def _logits(policy: Policy, tokens: Sequences) -> tuple[list[Floats], list[_Cache]]:
    """Logits at every position, given the tokens before it."""
    state, logits, caches = _start(len(tokens)), [], []
    for place in range(len(policy.sizes)):
        each, state, cache = _step(policy, place, tokens, state)
        logits.append(each)
        caches.append(cache)
    return logits, caches


def _backward(policy: Policy, on_logits: Sequence[Floats], caches: Sequence[_Cache]) -> dict[str, Floats]:
    """The gradient by weight, from that by logits: through time, last position first."""
    weights = policy.weights
    slopes = {name: np.zeros_like(weight) for name, weight in weights.items()}
    on_hidden, on_cell = (np.zeros_like(each) for each in _start(len(on_logits[0])))
    for place in reversed(range(len(policy.sizes))):
        cache, part, on_logit = caches[place], _part(policy.sizes, place), on_logits[place]
        (i, f, o, g), bent = cache.gates, np.tanh(cache.cell)
        slopes["output"][:, part] += cache.hidden.T @ on_logit
        slopes["output_bias"][part] += on_logit.sum(axis=0)
        on_hidden = on_hidden + on_logit @ weights["output"][:, part].T
        on_cell = on_cell + on_hidden * o * (1 - bent**2)
        on_sums = np.concatenate(
            [
                on_cell * g * i * (1 - i),
                on_cell * cache.cell_before * f * (1 - f),
                on_hidden * bent * o * (1 - o),
                on_cell * i * (1 - g**2),
            ],
            axis=1,
        )
        slopes["input"] += weights["embedding"][cache.rows].T @ on_sums
        slopes["recurrent"] += cache.hidden_before.T @ on_sums
        slopes["bias"] += on_sums.sum(axis=0)
        np.add.at(slopes["embedding"], cache.rows, on_sums @ weights["input"].T)
        on_hidden, on_cell = on_sums @ weights["recurrent"].T, on_cell * f
    return slopes


def _adam(policy: Policy, slopes: Weights, rate: float) -> Policy:
    """One step of Adam (arXiv 1412.6980) with its usual decays."""
    steps, low = policy.steps + 1, 1e-8
    first = {name: 0.9 * policy.first[name] + 0.1 * slope for name, slope in slopes.items()}
    second = {name: 0.999 * policy.second[name] + 0.001 * slope**2 for name, slope in slopes.items()}
    scale = rate * np.sqrt(1 - 0.999**steps) / (1 - 0.9**steps)
    weights = {
        name: weight - scale * first[name] / (np.sqrt(second[name]) + low)
        for name, weight in policy.weights.items()
    }
    return replace(
        policy, weights=_frozen(weights), first=_frozen(first), second=_frozen(second), steps=steps
    )


def _rows(sizes: Sequence[int], place: int, tokens: Sequences) -> NDArray[np.int64]:
    """Embedding rows of what was chosen before `place`."""
    if place == 0:
        return np.zeros(len(tokens), np.int64)
    rows: NDArray[np.int64] = 1 + sum(sizes[: place - 1]) + tokens[:, place - 1]
    return rows


def _part(sizes: Sequence[int], place: int) -> slice:
    """Where the outputs of `place` are."""
    begin = sum(sizes[:place])
    return slice(begin, begin + sizes[place])


def _chosen(logits: Sequence[Floats], tokens: Sequences) -> Floats:
    rows = np.arange(len(tokens))
    return np.stack([_log_softmax(each)[rows, tokens[:, i]] for i, each in enumerate(logits)], axis=1)


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    normalised: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return normalised


def _sigmoid(x: Floats) -> Floats:
    half: Floats = 0.5 * (1 + np.tanh(0.5 * x))
    return half


def _frozen(weights: dict[str, Floats]) -> Weights:
    return MappingProxyType(weights)
