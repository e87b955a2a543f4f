"""A sub-network cut out of the supernet computes what it computed inside it."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from keras import ops  # noqa: E402

from tinynas.data import Split  # noqa: E402
from tinynas.export import float_logits  # noqa: E402
from tinynas.export.inherit import inherited_weights  # noqa: E402
from tinynas.spaces import Choice, make_space  # noqa: E402
from tinynas.supernet.backends import build_supernet  # noqa: E402
from tinynas.supernet.scoring import Calibration, Calibrator, Scorer  # noqa: E402

SPACE = make_space(0.3, 9, 8, 3, 5)
#: one of each gene's values, more than one block, and a stage of one
CHOICE = Choice(9, (1, 2, 1, 1, 2, 1), (3, 5, 7) * 7, (4, 3, 6) * 7)


def test_inherited_weights_compute_what_the_supernet_does() -> None:
    rng = np.random.default_rng(0)
    pictures = Split(rng.integers(0, 256, (40, 9, 9, 3)).astype(np.uint8), np.arange(40) % 5)
    model = build_supernet(SPACE, seed=0)
    for variable in model.trainable_variables:  # away from the ones and zeros it starts with
        variable.assign(ops.convert_to_numpy(variable) + rng.normal(0, 0.05, variable.shape))
    calibrator = Calibrator(model, pictures, calibration=Calibration(2, 20), seed=0, fixed=CHOICE)
    inside = Scorer(calibrator, pictures).logits(CHOICE)
    weights = inherited_weights(model, CHOICE, calibrator.statistics(CHOICE))
    outside = float_logits(weights, pictures.images)
    assert np.ptp(inside) > 0.1
    np.testing.assert_allclose(outside, inside, rtol=1e-3, atol=1e-3)
