"""Grouped convolutions as they are trained equal TensorFlow's own, outputs and gradients alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

tf = pytest.importorskip("tensorflow")
import keras  # noqa: E402

from tinynas.supernet.grouped import block_diagonal, bundle_size, grouped_conv  # noqa: E402

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="compares with TensorFlow's own kernel"
)
#: of float32 sums of some hundred products
TOLERANCE = 1e-5


@settings(max_examples=25)
@given(
    groups=st.integers(1, 12),
    inputs=st.integers(1, 9),
    outputs=st.integers(1, 5),
    kernel=st.sampled_from([1, 3, 5]),
    stride=st.sampled_from([1, 2]),
    side=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_tensorflows_grouped_convolution(
    groups: int, inputs: int, outputs: int, kernel: int, stride: int, side: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x = tf.constant(rng.normal(size=(2, side, side, groups * inputs)), tf.float32)
    weights = tf.constant(rng.normal(size=(kernel, kernel, inputs, groups * outputs)), tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, weights])
        ours = grouped_conv(x, weights, groups, stride)
        theirs = tf.nn.conv2d(x, weights, stride, "SAME")
        # another weight for every output, so that no error cancels
        losses = [tf.reduce_sum(y * tf.reshape(tf.cos(tf.range(tf.size(y), dtype=tf.float32)), y.shape))
                  for y in (ours, theirs)]  # fmt: skip
    scale = (kernel * kernel * max(inputs, outputs)) ** 0.5
    np.testing.assert_allclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE * scale)
    for source, more in ((x, 1.0), (weights, float(side))):
        a, b = (tape.gradient(loss, source) for loss in losses)
        np.testing.assert_allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE * scale * more)


@given(groups=st.integers(1, 64), inputs=st.integers(1, 64))
def test_bundles_divide_the_groups(groups: int, inputs: int) -> None:
    size = bundle_size(groups, inputs)
    assert groups % size == 0 and 1 <= size <= groups


def test_two_groups_by_hand() -> None:
    kernel = tf.constant([[[[1.0, 2.0]]]])  # 1 x 1, one channel a group: doubles the second channel
    assert block_diagonal(kernel, 2).numpy().tolist() == [[[[1.0, 0.0], [0.0, 2.0]]]]
    assert grouped_conv(tf.constant([[[[3.0, 5.0]]]]), kernel, 2, 1).numpy().ravel().tolist() == [3.0, 10.0]
