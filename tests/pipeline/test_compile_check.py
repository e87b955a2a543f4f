"""The check of compiled C follows a network's borders, also where a pass changed a shape."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "engine"))

from make_tflite import TfliteMaker, options
from micro_oracle import needs_compiler

from tinynas.engine.emit import emit
from tinynas.engine.planner import plan_network
from tinynas.graph import OpKind
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import graph_from_bytes
from tinynas.pipeline.compile_check import check_compiled, random_samples


def means_of_channels_first() -> bytes:
    """A global mean as PyTorch's exporters write it: turned to NCHW, then over columns, then over rows."""
    maker = TfliteMaker()
    shapes = ((1, 4, 6, 5), (1, 4, 6, 5), (1, 5, 4, 6), (1, 5, 4), (1, 5))
    image, positive, turned, rows, vector = (maker.tensor(shape, 0.05, 6) for shape in shapes)
    maker.operator(OpKind.RELU, [image], [positive])
    order = maker.constant([0, 3, 1, 2])
    maker.operator(OpKind.TRANSPOSE, [positive, order], [turned], options("Transpose"))
    for source, target, axis in ((turned, rows, 3), (rows, vector, 2)):
        table = options("Reducer", keepDims=False)
        maker.operator(OpKind.MEAN, [source, maker.constant([axis])], [target], table)
    return maker.finish([image], [vector])


@needs_compiler
def test_an_output_that_lost_its_axes_of_length_one_can_be_checked(tmp_path: Path) -> None:
    """The file ends in [1, 5], the compiled network in [1, 1, 1, 5]: the same bytes."""
    model = means_of_channels_first()
    original = graph_from_bytes(model, "means.tflite")
    compiled = simplify(original)
    assert compiled.tensors[compiled.outputs[0]].shape != original.tensors[original.outputs[0]].shape
    emit(plan_network(compiled), "net", tmp_path)
    check_compiled(tmp_path, "net", model, original, compiled, random_samples(original, compiled, 5))
