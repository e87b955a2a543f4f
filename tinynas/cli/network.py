"""The network that a command line means: a published name, a genotype's text, or a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tinynas.errors import RequestError

if TYPE_CHECKING:
    from tinynas.graph import Graph
    from tinynas.networks import Genotype
    from tinynas.pipeline.samples import SampleSource

NETWORK_HELP = (
    "A published network's name (mcunet-in2), a genotype (r48x3 conv_k3_s2_c16 fc_c10), or a file (x.tflite, "
    "or x.onnx with --data)."
)


def find_graph(asked: str, source: SampleSource, classes: int | None = None) -> tuple[Genotype | None, Graph]:
    """The genotype (a file has none) and the graph of the network meant by `asked`.

    Raises:
        RequestError: an unknown name, a genotype that cannot be read, `classes` for a file, or samples for
            what needs none.
        ModelError, DataError, ToolchainError: as `load_model`.
    """
    from tinynas.graph.tflite import graph_from_bytes
    from tinynas.networks import build_graph, find_network
    from tinynas.pipeline.model_file import MODEL_SUFFIXES, load_model

    path = Path(asked)
    if asked.lower().endswith(MODEL_SUFFIXES) or path.is_file():
        if classes is not None:
            raise RequestError(
                f"--classes cannot change a {path.suffix} file: leave it out, or give a genotype"
            )
        return None, graph_from_bytes(load_model(path, source), path.name)
    if source.data is not None:
        raise RequestError("--data calibrates an .onnx file: leave it out, or give one")
    genotype = find_network(asked)
    if classes is not None:
        genotype = replace(genotype, classes=classes)
    return genotype, build_graph(genotype)
