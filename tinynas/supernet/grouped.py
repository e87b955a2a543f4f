"""Grouped convolutions that train fast on a CPU.

Keras sends them through XLA on TensorFlow, which takes seconds for a small batch. TensorFlow's own kernel is
fast where oneDNN is in it; without oneDNN its gradient fails. There, and on other backends, groups are
bundled: a bundle is one dense convolution with a block-diagonal kernel, wide enough to be worth a call, and
bundles are concatenated. `benchmarks/grouped_training.py` measures all forms.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import keras
import numpy as np
from keras import ops

#: a tensor of the active backend: Keras has no type for it
Tensor = Any

#: groups that share a block-diagonal convolution, at most; fewer where channels are many
BUNDLE = 4
#: input channels from which on a convolution is worth a call of its own
WIDE = 64


def grouped_conv(x: Tensor, kernel: Tensor, groups: int, stride: int) -> Tensor:
    """The SAME convolution of `x` [n, h, w, in] in `groups` by `kernel` [k, k, in / groups, out]."""
    if groups == 1:
        return ops.conv(x, kernel, strides=stride, padding="same")
    if keras.backend.backend() == "tensorflow" and _tensorflow_differentiates():
        import tensorflow as tf

        return tf.nn.conv2d(x, kernel, stride, "SAME")
    return bundled_conv(x, kernel, groups, stride)


def bundled_conv(x: Tensor, kernel: Tensor, groups: int, stride: int) -> Tensor:
    """`grouped_conv` by dense convolutions of bundles of groups, for any backend."""
    inputs, outputs = kernel.shape[2], kernel.shape[3] // groups
    size = bundle_size(groups, inputs)
    parts = [
        ops.conv(
            x[..., first * inputs : (first + size) * inputs],
            block_diagonal(kernel[..., first * outputs : (first + size) * outputs], size),
            strides=stride,
            padding="same",
        )
        for first in range(0, groups, size)
    ]
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)


@cache
def _tensorflow_differentiates() -> bool:
    """Whether TensorFlow, as it is here, has the gradients of grouped convolutions: asked once."""
    import tensorflow as tf

    # out of whatever is being traced
    with tf.init_scope():
        x, kernel, y = tf.ones((1, 2, 2, 4)), tf.ones((1, 1, 2, 4)), tf.ones((1, 2, 2, 4))
        how = {"out_backprop": y, "strides": [1, 1, 1, 1], "padding": "SAME"}
        try:
            of_x = tf.raw_ops.Conv2DBackpropInput(input_sizes=x.shape, filter=kernel, **how)
            of_kernel = tf.raw_ops.Conv2DBackpropFilter(input=x, filter_sizes=kernel.shape, **how)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
            return False
        # every pixel feeds two outputs, every weight meets four pixels
        return bool(np.all(of_x.numpy() == 2) and np.all(of_kernel.numpy() == 4))


def bundle_size(groups: int, inputs: int) -> int:
    """How many of `groups` with `inputs` channels each are computed together: a divisor of `groups`."""
    most = max(BUNDLE, WIDE // inputs)
    return max(size for size in range(1, groups + 1) if groups % size == 0 and size <= most)


def block_diagonal(kernel: Tensor, groups: int) -> Tensor:
    """The dense kernel [k, k, in, out] that does what `kernel` [k, k, in / groups, out] does in `groups`."""
    if groups == 1:
        return kernel
    rows, columns, inputs, outputs = kernel.shape
    by_group = ops.reshape(kernel, (rows, columns, 1, inputs, groups, outputs // groups))
    diagonal = np.eye(groups, dtype=np.float32).reshape(1, 1, groups, 1, groups, 1)
    return ops.reshape(by_group * diagonal, (rows, columns, groups * inputs, outputs))
