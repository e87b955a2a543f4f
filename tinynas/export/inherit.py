"""A network's own weights, cut out of a supernet or trained alone: what export folds and quantises."""

from __future__ import annotations

import numpy as np
from keras import ops
from numpy.typing import NDArray

from tinynas.export.weights import LayerWeights, NetworkWeights, RawConvolution
from tinynas.spaces.mobile import Choice
from tinynas.supernet.layers import EPSILON, ConvNorm, Cut, Slices
from tinynas.supernet.model import Supernet
from tinynas.supernet.network import Biased, Network

Floats = NDArray[np.float32]


def inherited_weights(model: Supernet, choice: Choice, statistics: Floats) -> NetworkWeights:
    """Weights of the sub-network `choice` with batch normalisation folded by its `statistics`.

    `statistics` [model.statistics_size] are those the sub-network was calibrated with.
    """
    layers = [
        _raw(part, cut, statistics[start : start + part.statistics_size]).fold()
        for part, cut, start in model.convolutions(choice)
    ]
    dense = LayerWeights(_numpy(model.classifier), _numpy(model.bias))
    return NetworkWeights(model.space.genotype(choice), (*layers, dense))


def trained_weights(network: Network, statistics: Floats) -> NetworkWeights:
    """Weights of a `network` trained alone, batch normalisation folded by its `statistics`."""
    layers, start = [], 0
    for part in network.parts:
        if isinstance(part, Biased):
            layers.append(LayerWeights(_numpy(part.kernel), _numpy(part.bias)))
            continue
        layers.append(_raw(part, Cut(), statistics[start : start + part.statistics_size]).fold())
        start += part.statistics_size
    return NetworkWeights(network.genotype, tuple(layers))


def _raw(part: ConvNorm, cut: Cut, statistics: Floats) -> RawConvolution:
    count = cut.outputs
    kernel: Floats = np.asarray(Slices().kernel(_numpy(part.kernel), cut, part.depthwise))
    return RawConvolution(
        kernel,
        gamma=_numpy(part.gamma)[:count],
        beta=_numpy(part.beta)[:count],
        mean=statistics[: part.channels][:count],
        variance=statistics[part.channels :][:count],
        epsilon=EPSILON,
    )


def _numpy(variable: object) -> Floats:
    values: Floats = ops.convert_to_numpy(variable)
    return values
