"""Whether an operator fits its tensors: TFLite's shape rules, kind by kind.

A reader of somebody else's bytes asks these before it believes an operator, so that whatever works on a
Graph later may take its shapes, axes and scales for granted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from tinynas.graph.ir import Activation, DType, Operator, OpKind, Quantization, Tensor

#: what no window, stride or dilation of a microcontroller's network exceeds
_MOST_TAPS = 2**16 - 1
_SAME_SHAPE = (
    OpKind.QUANTIZE,
    OpKind.DEQUANTIZE,
    OpKind.RELU,
    OpKind.RELU6,
    OpKind.LOGISTIC,
    OpKind.HARD_SWISH,
    OpKind.SOFTMAX,
)
#: the kinds with weights, and the axis of the weights that holds the output channels
_WEIGHTED = {OpKind.CONV_2D: 0, OpKind.DEPTHWISE_CONV_2D: 3, OpKind.FULLY_CONNECTED: 0}

#: the kinds whose other inputs are constants: weights, axes, sizes
_ONE_MAP = set(OpKind) - {OpKind.ADD, OpKind.MUL, OpKind.CONCATENATION}
_CONVERSIONS = (OpKind.QUANTIZE, OpKind.DEQUANTIZE)
_REAL = DType.FLOAT32

#: the kinds that hand values on as they are stored
_MOVING = (
    OpKind.RESHAPE,
    OpKind.TRANSPOSE,
    OpKind.PAD,
    OpKind.CONCATENATION,
    OpKind.MAX_POOL_2D,
    OpKind.AVERAGE_POOL_2D,
    OpKind.RESIZE_NEAREST_NEIGHBOR,
)
#: fewest and most inputs of the kinds that take not just one
_COUNTS = {
    **dict.fromkeys(_WEIGHTED, (1, 3)),
    **dict.fromkeys((OpKind.ADD, OpKind.MUL, OpKind.MEAN, OpKind.PAD, OpKind.TRANSPOSE), (2, 2)),
    OpKind.RESIZE_NEAREST_NEIGHBOR: (2, 2),
    OpKind.RESHAPE: (1, 2),
    OpKind.CONCATENATION: (1, 2**31),
    OpKind.STRIDED_SLICE: (4, 4),
}
#: an int32 holds no larger factor
_LARGEST_FACTOR = 2.0**31
#: how far a bias may be from the scale of the products it is added to, in steps of the output (TFLite's rule)
_BIAS_SLACK = 0.02

Inputs = Sequence[Tensor | None]


def misfit(operator: Operator, tensors: Sequence[Tensor]) -> str | None:
    """What is wrong with `operator` on its tensors, in a few words; None where it fits."""
    inputs = [tensors[i] if i >= 0 else None for i in operator.inputs]
    output = tensors[operator.outputs[0]]
    source = inputs[0]
    if source is None or not source.elements or not output.elements:
        return "lacks values to work on"
    if not output.shape or (operator.kind in _WEIGHTED and not source.shape):
        return "works on a tensor without axes"
    maps = inputs[:1] if operator.kind in _ONE_MAP else inputs
    if all(tensor is not None and tensor.constant for tensor in maps):
        return "works on constants alone, which the exporter should have folded"
    fewest, most = _COUNTS.get(operator.kind, (1, 1))
    if not fewest <= len(inputs) <= most or None in inputs[:fewest]:
        return f"has the wrong number of inputs ({len(inputs)})"
    if operator.kind in _WEIGHTED:
        return _weights_misfit(operator, inputs, output) or _scales_misfit(operator, inputs, output)
    if operator.kind in _RULES and not _RULES[operator.kind](operator, inputs, output):
        return "does not fit its shapes"
    return _scales_misfit(operator, inputs, output)


def _weights_misfit(operator: Operator, inputs: Inputs, output: Tensor) -> str | None:
    weights = inputs[1] if len(inputs) > 1 else None
    if weights is None or not weights.elements:
        return "lacks its weights"
    if not _RULES[operator.kind](operator, inputs, output):
        return "does not fit its shapes"
    bias = inputs[2] if len(inputs) > 2 else None
    channels = weights.shape[_WEIGHTED[operator.kind]]
    if bias is not None and bias.elements != channels:
        return f"has {bias.elements} biases for {channels} channels"
    if inputs[0] is None or inputs[0].dtype is not DType.INT8:
        return None
    if weights.dtype is not DType.INT8 or (bias is not None and bias.dtype is not DType.INT32):
        return "has weights that are not int8 or a bias that is not int32"
    if not weights.constant or (bias is not None and not bias.constant):
        return "has weights that another operator computes"
    known = weights.quantization
    if known is None or (known.per_channel and known.axis != _WEIGHTED[operator.kind]):
        return "has weights without a scale for each output channel"
    constants = [tensor.quantization for tensor in (weights, bias) if tensor is not None]
    if any(any(each.zero_points) for each in constants if each is not None):
        return "has weights or biases with zero points other than 0"
    return _bias_misfit(inputs[0], known, bias, output)


def _bias_misfit(source: Tensor, weights: Quantization, bias: Tensor | None, output: Tensor) -> str | None:
    """A bias is added to products, so it must have their scale."""
    if bias is None or bias.quantization is None or not (_single_scale(source) and _single_scale(output)):
        return None
    products = [_known(source)[0] * scale for scale in weights.scales]
    scales = bias.quantization.scales
    if len({1, len(products), len(scales)} - {1}) > 1:
        return "has biases of other scales than its products"
    apart = max(abs(a - b) for a, b in zip(*np.broadcast_arrays(products, scales), strict=True))
    return "has biases of other scales than its products" if apart / _known(output)[0] > _BIAS_SLACK else None


def _scales_misfit(operator: Operator, inputs: Inputs, output: Tensor) -> str | None:
    """Integer feature maps need one scale each; weights were looked at before."""
    maps = [*(inputs[:1] if operator.kind in _ONE_MAP else inputs), output]
    if operator.kind not in _CONVERSIONS and len({t.dtype for t in maps if t is not None}) > 1:
        return "mixes element types"
    if operator.kind in _CONVERSIONS and (output.dtype is _REAL) is not (operator.kind is OpKind.DEQUANTIZE):
        return "converts between the wrong element types"
    quantised = [tensor for tensor in maps if tensor is not None and tensor.dtype is DType.INT8]
    if not all(map(_single_scale, quantised)):
        return "works on int8 values without a single scale"
    if len(quantised) < 2:
        return None
    if operator.kind in _MOVING and len({_known(tensor) for tensor in quantised}) > 1:
        return "hands values on under another scale or zero point"
    if operator.kind is OpKind.CONCATENATION and operator.activation is not Activation.NONE:
        return "has an activation, which TFLite does not run there"
    if _clamps_at_six(operator) and not 6 / min(_known(tensor)[0] for tensor in quantised) < _LARGEST_FACTOR:
        return "has a scale in which 6.0 is no int32"
    factors = [math.prod(scales) / _known(output)[0] for scales in _factors(operator, inputs)]
    return "has scales too far apart" if not max(factors, default=0) < _LARGEST_FACTOR else None


def _clamps_at_six(operator: Operator) -> bool:
    return operator.kind is OpKind.RELU6 or operator.activation is Activation.RELU6


def _factors(operator: Operator, inputs: Inputs) -> list[tuple[float, ...]]:
    """The scales whose products, over the output's scale, rescale what the operator adds up."""
    scales = [tensor.quantization.scales if tensor and tensor.quantization else () for tensor in inputs]
    if operator.kind in _WEIGHTED:
        return [(scales[0][0], scale) for scale in scales[1]]
    if operator.kind is OpKind.MUL:
        return [(scales[0][0], scales[1][0])]
    return [each[:1] for each in scales]


