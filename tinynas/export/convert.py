"""From weights to an int8 .tflite: int8 in, int8 out, one operator for each operator of the planned Graph.

The float network is executed straight from ``build_graph(genotype)`` with TensorFlow's own operators, so
the converter sees the plan itself, with weights as constants: no layers, variables or training state.
Post-training quantisation is per channel for weights, per tensor for activations (TFLite's int8 scheme).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tinynas.data.pixels import to_float_input
from tinynas.export.quiet import quiet_stderr
from tinynas.export.weights import WEIGHTED, Floats, LayerWeights, NetworkWeights
from tinynas.graph import Activation, Graph, Operator, OpKind
from tinynas.networks import build_graph

#: TensorFlow has no usable types: a tensor of any shape
TfTensor: TypeAlias = Any

_BATCH = 256


def float_logits(weights: NetworkWeights, images: NDArray[np.uint8]) -> Floats:
    """Logits [n, classes] of the float network that is exported, on uint8 `images` [n, r, r, c]."""
    with quiet_stderr():
        import tensorflow as tf

        network = tf.function(_float_network(weights), autograph=False, reduce_retracing=True)
        batches = (images[start : start + _BATCH] for start in range(0, len(images), _BATCH))
        return np.concatenate([network(tf.constant(to_float_input(batch))).numpy() for batch in batches])


def convert_int8(weights: NetworkWeights, calibration: NDArray[np.uint8]) -> bytes:
    """The int8 .tflite of `weights`, activation ranges taken from `calibration` [n, r, r, c], class-balanced.

    Two corner pixels of the first picture are set to 0 and 255, so that the input's scale is 1/64 and its
    zero point 0 whatever the pictures: int8 = pixel - 128.

    ``verify`` checks that, and everything else about the result.
    """
    genotype = weights.genotype
    shape = (1, genotype.resolution, genotype.resolution, genotype.in_channels)
    pictures = to_float_input(_reach_both_ends(calibration))

    def representative() -> Iterator[list[Floats]]:
        return ([picture[None]] for picture in pictures)

    with quiet_stderr():
        import tensorflow as tf

        network = tf.function(_float_network(weights), autograph=False)
        concrete = network.get_concrete_function(tf.TensorSpec(shape, tf.float32))
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
        model: bytes = converter.convert()
    return model


def _reach_both_ends(calibration: NDArray[np.uint8]) -> NDArray[np.uint8]:
    pictures = calibration.copy()
    pictures[0, 0, 0, :] = 0
    pictures[0, -1, -1, :] = 255
    return pictures


def _float_network(weights: NetworkWeights) -> Callable[[TfTensor], TfTensor]:
    """A function of a float batch [n, r, r, c]: the planned Graph with `weights` as constants."""
    graph = build_graph(weights.genotype)

    def network(images: TfTensor) -> TfTensor:
        layers = iter(weights.layers)
        values = {graph.inputs[0]: images}
        for operator in graph.operators:
            layer = next(layers) if operator.kind in WEIGHTED else None
            inputs = [values[i] for i in graph.activations_in(operator)]
            values[operator.outputs[0]] = _execute(graph, operator, inputs, layer)
        return values[graph.outputs[0]]

    return network


def _execute(
    graph: Graph, operator: Operator, inputs: list[TfTensor], layer: LayerWeights | None
) -> TfTensor:
    import tensorflow as tf

    if layer is not None:
        return _activate(tf.nn.bias_add(_linear(operator, inputs[0], layer.kernel), layer.bias), operator)
    match operator.kind:
        case OpKind.ADD:
            return _activate(inputs[0] + inputs[1], operator)
        case OpKind.MUL:
            return inputs[0] * inputs[1]
        case OpKind.LOGISTIC:
            return tf.sigmoid(inputs[0])
        case OpKind.MEAN:
            keep_dims = len(graph.tensors[operator.outputs[0]].shape) == 4
            return tf.reduce_mean(inputs[0], [1, 2], keepdims=keep_dims)
    raise ValueError(f"no genotype makes {operator.kind.value}")


def _linear(operator: Operator, x: TfTensor, kernel: Floats) -> TfTensor:
    import tensorflow as tf

    if operator.window is None:
        return tf.matmul(x, kernel)
    rows, columns = operator.window.stride
    strides, padding = [1, rows, columns, 1], operator.window.padding.value
    if operator.kind is OpKind.DEPTHWISE_CONV_2D:
        return tf.nn.depthwise_conv2d(x, kernel, strides, padding)
    return tf.nn.conv2d(x, kernel, strides, padding)


def _activate(x: TfTensor, operator: Operator) -> TfTensor:
    import tensorflow as tf

    match operator.activation:
        case Activation.RELU:
            return tf.nn.relu(x)
        case Activation.RELU6:
            return tf.nn.relu6(x)
        case _:
            return x
