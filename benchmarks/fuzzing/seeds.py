"""Good models to begin with: one around every operator kind, and the smallest real ones where present."""

from __future__ import annotations

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_REAL = ("tflm__hello_world_int8", "tflm__micro_speech_quantized", "mlperftiny__kws_ref_model")


def seeds() -> dict[str, bytes]:
    """.tflite files by name."""
    # the small ones are shared with the tests
    sys.path.insert(0, str(_ROOT / "tests" / "engine"))
    from small_models import small_models  # type: ignore[import-not-found]

    models = _ROOT.parent / "shared" / "models"
    real = {name: models / f"{name}.tflite" for name in _REAL}
    made: dict[str, bytes] = small_models()
    return made | {name: path.read_bytes() for name, path in real.items() if path.is_file()}
