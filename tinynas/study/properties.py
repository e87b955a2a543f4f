"""What can be plotted against the error of a network: its size, and the shape that its blocks have."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType

from tinynas.networks import Genotype, XBlock, parse_genotype
from tinynas.study.record import Sampled


@dataclass(frozen=True, slots=True)
class Property:
    """A number of a network, None for networks of another kind; `wide` ones are plotted as logarithms."""

    name: str
    title: str
    of: Callable[[Sampled], float | None]
    wide: bool = False


def block_widths(network: Sampled) -> list[int]:
    """The width of every block behind the stem."""
    return [block.channels for block in _genotype(network.genotype).blocks[1:]]


def is_x(network: Sampled) -> bool:
    """Whether all blocks behind the stem are RegNet's."""
    return bool(_blocks(network))


def _width_ratio(network: Sampled) -> float | None:
    """The geometric mean of w_{i+1} / w_i over the places where the width changes; 1 where it never does."""
    widths = block_widths(network)
    steps = [b / a for a, b in pairwise(widths) if a != b]
    if not widths:
        return None
    return math.exp(sum(map(math.log, steps)) / len(steps)) if steps else 1.0


def _mean(pick: Callable[[XBlock], float]) -> Callable[[Sampled], float | None]:
    def of(network: Sampled) -> float | None:
        blocks = _blocks(network)
        return sum(map(pick, blocks)) / len(blocks) if blocks else None

    return of


def _blocks(network: Sampled) -> Sequence[XBlock]:
    """The X blocks, if all blocks behind the stem are of that kind."""
    behind = _genotype(network.genotype).blocks[1:]
    found = [block for block in behind if isinstance(block, XBlock)]
    return found if len(found) == len(behind) else []


@lru_cache(maxsize=4096)
def _genotype(text: str) -> Genotype:
    return parse_genotype(text)


PROPERTIES: Mapping[str, Property] = MappingProxyType(
    {
        each.name: each
        for each in (
            Property("depth", "depth d, blocks", lambda n: len(block_widths(n)) or None),
            Property("width_ratio", "width ratio, next stage to stage", _width_ratio, wide=True),
            Property("bottleneck", "bottleneck ratio b, mean over blocks", _mean(lambda x: x.bottleneck)),
            Property(
                "group_width", "group width g, mean over blocks", _mean(lambda x: x.group_width), wide=True
            ),
            Property("resolution", "resolution, pixels", lambda n: _genotype(n.genotype).resolution),
            Property("macs", "multiply-accumulates", lambda n: n.macs, wide=True),
            Property("activations", "activations", lambda n: n.activations, wide=True),
            Property("params", "parameters", lambda n: n.params, wide=True),
            Property("sram_bytes", "SRAM, bytes", lambda n: n.sram_bytes, wide=True),
        )
    }
)
