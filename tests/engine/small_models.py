"""One small .tflite file around every operator kind: what the hostile ones are made from."""

from __future__ import annotations

import make_tflite as make
import numpy as np

from tinynas.graph import Activation, OpKind, Padding


def small_models() -> dict[str, bytes]:
    """The files by name; the same bytes every time."""

    def rng(seed: int) -> np.random.Generator:
        return np.random.default_rng(seed)

    none, relu6, same, valid = Activation.NONE, Activation.RELU6, Padding.SAME, Padding.VALID
    image, pixel, scale = (6, 5, 4), (1, 6, 5, 4), 0.05
    logistic = (scale, 1 / 256), (3, -128)
    return {
        "conv": make.convolution(rng(0), image, 8, (3, 3), (2, 2), same, activation=relu6),
        "conv_valid": make.convolution(rng(1), image, 6, (2, 3), (1, 2), valid, per_channel=False),
        "conv_groups": make.convolution(rng(2), image, 6, (3, 3), (1, 1), same, groups=2),
        "pointwise": make.convolution(rng(3), image, 5, (1, 1), (1, 1), same, bias=False),
        "depthwise": make.convolution(rng(4), image, 4, (3, 3), (1, 1), same, depthwise=True),
        "depthwise_multiplied": make.convolution(rng(5), image, 8, (3, 3), (2, 1), same, depthwise=True),
        "dense": make.dense(rng(6), 10, 5, activation=none, per_channel=False, bias=True),
        "dense_channels": make.dense(rng(7), 9, 4, activation=relu6, per_channel=True, bias=False),
        "add": make.binary(rng(8), OpKind.ADD, pixel, pixel),
        "add_constant": make.binary(rng(9), OpKind.ADD, pixel, (4,), constant=1),
        "mul_gate": make.binary(rng(10), OpKind.MUL, pixel, (1, 1, 1, 4)),
        "average_pool": make.pool(rng(11), OpKind.AVERAGE_POOL_2D, image, (3, 2), (2, 2), same, none),
        "max_pool": make.pool(rng(12), OpKind.MAX_POOL_2D, image, (2, 2), (1, 2), valid, relu6),
        "mean": make.mean(rng(13), image, (1, 2), keep=False, same=False),
        "mean_columns": make.mean(rng(14), image, (2,), keep=True, same=True),
        "logistic": make.unary(rng(15), OpKind.LOGISTIC, pixel, *logistic),
        "hard_swish": make.unary(rng(16), OpKind.HARD_SWISH, pixel, (scale, 0.04), (3, -10)),
        "relu": make.unary(rng(17), OpKind.RELU, pixel, (scale, 0.04), (3, -10)),
        "quantize": make.unary(rng(18), OpKind.QUANTIZE, pixel, (scale, 0.04), (3, -10)),
        "softmax": make.unary(rng(19), OpKind.SOFTMAX, (1, 12), (scale, 1 / 256), (3, -128)),
        "concat": make.concatenation(rng(20), [pixel, (1, 6, 5, 3)], 3),
        "concat_vectors": make.concatenation(rng(27), [(1, 4), (1, 3)], 1),
        "concat_rows": make.concatenation(rng(21), [pixel, (1, 2, 5, 4)], 1),
        "pad": make.moved(
            rng(22), OpKind.PAD, pixel, (1, 8, 6, 4), [[0, 0], [1, 1], [0, 1], [0, 0]], make.options("Pad")
        ),
        "reshape": make.moved(
            rng(23), OpKind.RESHAPE, pixel, (1, 120), (1, 120), make.options("Reshape", newShape=[1, 120])
        ),
        "transpose": make.moved(
            rng(24), OpKind.TRANSPOSE, pixel, (1, 4, 6, 5), (0, 3, 1, 2), make.options("Transpose")
        ),
        "resize": make.moved(
            rng(25),
            OpKind.RESIZE_NEAREST_NEIGHBOR,
            pixel,
            (1, 12, 10, 4),
            (12, 10),
            make.options("ResizeNearestNeighbor", halfPixelCenters=True),
        ),
        "float_borders": make.float_borders(rng(26), image, 5),
    }
