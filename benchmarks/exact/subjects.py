"""The networks to be compared: real files, the published ones, and random ones from the search's spaces.

Every one is known by a name that makes it again: a random network by its number alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from random_network import random_tflite

from exact.tflite_edits import cut_behind, with_dead_channels
from tinynas.cost.compute import macs, weights_and_biases
from tinynas.engine.goals import Goal
from tinynas.graph import DType, Graph, Tensor
from tinynas.graph.tflite import graph_from_bytes
from tinynas.networks import Block, Genotype, MBConv, build_graph, find_network
from tinynas.networks.presets import PRESETS
from tinynas.spaces import make_space, resolution_grid, width_grid

Rng = np.random.Generator

#: native sizes of pictures (those up to 64 have grids of their own), their channels, numbers of classes
_NATIVES, _PICTURE_CHANNELS, _CLASSES = (20, 28, 32, 64, 96, 224), (1, 2, 3), (10, 35, 100, 200)
#: larger random networks would take the time of many small ones
_MOST_MACS, _MOST_WEIGHTS = 16_000_000, 700_000
#: every so many random networks has dead channels, or blocks with squeeze-and-excitation or no residual
_DEAD_EVERY, _VARIED_EVERY = 3, 2
_SQUEEZED, _WITHOUT_RESIDUAL = 0.4, 0.15
#: a body has so many times the elements of its model's outputs
_BODY_TO_OUTPUTS = 10


@dataclass(frozen=True, slots=True)
class Subject:
    """One .tflite file in memory, the number of samples it is compared on, and what it is compiled for."""

    group: str
    name: str
    model: bytes
    samples: int
    goal: Goal = Goal.RAM

    def graph(self) -> Graph:
        """The file as it is read."""
        return graph_from_bytes(self.model, self.name)


def real_model(path: Path, samples: int) -> Subject:
    """A file as it is."""
    return Subject("model", path.stem, path.read_bytes(), samples)


def body_of_model(path: Path, samples: int) -> Subject | None:
    """A file up to its last large feature map, which becomes the output; None where none is large.

    Many bytes where the whole model has few, and all of them alive even where the head hides the body.
    """
    whole = real_model(path, samples)
    end = _end_of_body(whole.graph())
    if end is None:
        return None
    return Subject("body", f"{path.stem} to operator {end}", cut_behind(whole.model, end), samples)


def published_network(name: str, samples: int) -> Subject:
    """A preset with random weights."""
    seed = list(PRESETS).index(name)
    return Subject("published", name, random_tflite(build_graph(find_network(name)), seed), samples)


def random_network(number: int, samples: int) -> Subject:
    """`random_genotype` with random weights; every third has dead channels."""
    genotype = random_genotype(number)
    model = random_tflite(build_graph(genotype), number)
    if number % _DEAD_EVERY == 0:
        model = with_dead_channels(model, number)
    return Subject("random", f"{number}: {genotype}", model, samples)


def random_genotype(number: int) -> Genotype:
    """The random network of that number, of a size that is quick to build.

    From mobile spaces of all widths and resolutions; every second has squeeze-and-excitation and lacks
    residuals here and there, which the spaces do not ask for but the block language allows.
    """
    rng = np.random.default_rng(number)
    while True:
        genotype = _drawn(rng)
        if number % _VARIED_EVERY == 0:
            genotype = replace(genotype, blocks=tuple(_varied(block, rng) for block in genotype.blocks))
        graph = build_graph(genotype)
        if macs(graph) <= _MOST_MACS and weights_and_biases(graph) <= _MOST_WEIGHTS:
            return genotype


def _drawn(rng: Rng) -> Genotype:
    native, channels, classes = (int(rng.choice(each)) for each in (_NATIVES, _PICTURE_CHANNELS, _CLASSES))
    resolution, width = int(rng.choice(resolution_grid(native))), float(rng.choice(width_grid()))
    space = make_space(width, resolution, native, channels, classes)
    return space.genotype(space.sample(rng))


def _varied(block: Block, rng: Rng) -> Block:
    """`block` with what the block language has beyond the spaces, by chance."""
    squeezed, without = rng.random() < _SQUEEZED, rng.random() < _WITHOUT_RESIDUAL
    if not isinstance(block, MBConv):
        return block
    return replace(block, se=0.25 if squeezed else 0.0, skip=block.skip and not without)


def _end_of_body(graph: Graph) -> int | None:
    """The last operator that makes a picture much larger than the outputs; None if there is none."""
    least = _BODY_TO_OUTPUTS * sum(graph.tensors[i].elements for i in graph.outputs)
    made = [graph.tensors[operator.outputs[0]] for operator in graph.operators]
    fits = (i for i, each in enumerate(made) if _is_picture(each) and each.elements >= least)
    return max(fits, default=None)


def _is_picture(tensor: Tensor) -> bool:
    return tensor.dtype is DType.INT8 and len(tensor.shape) == 4 and tensor.shape[1] * tensor.shape[2] > 1
