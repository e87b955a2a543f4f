"""Grouped convolutions as they are trained equal TensorFlow's own, outputs and gradients alike."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

tf = pytest.importorskip("tensorflow")
import keras  # noqa: E402

from tinynas.supernet.grouped import block_diagonal, bundle_size, bundled_conv, grouped_conv  # noqa: E402

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
        theirs = tf.nn.conv2d(x, weights, stride, "SAME")
        made = [form(x, weights, groups, stride) for form in (bundled_conv, grouped_conv)]
        # another weight for every output, so that no error cancels
        losses = [tf.reduce_sum(y * tf.reshape(tf.cos(tf.range(tf.size(y), dtype=tf.float32)), y.shape))
                  for y in (theirs, *made)]  # fmt: skip
    scale = (kernel * kernel * max(inputs, outputs)) ** 0.5
    for ours in made:
        np.testing.assert_allclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE * scale)
    for source, more in ((x, 1.0), (weights, float(side))):
        expected, *gradients = (tape.gradient(loss, source) for loss in losses)
        for gradient in gradients:
            np.testing.assert_allclose(gradient, expected, rtol=TOLERANCE, atol=TOLERANCE * scale * more)


@given(groups=st.integers(1, 64), inputs=st.integers(1, 64))
def test_bundles_divide_the_groups(groups: int, inputs: int) -> None:
    size = bundle_size(groups, inputs)
    assert groups % size == 0 and 1 <= size <= groups


def test_two_groups_by_hand() -> None:
    kernel = tf.constant([[[[1.0, 2.0]]]])  # 1 x 1, one channel a group: doubles the second channel
    assert block_diagonal(kernel, 2).numpy().tolist() == [[[[1.0, 0.0], [0.0, 2.0]]]]
    x = tf.constant([[[[3.0, 5.0]]]])
    assert bundled_conv(x, kernel, 2, 1).numpy().ravel().tolist() == [3.0, 10.0]


def test_without_onednn_training_uses_bundles() -> None:
    """There TensorFlow refuses the gradient of its kernel. Another process, since oneDNN stays on."""
    script = """
import numpy as np, tensorflow as tf
from tinynas.supernet import grouped
x, kernel = tf.ones((1, 4, 4, 8)), tf.Variable(tf.ones((3, 3, 2, 8)))
@tf.function
def gradient():
    with tf.GradientTape() as tape:
        y = grouped.grouped_conv(x, kernel, 4, 1)
    return tape.gradient(y, kernel)
print(grouped._tensorflow_differentiates(), float(tf.reduce_sum(gradient())))
"""
    environment = os.environ | {"TF_ENABLE_ONEDNN_OPTS": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    # of nine taps on 4 x 4 pixels 100 meet one; each of 8 outputs has 2 inputs
    assert done.stdout.split() == ["False", str(100.0 * 2 * 8)]
