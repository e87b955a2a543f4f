"""Grouped convolutions that train fast on a CPU.

TensorFlow's own grouped kernel has a gradient that takes seconds for a small batch. Two other forms compute
the same: one dense convolution whose kernel is block-diagonal (it multiplies by the zeros too), or one
convolution a group (overhead for each). So groups are bundled: a bundle is one block-diagonal convolution,
wide enough to be worth a call, and bundles are concatenated. `benchmarks/grouped_training.py` measures it.
"""

from __future__ import annotations

from typing import Any

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
    inputs, outputs = kernel.shape[2], kernel.shape[3] // groups
    if inputs == outputs == 1:
        return ops.depthwise_conv(x, ops.swapaxes(kernel, 2, 3), strides=stride, padding="same")
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
