"""From a sub-network to a verified int8 .tflite.

Weights come in folded (`NetworkWeights`), `convert_int8` makes the file, `tinynas.export.verify.verify`
decides whether it is the result. TensorFlow is imported only when one of these runs.
"""

from tinynas.export.convert import convert_int8, float_logits
from tinynas.export.interpret import accuracy, int8_logits
from tinynas.export.weights import LayerWeights, NetworkWeights, RawConvolution, random_weights

__all__ = [
    "LayerWeights",
    "NetworkWeights",
    "RawConvolution",
    "accuracy",
    "convert_int8",
    "float_logits",
    "int8_logits",
    "random_weights",
]
