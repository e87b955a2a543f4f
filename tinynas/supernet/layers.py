"""Elastic layers: convolutions whose kernel, input and output channels are cut from shared weights.

How weights are cut depends on what the backend can trace. TensorFlow takes slices whose sizes are tensors,
so one trace serves every sub-network; JAX needs fixed shapes, so dormant weights are masked instead. With
plain integers (PyTorch, or one fixed sub-network) both are ordinary slices. The three are equal in outputs
and gradients (tests/supernet/test_layers.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from tinynas.data.pixels import PIXEL_OFFSET, PIXEL_SCALE
from tinynas.supernet.grouped import Tensor, grouped_conv

#: a whole number, or a scalar tensor of one
Size = Any

EPSILON = 1e-3


@dataclass(frozen=True, slots=True)
class Cut:
    """Which part of a convolution a sub-network uses; None means all of it."""

    window: Size | None = None
    inputs: Size | None = None
    outputs: Size | None = None


class Cutter(Protocol):
    """How a part of a shared weight becomes the weight of a sub-network."""

    def kernel(self, weights: Tensor, cut: Cut, depthwise: bool) -> Tensor:
        """The cut part of [kh, kw, in, out] (depthwise: [kh, kw, channels, 1]) weights."""

    def vector(self, values: Tensor, count: Size | None) -> Tensor:
        """The first `count` of a per-channel vector."""

    def features(self, x: Tensor, count: Size | None) -> Tensor:
        """A feature map of which only the first `count` channels may be non-zero."""


class Slices:
    """Cuts by slicing: the sub-network's tensors have the sub-network's sizes."""

    def kernel(self, weights: Tensor, cut: Cut, depthwise: bool) -> Tensor:
        """Centre window, first inputs, first outputs."""
        if cut.window is not None:
            start = (weights.shape[0] - cut.window) // 2
            weights = weights[start : start + cut.window, start : start + cut.window]
        channels = cut.outputs if depthwise else cut.inputs
        if channels is not None:
            weights = weights[:, :, :channels]
        if cut.outputs is not None and not depthwise:
            weights = weights[:, :, :, : cut.outputs]
        return weights

    def vector(self, values: Tensor, count: Size | None) -> Tensor:
        """The first `count` values."""
        return values if count is None else values[:count]

    def features(self, x: Tensor, count: Size | None) -> Tensor:
        """`x` itself: it has no other channels."""
        return x


class Masks:
    """Cuts by zeroing: every tensor keeps its full size, so a static trace serves every sub-network."""

    def kernel(self, weights: Tensor, cut: Cut, depthwise: bool) -> Tensor:
        """Zero outside the centre window. Channels need no mask: `features` zeroes what they feed."""
        if cut.window is None:
            return weights
        size = weights.shape[0]
        distance = np.abs(np.arange(size) - size // 2)
        inside = ops.cast(distance <= (cut.window - 1) // 2, weights.dtype)
        return weights * ops.reshape(inside, (size, 1, 1, 1)) * ops.reshape(inside, (1, size, 1, 1))

    def vector(self, values: Tensor, count: Size | None) -> Tensor:
        """All values."""
        return values

    def features(self, x: Tensor, count: Size | None) -> Tensor:
        """`x` with channels from `count` on set to zero."""
        if count is None:
            return x
        return x * ops.cast(np.arange(x.shape[-1]) < count, x.dtype)


class ConvNorm(keras.layers.Layer):  # type: ignore[misc]
    """A SAME convolution, batch normalisation and (unless `linear`) ReLU6, all elastic unless in `groups`.

    Batch normalisation keeps no moving statistics: a sub-network's statistics are its own, so they are
    recalibrated and handed in (`statistics`); without them those of the batch are used.
    """

    def __init__(
        self,
        kernel_size: int,
        in_channels: int,
        channels: int,
        *,
        stride: int = 1,
        depthwise: bool = False,
        groups: int = 1,
        linear: bool = False,
        cutter: Cutter,
        rng: np.random.Generator,
    ) -> None:
        """He-normal weights drawn from `rng`; gamma one, beta zero."""
        super().__init__()
        self.channels, self.stride, self.depthwise, self.linear = channels, stride, depthwise, linear
        self._cutter, self._groups = cutter, groups
        read = 1 if depthwise else in_channels // groups
        shape = (kernel_size, kernel_size, in_channels if depthwise else read, 1 if depthwise else channels)
        self.kernel = add_constant(self, he_normal(shape, kernel_size * kernel_size * read, rng))
        self.gamma = self.add_weight(shape=(channels,), initializer="ones")
        self.beta = self.add_weight(shape=(channels,), initializer="zeros")

    @property
    def statistics_size(self) -> int:
        """Length of the layer's statistics: means, then variances, of all its channels."""
        return 2 * self.channels

    def forward(self, x: Tensor, cut: Cut, statistics: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The output [n, rows, columns, outputs] and the batch's statistics [`statistics_size`]."""
        kernel = self._cutter.kernel(ops.convert_to_tensor(self.kernel), cut, self.depthwise)
        if self.depthwise:
            x = ops.depthwise_conv(x, kernel, strides=self.stride, padding="same")
        else:
            x = grouped_conv(x, kernel, self._groups, self.stride)
        gamma = self._cutter.vector(ops.convert_to_tensor(self.gamma), cut.outputs)
        beta = self._cutter.vector(ops.convert_to_tensor(self.beta), cut.outputs)
        if statistics is None:
            x, mean, variance = _normalise_by_batch(x, gamma, beta)
            statistics = ops.concatenate([_padded(mean, self.channels), _padded(variance, self.channels)])
        else:
            mean = self._cutter.vector(statistics[: self.channels], cut.outputs)
            variance = self._cutter.vector(statistics[self.channels :], cut.outputs)
            scale = gamma * ops.rsqrt(variance + EPSILON)
            x = x * scale + (beta - mean * scale)
        x = x if self.linear else ops.relu6(x)
        return self._cutter.features(x, cut.outputs), statistics


def he_normal(shape: tuple[int, ...], fan_in: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Weights that keep the variance of what rectified layers pass on (He et al., 2015)."""
    return rng.normal(0.0, (2.0 / fan_in) ** 0.5, shape).astype(np.float32)


def glorot_uniform(inputs: int, outputs: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Weights [inputs, outputs] of a classifier (Glorot and Bengio, 2010)."""
    limit = (6.0 / (inputs + outputs)) ** 0.5
    return rng.uniform(-limit, limit, (inputs, outputs)).astype(np.float32)


def normalised_pixels(images: Tensor) -> Tensor:
    """Float inputs of a network from uint8 pictures."""
    return (ops.cast(images, "float32") - PIXEL_OFFSET) / PIXEL_SCALE


class Portions:
    """Hands out consecutive portions of a vector, or None when there is none."""

    def __init__(self, vector: Tensor | None) -> None:
        self._vector, self._start = vector, 0

    def __call__(self, size: int) -> Tensor | None:
        """The next `size` values."""
        start, self._start = self._start, self._start + size
        return None if self._vector is None else self._vector[start : self._start]


def add_constant(layer: keras.layers.Layer, values: NDArray[np.float32]) -> keras.Variable:
    """A trainable variable of `layer` that starts as `values`, the same on every backend."""
    return layer.add_weight(shape=values.shape, initializer=lambda *_a, **_k: ops.convert_to_tensor(values))


def _padded(values: Tensor, size: int) -> Tensor:
    """`values` [count] followed by zeros: [size]."""
    return ops.concatenate([values, ops.zeros((size - ops.shape(values)[0],), values.dtype)])


def _normalise_by_batch(x: Tensor, gamma: Tensor, beta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`x` normalised by its own mean and (biased) variance, and these two [channels].

    On TensorFlow the fused kernel does it: Keras's unfused moments cost more than the convolutions
    themselves on a CPU. The kernel returns the unbiased variance; the factor undoes it.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        y, mean, unbiased, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=EPSILON, is_training=True
        )
        count = tf.cast(tf.reduce_prod(tf.shape(x)[:3]), tf.float32)
        return y, mean, unbiased * (count - 1.0) / count
    mean, variance = ops.moments(x, axes=(0, 1, 2))
    return (
        ops.batch_normalization(x, mean, variance, -1, offset=beta, scale=gamma, epsilon=EPSILON),
        mean,
        variance,
    )
