"""Genotypes in a printable block language, and the published networks by name."""

from tinynas.networks.blocks import Block, Genotype, parse_genotype
from tinynas.networks.build import build_graph, trainable_params
from tinynas.networks.mobile import make_divisible
from tinynas.networks.presets import PRESETS, find_network

__all__ = [
    "PRESETS",
    "Block",
    "Genotype",
    "build_graph",
    "find_network",
    "make_divisible",
    "parse_genotype",
    "trainable_params",
]
