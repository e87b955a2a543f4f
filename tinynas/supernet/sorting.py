"""Channels of each expansion in order of importance, so that 'the first' are the best (OFA, section 3.3).

Importance is the L1 norm of the projection's weights that read a channel. Permuting a block's middle channels
everywhere leaves the largest network's outputs unchanged.
"""

from __future__ import annotations

import numpy as np
from keras import ops
from numpy.typing import NDArray

from tinynas.supernet.layers import ConvNorm
from tinynas.supernet.model import InvertedBottleneck, Supernet


def sort_channels(model: Supernet) -> None:
    """Sort every block's middle channels by descending L1 norm, in place."""
    for block in model.slots:
        importance = np.abs(ops.convert_to_numpy(block.project.kernel)).sum(axis=(0, 1, 3))
        _permute(block, np.argsort(-importance, kind="stable"))


def _permute(block: InvertedBottleneck, order: NDArray[np.intp]) -> None:
    producers: list[tuple[ConvNorm, int]] = [(block.depthwise, 2)]
    if block.expand is not None:
        producers.append((block.expand, 3))
    for part, axis in producers:
        part.kernel.assign(np.take(ops.convert_to_numpy(part.kernel), order, axis=axis))
        part.gamma.assign(ops.convert_to_numpy(part.gamma)[order])
        part.beta.assign(ops.convert_to_numpy(part.beta)[order])
    block.project.kernel.assign(np.take(ops.convert_to_numpy(block.project.kernel), order, axis=2))
