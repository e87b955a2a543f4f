"""From weights to an int8 .tflite: int8 in, int8 out, one operator for each operator of the planned Graph.

The float network is executed straight from ``build_graph(genotype)`` with TensorFlow's own operators, so
the converter sees the plan itself, with weights as constants: no layers, variables or training state.
Post-training quantisation is per channel for weights, per tensor for activations (TFLite's int8 scheme).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tinynas.data.pixels import to_float_input
from tinynas.export.quiet import quiet_stderr
from tinynas.export.weights import Floats, LayerWeights, NetworkWeights
from tinynas.graph import Activation, Operator, OpKind
from tinynas.graph.execute import execute
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
        return quantise(concrete, representative)


def quantise(
    concrete: TfTensor, representative: Callable[[], Iterator[list[Floats]]], owner: object = None
) -> bytes:
    """The .tflite of a concrete function, all int8; `owner` holds its variables, where it has some."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], owner)
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
    return lambda images: execute(graph, images, _Constants(weights.layers))


class _Constants:
    """TensorFlow's own operators, weights as constants."""

    def __init__(self, layers: Sequence[LayerWeights]) -> None:
        self._layers = layers

    def weighted(self, layer: int, operator: Operator, x: TfTensor) -> TfTensor:
        import tensorflow as tf

        # the converter takes branches by the order of their names, in which Conv2D_10 stands before Conv2D_9
        with tf.name_scope(f"layer{layer:04d}"):
            return tf.nn.bias_add(_linear(operator, x, self._layers[layer].kernel), self._layers[layer].bias)

    def add(self, x: TfTensor, y: TfTensor) -> TfTensor:
        return x + y

    def multiply(self, x: TfTensor, y: TfTensor) -> TfTensor:
        return x * y

    def sigmoid(self, x: TfTensor) -> TfTensor:
        import tensorflow as tf

        return tf.sigmoid(x)

    def mean(self, x: TfTensor, keep_dims: bool) -> TfTensor:
        import tensorflow as tf

        return tf.reduce_mean(x, [1, 2], keepdims=keep_dims)

    def activate(self, x: TfTensor, activation: Activation) -> TfTensor:
        import tensorflow as tf

        return tf.nn.relu(x) if activation is Activation.RELU else tf.nn.relu6(x)


def _linear(operator: Operator, x: TfTensor, kernel: Floats) -> TfTensor:
    import tensorflow as tf

    if operator.window is None:
        return tf.matmul(x, kernel)
    rows, columns = operator.window.stride
    strides, padding = [1, rows, columns, 1], operator.window.padding.value
    if operator.kind is OpKind.DEPTHWISE_CONV_2D:
        return tf.nn.depthwise_conv2d(x, kernel, strides, padding)
    return tf.nn.conv2d(x, kernel, strides, padding)
