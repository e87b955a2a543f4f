"""TensorFlow, JAX and PyTorch train the same supernet to the same weights: one script, run under each."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """
import sys
import keras, numpy as np
from tinynas.spaces.mobile import make_space
from tinynas.supernet.backends import build_supernet, make_learner

space = make_space(0.2, 4, 8, 1, 3)
model = build_supernet(space, seed=0)
optimizer = keras.optimizers.SGD(0.02, momentum=0.9, nesterov=True, weight_decay=1e-3)
learner = make_learner(model, optimizer, 0.1)
rng = np.random.default_rng(0)
images = rng.integers(0, 256, (12, 4, 4, 1)).astype(np.uint8)
labels = np.arange(12, dtype=np.int64) % 3
scored, losses = space.sample(rng), []
for step in range(2):
    for choice in (space.sample(rng), space.largest()):
        score = learner.accumulate(images, labels, choice, 0.5)
        losses.append((score.loss, score.accuracy))
    learner.apply()
    if step == 0:
        logits = learner.logits(images, scored, learner.statistics(images, scored))
variables = (model.classifier, model.stem.kernel, model.slots[1].depthwise.kernel)
weights = [keras.ops.convert_to_numpy(v) for v in variables]
np.savez(sys.argv[1], losses=losses, logits=logits, **{f"w{i}": w for i, w in enumerate(weights)})
"""


def _trained(backend: str, folder: Path) -> dict[str, np.ndarray]:
    out = folder / f"{backend}.npz"
    environment = os.environ | {
        "KERAS_BACKEND": backend,
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(out)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(out) as archive:
        return dict(archive)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_backends_agree(backend: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install 'tinynas[{backend}]'")
    expected, got = _trained("tensorflow", tmp_path), _trained(backend, tmp_path)
    # logits are of the first step: normalised over few pixels, roundings grow a hundredfold in the second
    for name, values in expected.items():
        np.testing.assert_allclose(got[name], values, rtol=1e-3, atol=5e-4, err_msg=name)