def _single_scale(tensor: Tensor) -> bool:
    return tensor.quantization is not None and not tensor.quantization.per_channel


def _known(tensor: Tensor) -> tuple[float, int]:
    """Scale and zero point; (0, 0) where there are none."""
    known = tensor.quantization
    return (known.scales[0], known.zero_points[0]) if known is not None else (0.0, 0)


def _window_fits(operator: Operator, inputs: Inputs, output: Tensor) -> bool:
    source, window = inputs[0], operator.window
    if source is None or window is None or len(source.shape) != 4 or len(output.shape) != 4:
        return False
    taps = (*window.kernel, *window.stride, *window.dilation)
    return (
        1 <= min(taps) <= max(taps) <= _MOST_TAPS
        and source.shape[0] == output.shape[0]
        and window.output_size(*source.shape[1:3]) == output.shape[1:3]
    )


def _pool_fits(operator: Operator, inputs: Inputs, output: Tensor) -> bool:
    return _window_fits(operator, inputs, output) and _shape(inputs)[3] == output.shape[3]


def _conv_fits(operator: Operator, inputs: Inputs, output: Tensor) -> bool:
    weights = _shape(inputs, 1)
    if not _window_fits(operator, inputs, output) or len(weights) != 4:
        return False
    # grouped convolution is a filter shallower than its input
    groups, rest = divmod(_shape(inputs)[3], weights[3])
    return weights[0] == output.shape[3] and rest == 0 and groups > 0 and output.shape[3] % groups == 0


def _depthwise_fits(operator: Operator, inputs: Inputs, output: Tensor) -> bool:
    weights = _shape(inputs, 1)
    if not _window_fits(operator, inputs, output) or len(weights) != 4:
        return False
    channels = _shape(inputs)[3] * operator.depth_multiplier
    return weights[0] == 1 and weights[3] == output.shape[3] == channels


