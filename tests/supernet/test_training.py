"""Training resumes bit for bit, accumulates what it should, and scores purely."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
import keras  # noqa: E402

from tinynas.data import BatchStream, Split  # noqa: E402
from tinynas.errors import RunError  # noqa: E402
from tinynas.spaces.mobile import Choice, MobileSpace, make_space  # noqa: E402
from tinynas.supernet.backends import build_supernet, make_learner  # noqa: E402
from tinynas.supernet.model import Supernet  # noqa: E402
from tinynas.supernet.phase import FixedSampler, Phase, Progress, RandomSampler  # noqa: E402
from tinynas.supernet.scoring import Calibration, Calibrator, Scorer  # noqa: E402
from tinynas.supernet.sorting import sort_channels  # noqa: E402
from tinynas.supernet.training import Training, finished, load_weights  # noqa: E402

SPACE = make_space(0.2, 8, 8, 1, 4, elastic=[6])


def _pictures(count: int = 48) -> Split:
    rng = np.random.default_rng(5)
    labels = np.arange(count) % 4
    images = rng.integers(0, 64, (count, 8, 8, 1)) + labels[:, None, None, None] * 60
    return Split(images.astype(np.uint8), labels.astype(np.int64))


class Killed(Exception):
    """Stands for kill -9 between two steps."""


def _train(folder: Path, stop_at: int | None = None) -> list[np.ndarray]:
    """Weights after six steps, killed after `stop_at` if given; a checkpoint after every step."""
    model = build_supernet(SPACE, seed=0)

    def on_step(progress: Progress) -> None:
        if progress.step == stop_at:
            raise Killed

    training = Training(
        model,
        Phase("test", 0, 6, 0.05, FixedSampler(SPACE.smallest())),
        BatchStream(_pictures(), batch_size=16, seed=0),
        seed=3,
        checkpoint=folder / "test.npz",
        save=lambda content: (folder / "test.npz").write_bytes(content) and None,
    )
    training.advance(on_step=on_step)
    return [np.asarray(keras.ops.convert_to_numpy(v)) for v in model.trainable_variables]


def test_a_killed_training_resumes_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinynas.supernet.training.CHECKPOINT_SECONDS", 0.0)
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    whole.mkdir(), halves.mkdir()
    uninterrupted = _train(whole)
    with pytest.raises(Killed):
        _train(halves, stop_at=4)
    resumed = _train(halves)
    for a, b in zip(uninterrupted, resumed, strict=True):
        np.testing.assert_array_equal(a, b)
    phase = Phase("test", 0, 6, 0.05, FixedSampler(SPACE.smallest()))
    assert finished(halves / "test.npz", phase)

    other = build_supernet(make_space(0.4, 8, 8, 1, 4), seed=0)
    with pytest.raises(RunError, match="another network"):
        load_weights(other, halves / "test.npz")
    half = (halves / "test.npz").read_bytes()
    for damaged in (b"PK damaged", half[: len(half) // 2], b""):
        (halves / "test.npz").write_bytes(damaged)
        with pytest.raises(RunError, match="damaged"):
            load_weights(build_supernet(SPACE, seed=0), halves / "test.npz")
    with pytest.raises(RunError, match="missing"):
        load_weights(build_supernet(SPACE, seed=0), halves / "absent.npz")


def test_accumulated_gradients_are_their_weighted_sum() -> None:
    """Two halves of one batch, accumulated, step exactly as plain SGD on the mean of their gradients."""
    choice, split = replace(SPACE.smallest(), resolution=8), _pictures(32)
    halves = [(split.images[s], split.labels[s]) for s in (slice(0, 16), slice(16, 32))]

    def stepped(batches: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        model = build_supernet(SPACE, seed=0)
        learner = make_learner(model, keras.optimizers.SGD(1.0), 0.1, choice)
        for images, labels in batches:
            learner.accumulate(images, labels, choice, 1 / len(batches))
        learner.apply()
        return keras.ops.convert_to_numpy(model.classifier)

    start = keras.ops.convert_to_numpy(build_supernet(SPACE, seed=0).classifier)
    together = stepped(halves) - start
    apart = sum(stepped([half]) - start for half in halves) / 2
    assert np.abs(together).max() > 1e-3
    np.testing.assert_allclose(together, apart, atol=1e-5)


def test_sorting_channels_changes_no_score_and_orders_by_importance() -> None:
    model = build_supernet(SPACE, seed=0)
    split, choice = _pictures(), SPACE.largest()
    calibrator = Calibrator(model, split, calibration=Calibration(2, 16), seed=0, fixed=choice)
    scorer = Scorer(calibrator, split)
    before = scorer.logits(choice)
    sort_channels(model)
    np.testing.assert_allclose(scorer.logits(choice), before, rtol=1e-3, atol=1e-3)
    for block in model.slots:
        importance = np.abs(keras.ops.convert_to_numpy(block.project.kernel)).sum(axis=(0, 1, 3))
        assert (np.diff(importance) <= 1e-6).all()


def test_random_sampler_draws_satisfying_networks_of_one_resolution() -> None:
    rng = np.random.default_rng(0)
    sampler = RandomSampler(SPACE, 4, satisfies=lambda choice: choice.depths[0] == 2)
    seen = set()
    for _ in range(40):
        choices = sampler(rng)
        assert len(choices) == 4
        assert {c.resolution for c in choices} <= {6} or {c.resolution for c in choices} <= {8}
        assert all(c.depths[0] == 2 for c in choices)
        seen.add(choices[0].resolution)
    assert seen == {6, 8}


def test_random_sampler_gives_up_redrawing() -> None:
    assert (
        len(RandomSampler(SPACE, 2, satisfies=lambda choice: False, tries=3)(np.random.default_rng(0))) == 2
    )


def test_learning_rate_is_one_cycle() -> None:
    phase = Phase("p", 0, 100, 0.2, FixedSampler(SPACE.largest()))
    rates = [phase.rate(step) for step in range(100)]
    peak = int(np.argmax(rates))
    assert rates[peak] == pytest.approx(0.2) and 15 <= peak <= 25
    assert (np.diff(rates[:peak]) > 0).all() and (np.diff(rates[peak:]) < 0).all()
    assert rates[-1] < 0.001


def test_convolutions_of_a_choice_match_its_graph() -> None:
    """The supernet's walk over a sub-network has the kernels that the planned Graph has."""
    from tinynas.export.inherit import inherited_weights

    rng = np.random.default_rng(0)
    model = Supernet(SPACE, seed=0)
    statistics = np.ones(model.statistics_size, np.float32)
    for _ in range(5):
        choice: Choice = SPACE.sample(rng)
        # NetworkWeights checks every shape against build_graph
        assert inherited_weights(model, choice, statistics).genotype == SPACE.genotype(choice)
    assert isinstance(SPACE, MobileSpace)
