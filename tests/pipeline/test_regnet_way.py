"""A RegNetX and a RegNetY, trained on real digits, become int8 files that three runtimes run bit for bit."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "engine"))

from micro_oracle import needs_compiler

from tinynas.data import class_balanced, load_dataset
from tinynas.data.pixels import to_int8_input
from tinynas.engine.emit import emit
from tinynas.engine.planner import plan_network
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import graph_from_bytes
from tinynas.networks import Genotype
from tinynas.networks.regnet import SE_RATIO, RegNetParameters, build_stages, regnet_stages
from tinynas.pipeline.compile_check import check_compiled

#: stages of 16, 32 and 64 channels, groups of 8
PARAMETERS = RegNetParameters(depth=4, initial=16, slope=16.0, ratio=2.0, bottleneck=1, group_width=8)


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("se", [0.0, SE_RATIO], ids=["regnetx", "regnety"])
def test_a_trained_regnet_is_exact_as_int8(tmp_path: Path, se: float) -> None:
    pytest.importorskip("tensorflow")
    from tinynas.export import convert_int8, float_logits
    from tinynas.export.inherit import trained_weights
    from tinynas.export.verify import verify
    from tinynas.supernet.alone import NetworkTrainer, Recipe

    data = load_dataset("digits")
    stages = regnet_stages(PARAMETERS)
    assert [stage.width for stage in stages] == [16, 32, 64]
    blocks = build_stages(stages, (1, 1, 2, 1), 16, se)
    genotype = Genotype(data.native_resolution, data.channels, blocks, len(data.classes))
    trainer = NetworkTrainer(genotype, data.train, Recipe(epochs=5, batch_size=64), seed=0)
    trainer.train_to()
    weights = trained_weights(trainer.network, trainer.statistics())
    model = convert_int8(weights, class_balanced(data.train, 100, seed=0))

    logits = float_logits(weights, data.test.images)
    # the file is the plan, TFLite Micro agrees with TFLite, the engine's plan loses nothing
    check = verify(model, genotype, images=data.test.images, labels=data.test.labels, float_logits=logits)
    assert check.accuracy_float > 0.9 and check.warning is None

    original = graph_from_bytes(model, "regnet")
    compiled = simplify(original)
    emit(plan_network(compiled), "regnet", tmp_path)
    pictures = to_int8_input(data.test.images[:64])[:, None]  # [64, 1, r, r, c]
    check_compiled(tmp_path, "regnet", model, original, compiled, [pictures])
