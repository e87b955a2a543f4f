"""Runs an int8 .tflite on this computer with the arithmetic a microcontroller will use, bit for bit.

That is TFLite's reference kernels (BUILTIN_REF): TFLite Micro rounds exactly as they do. The default
interpreter and even TFLite's optimised kernels round differently, by up to 20 steps after 20 random layers.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.data.pixels import to_int8_input
from tinynas.export.quiet import quiet_stderr

#: fewer pictures than this are not worth another thread
_PICTURES_A_THREAD = 16


def int8_logits(model: bytes, images: NDArray[np.uint8], workers: int | None = None) -> NDArray[np.int8]:
    """The int8 logits [n, classes] that `model` gives for uint8 pictures [n, r, r, c].

    Batches gain nothing with reference kernels; `workers` threads (default: one a core), each with its
    own interpreter, can: one alone takes about 2 ns a MAC.
    """
    inputs = to_int8_input(images)
    threads = max(1, min(workers or os.cpu_count() or 1, len(inputs) // _PICTURES_A_THREAD))
    with quiet_stderr():
        import tensorflow  # noqa: F401  (imported once, before any thread)

        with ThreadPoolExecutor(threads) as pool:
            parts = pool.map(lambda part: _run(model, part), np.array_split(inputs, threads))
            return np.concatenate(list(parts))


def accuracy(logits: NDArray[np.generic], labels: NDArray[np.integer[Any]]) -> float:
    """The share, 0 to 1, of rows of `logits` [n, classes] whose largest entry is at `labels` [n].

    Of equal entries, which int8 has, the first counts, as argmax on the board has it.
    """
    return float(np.mean(np.argmax(logits, axis=1) == labels))


def _run(model: bytes, inputs: NDArray[np.int8]) -> NDArray[np.int8]:
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(
        model_content=model,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
        num_threads=1,
    )
    interpreter.allocate_tensors()
    source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    outputs = np.empty((len(inputs), result["shape"][1]), np.int8)
    for picture, row in zip(inputs, outputs, strict=True):
        interpreter.set_tensor(source["index"], picture[None])
        interpreter.invoke()
        row[:] = interpreter.get_tensor(result["index"])[0]
    return outputs
