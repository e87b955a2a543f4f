"""The recurrent policy: its gradient against finite differences, what it draws, and that it learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.search.policy import Policy, Ppo, fresh_policy, loss

sizes_of_tokens = st.lists(st.integers(1, 5), min_size=1, max_size=6)


def _moved(policy: Policy, name: str, place: int, by: float) -> Policy:
    weight = policy.weights[name].copy()
    weight.flat[place] += by
    return replace(policy, weights={**policy.weights, name: weight})


@given(sizes=sizes_of_tokens, seed=st.integers(0, 2**31), drift=st.floats(0, 0.5))
@settings(max_examples=25, deadline=None)
def test_the_gradient_is_that_of_finite_differences(sizes: list[int], seed: int, drift: float) -> None:
    rng = np.random.default_rng(seed)
    policy = fresh_policy(sizes, seed)
    # far from the start's smallness, where every path of the cell matters
    policy = replace(policy, weights={name: 8 * weight for name, weight in policy.weights.items()})
    tokens = policy.sample(4, rng)
    advantages = rng.standard_normal(4)
    before = policy.log_probabilities(tokens) + drift * rng.standard_normal(tokens.shape)
    # where a ratio passes its clip within the difference there is no derivative to compare with
    ratio = np.exp(policy.log_probabilities(tokens) - before)
    ppo = Ppo(entropy=0.3, clip=0.2 if np.abs(np.abs(ratio - 1) - 0.2).min() > 1e-3 else 9.0)
    _, slopes = loss(policy, tokens, advantages, before, ppo)
    step = 1e-5
    for name, slope in slopes.items():
        assert slope.shape == policy.weights[name].shape
        # the steepest, and some at random
        for place in {int(np.abs(slope).argmax()), *map(int, rng.integers(slope.size, size=4))}:
            above, below = (
                loss(_moved(policy, name, place, sign * step), tokens, advantages, before, ppo)[0]
                for sign in (1, -1)
            )
            assert slope.flat[place] == pytest.approx((above - below) / (2 * step), rel=1e-4, abs=1e-8)


def test_it_draws_what_its_probabilities_say() -> None:
    policy = fresh_policy((3, 2), seed=4)
    policy = replace(policy, weights={name: 6 * weight for name, weight in policy.weights.items()})
    every = np.array([(a, b) for a in range(3) for b in range(2)])
    expected = np.exp(policy.log_probabilities(every).sum(axis=1))
    assert expected.sum() == pytest.approx(1)
    assert expected.max() / expected.min() > 1.5
    drawn = policy.sample(20_000, np.random.default_rng(0))
    counts = np.array([(drawn == pair).all(axis=1).sum() for pair in every])
    # three standard deviations of a binomial, and a little
    assert np.all(np.abs(counts / 20_000 - expected) < 3.5 * np.sqrt(expected / 20_000))


def test_a_fresh_policy_is_near_to_uniform() -> None:
    sizes = (4, 2, 7)
    policy = fresh_policy(sizes)
    likely = np.exp(policy.log_probabilities(policy.sample(50, np.random.default_rng(0))))
    assert np.allclose(likely * sizes, 1, atol=0.5)


@given(sizes=sizes_of_tokens, seed=st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_what_did_well_becomes_likelier(sizes: list[int], seed: int) -> None:
    policy = fresh_policy([size + 1 for size in sizes], seed)
    good = policy.sample(1, np.random.default_rng(seed))
    bad = (good + 1) % policy.sizes
    tokens, weights = np.concatenate([good, bad]), dict(policy.weights)
    learnt = policy.updated(tokens, np.array([1.0, -1.0]), Ppo(entropy=0.0))
    before, after = (p.log_probabilities(tokens).sum(axis=1) for p in (policy, learnt))
    assert after[0] > before[0] and after[1] < before[1]
    assert all(policy.weights[name] is weights[name] for name in weights), "changed in place"


def test_equal_rewards_and_no_entropy_teach_nothing() -> None:
    policy = fresh_policy((3, 3))
    tokens = policy.sample(5, np.random.default_rng(0))
    learnt = policy.updated(tokens, np.zeros(5), Ppo(entropy=0.0))
    assert all(np.array_equal(learnt.weights[name], policy.weights[name]) for name in policy.weights)


def test_the_clip_bounds_how_far_one_batch_moves_it() -> None:
    policy = fresh_policy((5,) * 4)
    tokens = policy.sample(8, np.random.default_rng(1))
    advantages = np.linspace(-1, 1, 8)
    near, far = (policy.updated(tokens, advantages, Ppo(passes=60, clip=c, entropy=0)) for c in (0.1, 50.0))
    moved = [
        np.abs(p.log_probabilities(tokens) - policy.log_probabilities(tokens)).max() for p in (near, far)
    ]
    assert moved[0] < moved[1] / 3
