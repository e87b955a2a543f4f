"""The process that converts an .onnx file: `model.onnx` and `calibration.npy` here, `model.tflite` made.

What goes wrong is printed, the last line best; `onnx_import` reads it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

#: samples on which the float networks are compared, and how much of the largest output they may differ by
_COMPARED = 3
_TOLERANCE = 1e-3


def serve() -> None:
    """Convert; the words are the input's name and whether its channels come first."""
    name, layout = sys.argv[1:]
    calibration = np.load("calibration.npy")
    model = _float_network(name, layout == "first", calibration)
    _require_same(model, name, layout == "first", calibration[:_COMPARED])
    Path("model.tflite").write_bytes(_int8(model, calibration))


def _float_network(name: str, channels_first: bool, calibration: Floats) -> Any:
    """onnx2tf's Keras network."""
    from onnx2tf import onnx2tf as converter

    # it would fetch pictures from the internet to try each layer on
    converter.download_test_image_data = lambda: calibration[:1]
    return converter.convert(
        input_onnx_file_path="model.onnx",
        output_folder_path="made",
        batch_size=1,
        keep_shape_absolutely_input_names=None if channels_first else [name],
        disable_model_save=True,
        verbosity="error",
    )


def _require_same(model: Any, name: str, channels_first: bool, samples: Floats) -> None:
    """Ends the process where the network differs from the file's as ONNX Runtime runs it."""
    import onnxruntime

    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    turn = channels_first and samples.ndim > 2
    for sample in samples:
        own = np.moveaxis(sample, -1, 0) if turn else sample
        expected = session.run(None, {name: own[None]})
        made = model(sample[None])
        made = made if isinstance(made, list | tuple) else [made]
        for mine, theirs in zip(made, expected, strict=True):
            if not _close(np.asarray(mine), theirs):
                sys.exit(
                    "Error: onnx2tf made another network of it, whose outputs differ from ONNX Runtime's"
                )


def _close(mine: Floats, theirs: Floats) -> bool:
    """Whether both are equal but for rounding; feature maps may have changed their layout."""
    if mine.shape != theirs.shape and theirs.ndim > 2:
        theirs = np.moveaxis(theirs, 1, -1)
    if mine.size != theirs.size:
        return False
    allowed = _TOLERANCE * max(1.0, float(np.abs(theirs).max()))
    return bool(np.abs(mine.reshape(-1) - theirs.reshape(-1)).max() <= allowed)


def _int8(model: Any, calibration: Floats) -> bytes:
    import tensorflow as tf

    from tinynas.export.convert import quantise

    def representative() -> Iterator[list[Floats]]:
        return ([sample[None]] for sample in calibration)

    network = tf.function(lambda x: model(x), autograph=False)
    concrete = network.get_concrete_function(tf.TensorSpec((1, *calibration.shape[1:]), tf.float32))
    return quantise(concrete, representative, model)
