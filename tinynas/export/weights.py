"""The numbers of a trained network, batch normalisation folded: what export needs and nothing of Keras.

Layouts are TensorFlow's: convolution [k, k, in, out], depthwise [k, k, channels, 1], classifier
[in, classes]. Layers stand in execution order, which is that of the CONV_2D, DEPTHWISE_CONV_2D and
FULLY_CONNECTED operators of ``build_graph(genotype)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tinynas.errors import VerificationError
from tinynas.graph import Graph, Operator, OpKind
from tinynas.graph.execute import WEIGHTED
from tinynas.networks import Genotype, build_graph

Floats: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """Kernel, in the module's layouts, and bias [out] of one convolution or of the classifier."""

    kernel: Floats
    bias: Floats


@dataclass(frozen=True, slots=True)
class RawConvolution:
    """A convolution with its batch normalisation as trained.

    `kernel` is [k, k, in, out] or depthwise [k, k, channels, 1]; the others have one element a channel.
    """

    kernel: Floats
    gamma: Floats
    beta: Floats
    mean: Floats
    variance: Floats
    epsilon: float

    def fold(self) -> LayerWeights:
        """The one convolution that does both: kernel * s and beta - mean * s.

        s = gamma / sqrt(variance + epsilon), in float64, so that folding costs no accuracy of its own.
        """
        scale = self.gamma.astype(np.float64) / np.sqrt(self.variance.astype(np.float64) + self.epsilon)
        channel_axis = (1, 1, -1, 1) if self.kernel.shape[2:] == (self.gamma.size, 1) else (1, 1, 1, -1)
        kernel = self.kernel * scale.reshape(channel_axis)
        return LayerWeights(kernel.astype(np.float32), (self.beta - self.mean * scale).astype(np.float32))


@dataclass(frozen=True, slots=True)
class NetworkWeights:
    """All folded layers of `genotype`, in execution order; shapes and finiteness are checked when made.

    Raises:
        ValueError: number or shapes of the layers are not those of the genotype (a caller's mistake).
        VerificationError: a weight is infinite or not a number, so training diverged.
    """

    genotype: Genotype
    layers: tuple[LayerWeights, ...] = field(repr=False)

    def __post_init__(self) -> None:
        expected = layer_shapes(build_graph(self.genotype))
        if len(self.layers) != len(expected):
            raise ValueError(f"{self.genotype} has {len(expected)} weighted layers, not {len(self.layers)}")
        for number, (layer, (kernel, bias)) in enumerate(zip(self.layers, expected, strict=True)):
            if (layer.kernel.shape, layer.bias.shape) != (kernel, bias):
                raise ValueError(
                    f"layer {number} of {self.genotype} needs a kernel {kernel} and a bias {bias}, "
                    f"not {layer.kernel.shape} and {layer.bias.shape}"
                )
            if not (np.isfinite(layer.kernel).all() and np.isfinite(layer.bias).all()):
                raise VerificationError(
                    f"layer {number} of the trained network has weights that are not finite: training "
                    "diverged, so lower the learning rate or check the pictures"
                )


def weighted_operators(graph: Graph) -> list[Operator]:
    """The operators that have weights, in execution order."""
    return [operator for operator in graph.operators if operator.kind in WEIGHTED]


def layer_shapes(graph: Graph) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Shapes of kernel, in TensorFlow's layout, and bias of every layer of `graph`."""
    return [_layer_shape(graph, operator) for operator in weighted_operators(graph)]


def random_weights(genotype: Genotype, rng: np.random.Generator) -> NetworkWeights:
    """Untrained weights that behave like trained ones: He-scaled kernels, lively batch normalisation.

    Activations keep a standard deviation near 1, so int8 ranges look like those of a real network.
    """
    graph = build_graph(genotype)
    folded = []
    for operator, (shape, channels) in zip(weighted_operators(graph), layer_shapes(graph), strict=True):
        fan_in = math.prod(shape) // channels[0]
        kernel = _normal(rng, shape, spread=math.sqrt(2 / fan_in))
        if operator.kind is OpKind.FULLY_CONNECTED:
            folded.append(LayerWeights(kernel, _normal(rng, channels, spread=0.1)))
            continue
        normalised = RawConvolution(
            kernel,
            gamma=_normal(rng, channels, 1.0, 0.1),
            beta=_normal(rng, channels, 0.2, 0.3),
            mean=_normal(rng, channels, 0.0, 0.3),
            variance=rng.uniform(0.6, 1.6, channels).astype(np.float32),
            epsilon=1e-3,
        )
        folded.append(normalised.fold())
    return NetworkWeights(genotype, tuple(folded))


def _layer_shape(graph: Graph, operator: Operator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """From TFLite's layout, output channels first, to TensorFlow's."""
    kernel, bias = (tensor.shape for tensor in graph.constants_in(operator))
    if operator.kind is OpKind.FULLY_CONNECTED:
        return kernel[::-1], bias
    if operator.kind is OpKind.DEPTHWISE_CONV_2D:
        return (*kernel[1:], 1), bias
    return (*kernel[1:], kernel[0]), bias


def _normal(
    rng: np.random.Generator, shape: tuple[int, ...], centre: float = 0.0, spread: float = 1.0
) -> Floats:
    return rng.normal(centre, spread, shape).astype(np.float32)
