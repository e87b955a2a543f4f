"""Shared weights are cut alike by slices, masks and plain integers; batch normalisation is Keras's own."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
import keras  # noqa: E402

from tinynas.networks import MBConv  # noqa: E402
from tinynas.supernet.layers import EPSILON, Masks, Slices, _normalise_by_batch  # noqa: E402
from tinynas.supernet.model import InvertedBottleneck  # noqa: E402

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="compares TensorFlow's two ways"
)

BLOCKS = [MBConv(7, stride, 8, expand) for stride, expand in itertools.product((1, 2), (1, 6))]


def _block(block: MBConv, cutter: Slices | Masks) -> InvertedBottleneck:
    layer = InvertedBottleneck(block, 8, max_kernel=7, cutter=cutter, rng=np.random.default_rng(1))
    for part in layer.parts:  # betas that are not zero show what dormant channels leak
        part.beta.assign(np.random.default_rng(2).normal(size=part.channels))
    return layer


def _outputs(layer: InvertedBottleneck, x: object, kernel: object, expand: object) -> list[np.ndarray]:
    return [np.asarray(value) for value in _traced(layer, x, kernel, expand)]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_three_ways_of_cutting_agree_in_outputs_and_gradients(block: MBConv, kernel: int) -> None:
    x = tf.constant(np.random.default_rng(3).normal(size=(4, 9, 9, 8)).astype(np.float32))
    expand = 3 if block.expand > 1 else 1
    static = _outputs(_block(block, Slices()), x, kernel, expand)
    sliced_layer, masked_layer = _block(block, Slices()), _block(block, Masks())
    signature = [
        tf.TensorSpec([None, None, None, 8]),
        tf.TensorSpec([], tf.int32),
        tf.TensorSpec([], tf.int32),
    ]
    traced = tf.function(lambda x, k, e: _traced(sliced_layer, x, k, e), input_signature=signature)
    sliced = [np.asarray(v) for v in traced(x, kernel, expand)]
    masked = _outputs(masked_layer, x, tf.constant(kernel), tf.constant(expand))
    for a, b, c in zip(static, sliced, masked, strict=True):
        np.testing.assert_allclose(b, a, rtol=2e-4, atol=2e-4)
        np.testing.assert_allclose(c, a, rtol=2e-4, atol=2e-4)


def _traced(layer: InvertedBottleneck, x: object, kernel: object, expand: object) -> list[object]:
    """Output and gradients for the input and all weights."""
    variables = [v.value for v in layer.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch(x)
        y, _ = layer.forward(x, kernel, expand)
        # a different weight for every output, so that no error cancels
        loss = tf.reduce_sum(y * tf.reshape(tf.cos(tf.range(tf.size(y), dtype=tf.float32)), tf.shape(y)))
    gradients = tape.gradient(loss, [x, *variables], unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [y, *map(tf.convert_to_tensor, gradients)]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_given_statistics_reproduce_the_batch(block: MBConv) -> None:
    """Normalising by a batch's own statistics, handed in, changes nothing: recalibration is exact."""
    layer = _block(block, Slices())
    x = tf.constant(np.random.default_rng(3).normal(size=(4, 9, 9, 8)).astype(np.float32))
    y, statistics = layer.forward(x, 5, 3)
    again, _ = layer.forward(x, 5, 3, statistics)
    np.testing.assert_allclose(again, y, rtol=1e-3, atol=1e-3)


def test_batch_normalisation_equals_keras() -> None:
    """Output, biased variance and gradients of the fused kernel against Keras's plain moments."""
    rng = np.random.default_rng(0)
    x, gamma, beta = (tf.constant(rng.normal(size=s).astype(np.float32)) for s in ((6, 5, 5, 7), (7,), (7,)))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, gamma, beta])
        y, mean, variance = _normalise_by_batch(x, gamma, beta)
        expected_mean, expected_variance = keras.ops.moments(x, axes=(0, 1, 2))
        expected = keras.ops.batch_normalization(
            x, expected_mean, expected_variance, -1, offset=beta, scale=gamma, epsilon=EPSILON
        )
        losses = [tf.reduce_sum(tf.sin(v)) for v in (y, expected)]
    np.testing.assert_allclose(y, expected, atol=1e-5)
    np.testing.assert_allclose(mean, expected_mean, atol=1e-6)
    np.testing.assert_allclose(variance, expected_variance, rtol=1e-5)
    for source in (x, gamma, beta):
        ours, theirs = (tape.gradient(loss, source) for loss in losses)
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
