"""What a network takes in flash: plain arithmetic on `Counts`, piece by piece.

A .tflite file is weights, biases, a scale (4 bytes) and a zero point (8 bytes) a channel for the weights
and again for the bias, and the flatbuffer's structure, which grows with the number of tensors. Its
constants are calibrated on files of tinynas's own exporter (TensorFlow 2.19), which they meet within 2 %.
Other people's files differ by the length of their tensors' names (13 to 157 bytes each) and old fields:
`benchmarks/tflm_arena.py` measures it, from 19 % below (names of 156 bytes) to 2 % above.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinynas.cost.counts import Counts, Int
from tinynas.graph import OpKind

#: bytes a channel: scale and zero point, of the weights and of the bias
TABLE_BYTES = 24
_FILE_BYTES = 760
_TENSOR_BYTES = 118
_NAME_BYTES = 24
#: interpreter, planner, flatbuffer access and C library, without any kernel
_CODE_BYTES = 24_000
#: code of a kernel with CMSIS-NN; every kind that is not listed counts as one and the same
_KERNEL_CODE: Mapping[OpKind, int] = {
    OpKind.CONV_2D: 11_000,
    OpKind.DEPTHWISE_CONV_2D: 6_500,
    OpKind.FULLY_CONNECTED: 4_700,
    OpKind.ADD: 4_668,
    OpKind.AVERAGE_POOL_2D: 3_200,
    OpKind.MAX_POOL_2D: 3_200,
    OpKind.SOFTMAX: 4_212,
    OpKind.RESHAPE: 800,
}
_OTHER_KERNEL_CODE = 1_630


def quantisation_tables(counts: Counts) -> Int:
    """Bytes of per-channel scales and zero points in a .tflite file."""
    return TABLE_BYTES * counts.total_channels


def graph_structure(counts: Counts) -> Int:
    """Bytes of a .tflite file's structure: tensor and operator tables, names, shapes and axes."""
    return _FILE_BYTES + (_TENSOR_BYTES + _NAME_BYTES) * counts.tensors + counts.other_constant_bytes


def tflm_code(counts: Counts) -> Int:
    """Bytes of TFLM's code with CMSIS-NN on an Arm core, registering only the kinds that occur.

    Calibrated on five firmwares (28,700 to 59,020 bytes), which it meets; 7 and 12 % below the two others
    that were measured. The reference kernels of cores without DSP take less.
    """
    code: Int = _CODE_BYTES
    for kind, number in counts.operators.items():
        code = code + _KERNEL_CODE.get(kind, _OTHER_KERNEL_CODE) * _present(number)
    return code


def _present(number: Int) -> Int:
    return np.minimum(number, 1) if isinstance(number, np.ndarray) else min(number, 1)
