"""The network that a command line means: a published name, a genotype's text, or a .tflite file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tinynas.errors import RequestError

if TYPE_CHECKING:
    from tinynas.graph import Graph
    from tinynas.networks import Genotype

NETWORK_HELP = (
    "A published network's name (mcunet-in2), a genotype (r48x3 conv_k3_s2_c16 fc_c10), or a file (x.tflite)."
)


def find_graph(asked: str, classes: int | None = None) -> tuple[Genotype | None, Graph]:
    """The genotype (a file has none) and the graph of the network meant by `asked`.

    Raises:
        RequestError: an unknown name, a genotype that cannot be read, or `classes` for a file.
        ModelError: the file is missing, damaged, or uses what tinynas cannot run.
    """
    from tinynas.graph.tflite import read_tflite
    from tinynas.networks import build_graph, find_network

    if asked.lower().endswith(".tflite") or Path(asked).is_file():
        if classes is not None:
            raise RequestError("--classes cannot change a .tflite file: leave it out, or give a genotype")
        return None, read_tflite(Path(asked))
    genotype = find_network(asked)
    if classes is not None:
        genotype = replace(genotype, classes=classes)
    return genotype, build_graph(genotype)
