"""A network trained alone: as its Graph, resumable, and exported as what it computes."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from keras import ops  # noqa: E402

from tinynas.data import Split  # noqa: E402
from tinynas.export import float_logits  # noqa: E402
from tinynas.export.inherit import trained_weights  # noqa: E402
from tinynas.networks import Genotype, parse_genotype, trainable_params  # noqa: E402
from tinynas.supernet.alone import NetworkTrainer, Recipe, forget_networks  # noqa: E402
from tinynas.supernet.network import Network  # noqa: E402
from tinynas.supernet.scoring import Calibration, Calibrator, Scorer  # noqa: E402

#: every kind of operator that a genotype makes
NETWORKS = [
    "r8x3 conv_k3_s2_c8 ir_k3_s1_e3_c8_se0.25 ir_k5_s2_e4_c16_se0.5 fc_c10",
    "r6x1 conv_k1_s1_c1 ir_k3_s1_e3_c1 ir_k7_s2_e1_c1 fc_c2",
    "r8x3 conv_k3_s2_c8_relu x_k3_s1_c16_b1_g4_se0.25 x_k3_s2_c24_b2_g12 x_k3_s1_c24_b1_g1 fc_c4",
    "r8x3 fc_c2",
]
RECIPE = Recipe(epochs=4, batch_size=16, peak_rate=0.05, calibration=Calibration(2, 16))


def _pictures(genotype: Genotype, count: int = 48) -> Split:
    rng = np.random.default_rng(5)
    labels = np.arange(count) % genotype.classes
    side = genotype.resolution
    bright = (labels * 180 // max(1, genotype.classes - 1))[:, None, None, None]
    images = rng.integers(0, 64, (count, side, side, genotype.in_channels)) + bright
    return Split(images.astype(np.uint8), labels.astype(np.int64))


@pytest.mark.parametrize("text", NETWORKS)
def test_a_network_computes_what_it_is_exported_as(text: str) -> None:
    genotype, rng = parse_genotype(text), np.random.default_rng(0)
    network, pictures = Network(genotype, seed=0), _pictures(genotype)
    for variable in network.trainable_variables:  # away from the ones and zeros it starts with
        variable.assign(ops.convert_to_numpy(variable) + rng.normal(0, 0.05, variable.shape))
    calibrator = Calibrator(network, pictures, calibration=Calibration(2, 20), seed=0, fixed=genotype)
    inside = Scorer(calibrator, pictures).logits(genotype)
    outside = float_logits(trained_weights(network, calibrator.statistics(genotype)), pictures.images)
    assert np.ptp(inside) > 0.1
    np.testing.assert_allclose(outside, inside, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("text", NETWORKS)
def test_it_trains_the_parameters_that_are_counted(text: str) -> None:
    genotype = parse_genotype(text)
    variables = Network(genotype).trainable_variables
    assert sum(int(np.prod(v.shape)) for v in variables) == trainable_params(genotype)


def test_training_goes_on_from_any_epoch_to_the_same_end(tmp_path: Path) -> None:
    genotype = parse_genotype("r6x1 conv_k3_s2_c8 ir_k3_s1_e2_c8_se0.25 fc_c3")
    pictures, file = _pictures(genotype), tmp_path / "network.npz"

    def trainer(checkpoint: Path | None = None) -> NetworkTrainer:
        save = (lambda content: None) if checkpoint is None else _writer(checkpoint)
        return NetworkTrainer(genotype, pictures, RECIPE, seed=1, checkpoint=checkpoint, save=save)

    whole = trainer()
    whole.train_to()
    halves = trainer(file)
    halves.train_to(1)
    early = halves.accuracy(pictures)
    del halves
    resumed = trainer(file)
    assert resumed.epoch == 1
    assert resumed.accuracy(pictures) == early
    resumed.train_to(3)
    resumed.train_to(2)  # is behind it: nothing happens
    resumed.train_to()
    assert resumed.epoch == whole.epoch == 4
    for a, b in zip(whole.network.trainable_variables, resumed.network.trainable_variables, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(a), ops.convert_to_numpy(b))
    assert whole.accuracy(pictures) == resumed.accuracy(pictures) > 0.9


def test_nothing_of_a_network_stays_once_it_is_forgotten() -> None:
    _train_and_score(NETWORKS[1])  # what the first of a process leaves is left once
    graphs, tensors = _living()
    _train_and_score(NETWORKS[2])
    after = _living()
    assert after[0] <= graphs
    assert after[1] <= tensors


def _train_and_score(text: str) -> None:
    genotype = parse_genotype(text)
    trainer = NetworkTrainer(genotype, _pictures(genotype), RECIPE, seed=0)
    trainer.train_to(1)
    trainer.accuracy(_pictures(genotype))


def _living() -> tuple[int, int]:
    """Graphs and tensors of TensorFlow that Python holds."""
    forget_networks()
    kinds = [type(thing) for thing in gc.get_objects()]
    return sum(issubclass(kind, tf.Graph) for kind in kinds), kinds.count(type(tf.constant(0)))


def _writer(path: Path) -> object:
    return lambda content: path.write_bytes(content) and None