def _dense_fits(operator: Operator, inputs: Inputs, output: Tensor) -> bool:
    weights = _shape(inputs, 1)
    if len(weights) != 2 or output.shape[-1:] != weights[:1]:
        return False
    batch, rest = divmod(math.prod(_shape(inputs)), weights[1])
    return rest == 0 and output.elements == batch * weights[0]


def _binary_fits(operator: Operator, inputs: Inputs, output: Tensor) -> bool:
    try:
        return len(inputs) == 2 and np.broadcast_shapes(_shape(inputs), _shape(inputs, 1)) == output.shape
    except ValueError:
        return False


def _mean_fits(operator: Operator, inputs: Inputs, output: Tensor) -> bool:
    shape, axes = _shape(inputs), _integers(inputs, 1)
    if axes is None or len(_shape(inputs, 1)) > 1:
        return False
    if any(not -len(shape) <= axis < len(shape) for axis in axes):
        return False
    gone = {axis % len(shape) for axis in axes}
    kept = tuple(1 if axis in gone else size for axis, size in enumerate(shape))
    return output.shape in (kept, tuple(size for axis, size in enumerate(shape) if axis not in gone))


def _pad_fits(operator: Operator, inputs: Inputs, output: Tensor) -> bool:
    shape, pads = _shape(inputs), _integers(inputs, 1)
    if pads is None or _shape(inputs, 1) != (len(shape), 2) or min(pads) < 0:
        return False
    sizes = zip(shape, pads[::2], pads[1::2], strict=True)
    return output.shape == tuple(size + before + after for size, before, after in sizes)


def _concatenation_fits(operator: Operator, inputs: Inputs, output: Tensor) -> bool:
    axis, shapes = operator.axis, [tensor.shape for tensor in inputs if tensor is not None]
    if len(shapes) != len(inputs) or not 0 <= axis < len(output.shape):
        return False
    if any(len(shape) != len(output.shape) for shape in shapes):
        return False
    rest = {shape[:axis] + shape[axis + 1 :] for shape in (*shapes, output.shape)}
    return len(rest) == 1 and sum(shape[axis] for shape in shapes) == output.shape[axis]


def _transpose_fits(operator: Operator, inputs: Inputs, output: Tensor) -> bool:
    shape, order = _shape(inputs), _integers(inputs, 1)
    if order is None or len(_shape(inputs, 1)) != 1 or sorted(order) != list(range(len(shape))):
        return False
    return output.shape == tuple(shape[axis] for axis in order)


def _resize_fits(operator: Operator, inputs: Inputs, output: Tensor) -> bool:
    shape, size = _shape(inputs), _integers(inputs, 1)
    if size is None or len(_shape(inputs, 1)) != 1 or len(shape) != 4:
        return False
    return output.shape == (shape[0], *size, shape[3])


def _same_fits(operator: Operator, inputs: Inputs, output: Tensor) -> bool:
    return _shape(inputs) == output.shape


def _reshape_fits(operator: Operator, inputs: Inputs, output: Tensor) -> bool:
    return math.prod(_shape(inputs)) == output.elements


def _shape(inputs: Inputs, index: int = 0) -> tuple[int, ...]:
    tensor = inputs[index] if index < len(inputs) else None
    return tensor.shape if tensor is not None else ()


def _integers(inputs: Inputs, index: int) -> list[int] | None:
    """The constant integers of input `index`, flattened; None where they are no such thing."""
    tensor = inputs[index] if index < len(inputs) else None
    if tensor is None or tensor.data is None or tensor.dtype not in (DType.INT32, DType.INT64):
        return None
    return [int(value) for value in tensor.data.ravel()]


_RULES: dict[OpKind, Callable[[Operator, Inputs, Tensor], bool]] = {
    OpKind.CONV_2D: _conv_fits,
    OpKind.DEPTHWISE_CONV_2D: _depthwise_fits,
    OpKind.FULLY_CONNECTED: _dense_fits,
    OpKind.AVERAGE_POOL_2D: _pool_fits,
    OpKind.MAX_POOL_2D: _pool_fits,
    OpKind.ADD: _binary_fits,
    OpKind.MUL: _binary_fits,
    OpKind.MEAN: _mean_fits,
    OpKind.PAD: _pad_fits,
    OpKind.CONCATENATION: _concatenation_fits,
    OpKind.TRANSPOSE: _transpose_fits,
    OpKind.RESHAPE: _reshape_fits,
    OpKind.RESIZE_NEAREST_NEIGHBOR: _resize_fits,
    **dict.fromkeys(_SAME_SHAPE, _same_fits),
}
