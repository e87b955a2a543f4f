"""The process that runs TensorFlow Lite Micro: figures, outputs and failures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tinynas.errors import ModelError
from tinynas.export.micro import measure_arena, run_micro


def test_a_model_runs_in_the_arena_it_was_measured_to_take(shared: Path) -> None:
    model = (shared / "models" / "mlperftiny__kws_ref_model.tflite").read_bytes()
    arena = measure_arena(model)
    inputs = np.random.default_rng(0).integers(-128, 128, (4, 49, 10, 1)).astype(np.int8)
    outputs = run_micro(model, inputs, arena.total)
    assert outputs.shape == (4, 12) and outputs.dtype == np.int8
    # every inference stands for itself
    assert np.array_equal(outputs[3:], run_micro(model, inputs[3:]))
    with pytest.raises(ModelError, match="larger arena"):
        run_micro(model, inputs, arena.total - 16)


def test_what_tflm_cannot_run_is_an_error() -> None:
    with pytest.raises(ModelError, match="cannot run the model"):
        measure_arena(b"not a model at all")
