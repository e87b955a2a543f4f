"""A RELU or RELU6 that stands alone becomes the clamp of the operator before it."""

from __future__ import annotations

from dataclasses import replace

from tinynas.graph.ir import Activation, Graph, OpKind
from tinynas.graph.passes.rewrite import Edit, readers, writers
from tinynas.graph.quantized import same_quantization

_CLAMPS = {OpKind.RELU: Activation.RELU, OpKind.RELU6: Activation.RELU6}
_CLAMPING = (
    OpKind.CONV_2D,
    OpKind.DEPTHWISE_CONV_2D,
    OpKind.FULLY_CONNECTED,
    OpKind.ADD,
    OpKind.MUL,
    OpKind.AVERAGE_POOL_2D,
    OpKind.MAX_POOL_2D,
)
_STRENGTH = (Activation.NONE, Activation.RELU, Activation.RELU6)


def fuse_activations(graph: Graph) -> Graph:
    """`graph` with each RELU and RELU6 that only clamps fused into the operator that makes its input.

    Bit-exact: fused where input and output have one quantisation, so that nothing is rescaled, and where
    nobody else reads the values before the clamp. The stronger of two clamps in a row stays.
    """
    while (fused := _with_one_fused(graph)) is not None:
        graph = fused
    return graph


def _with_one_fused(graph: Graph) -> Graph | None:
    makers, users = writers(graph), readers(graph)
    for index, operator in enumerate(graph.operators):
        source, target = operator.inputs[0], operator.outputs[0]
        maker = makers.get(source)
        if operator.kind not in _CLAMPS or maker is None:
            continue
        before, after = (graph.tensors[i].quantization for i in (source, target))
        alone = users[source] == [index] and source not in graph.outputs
        producer = graph.operators[maker]
        if producer.kind in _CLAMPING and alone and same_quantization(before, after):
            clamp = max(producer.activation, _CLAMPS[operator.kind], key=_STRENGTH.index)
            edit = Edit(graph)
            edit.put(maker, replace(producer, outputs=(target,), activation=clamp))
            edit.put(index)
            return edit.done()
    return None
