"""Genotypes in a printable block language, and the published networks by name."""

from tinynas.networks.blocks import Block, Conv, MBConv, XBlock
from tinynas.networks.build import (
    build_graph,
    build_part,
    outline_part,
    simple_outline,
    trainable_params,
)
from tinynas.networks.genotype import Genotype, parse_genotype
from tinynas.networks.mobile import make_divisible
from tinynas.networks.presets import PRESETS, find_network

__all__ = [
    "PRESETS",
    "Block",
    "Conv",
    "Genotype",
    "MBConv",
    "XBlock",
    "build_graph",
    "build_part",
    "find_network",
    "make_divisible",
    "outline_part",
    "parse_genotype",
    "simple_outline",
    "trainable_params",
]
