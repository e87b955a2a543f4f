"""Networks drawn from the spaces, exported and read back: the file is the plan and follows the float one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tinynas.data.pixels import to_int8_input
from tinynas.errors import VerificationError
from tinynas.export import accuracy, convert_int8, float_logits, int8_logits, random_weights
from tinynas.export.micro import measure_arena, run_micro
from tinynas.export.verify import check_arena, check_graph, check_outputs, host_arena, verify
from tinynas.graph.tflite import graph_from_bytes
from tinynas.networks import Genotype, build_graph, parse_genotype
from tinynas.spaces.mobile import make_space

#: (width, resolution, native size, channels) of the spaces that networks are drawn from
QUICK = [
    (0.2, 4, 8, 1),
    (0.3, 8, 8, 1),
    (0.4, 15, 8, 1),
    (0.2, 16, 32, 3),
    (0.3, 28, 28, 1),
    (0.2, 64, 224, 3),
]
WRITTEN = [
    "r8x3 conv_k3_s2_c8 ir_k3_s1_e3_c8_se0.25 ir_k5_s2_e4_c16_se0.5 fc_c10",  # squeeze-and-excitation
    "r6x1 conv_k1_s1_c1 ir_k3_s1_e3_c1 ir_k7_s2_e1_c1 fc_c2",  # single channels everywhere
    "r4x1 conv_k3_s2_c8 ir_k7_s2_e3_c16 ir_k3_s2_e3_c16 fc_c3",  # kernels larger than 1 x 1 maps
    "r5x1 ds_k3_s2_c8 fc_c2",  # depthwise on a one-channel picture
    "r8x3 fc_c2",  # no block at all
    "r12x3 conv_k3_s2_c8_relu x_k3_s2_c16_b1_g8 x_k3_s1_c16_b1_g8 fc_c4",  # RegNetX: groups, projection
    # RegNetY: groups of every width, bottleneck
    "r9x1 conv_k3_s2_c8_relu x_k3_s2_c16_b2_g4_se0.25 x_k3_s1_c16_b1_g1_se0.25 x_k3_s1_c16_b1_g16 fc_c4",
]


def _drawn(space: tuple[float, int, int, int], seed: int) -> Genotype:
    width, resolution, native, channels = space
    drawn_from = make_space(width, resolution, native, channels, classes=10)
    return drawn_from.genotype(drawn_from.sample(np.random.default_rng(seed)))


def _pictures(genotype: Genotype, count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth patterns and noise, of various contrast: more like pictures than noise alone."""
    rng = np.random.default_rng(seed)
    size = genotype.resolution
    shape = (count, size, size, genotype.in_channels)
    pace, contrast = rng.uniform([[0], [20]], [[3], [127]], (2, count))[..., None, None, None]
    waves = np.cos(pace * np.arange(size)[None, :, None, None] + rng.normal(size=shape))
    return (128 + contrast * waves).clip(0, 255).astype(np.uint8)


def _check_everything(genotype: Genotype, seed: int) -> None:
    """The file equals the plan, TFLM's arena the prediction, TFLM's outputs the reference kernels'."""
    weights = random_weights(genotype, np.random.default_rng(seed))
    pictures = _pictures(genotype, 8, seed)
    model = convert_int8(weights, pictures)
    planned = build_graph(genotype)
    check_graph(planned, graph_from_bytes(model, str(genotype)))
    check_arena(host_arena(planned), measure_arena(model))
    arena = host_arena(planned).total
    check_outputs(run_micro(model, to_int8_input(pictures[:2]), arena), int8_logits(model, pictures[:2]))


@pytest.mark.parametrize("space", QUICK, ids=str)
def test_drawn_network_is_exported_as_planned(space: tuple[float, int, int, int]) -> None:
    _check_everything(_drawn(space, seed=1), seed=2)


@pytest.mark.parametrize("text", WRITTEN)
def test_written_network_is_exported_as_planned(text: str) -> None:
    _check_everything(parse_genotype(text), seed=3)


def _fifty() -> Iterator[Genotype]:
    rng = np.random.default_rng(50)
    pictures = [(8, 1, [4, 8, 12]), (28, 1, [14, 28]), (32, 3, [16, 24, 40]), (224, 3, [48, 64, 80, 96])]
    for seed in range(50):
        native, channels, resolutions = pictures[seed % 4]
        width = float(rng.choice([0.2, 0.3, 0.4, 0.5]))
        yield _drawn((width, int(rng.choice(resolutions)), native, channels), seed)


@pytest.mark.slow
@pytest.mark.parametrize("genotype", list(_fifty()), ids=lambda g: f"r{g.resolution}x{g.in_channels}")
def test_golden_fifty(genotype: Genotype) -> None:
    _check_everything(genotype, seed=4)


def test_int8_follows_float() -> None:
    genotype = _drawn((0.3, 16, 32, 3), seed=5)
    weights = random_weights(genotype, np.random.default_rng(6))
    pictures = _pictures(genotype, 48)
    exact = float_logits(weights, pictures)
    quantised = int8_logits(convert_int8(weights, pictures), pictures).astype(float)
    assert np.corrcoef(exact.ravel(), quantised.ravel())[0, 1] > 0.98


@pytest.fixture(scope="module")
def exported() -> tuple[Genotype, bytes]:
    genotype = parse_genotype("r8x1 conv_k3_s1_c8 ir_k3_s1_e3_c8 ir_k3_s2_e3_c16 fc_c4")
    weights = random_weights(genotype, np.random.default_rng(7))
    return genotype, convert_int8(weights, _pictures(genotype, 16))


def test_verification_states_what_it_found(exported: tuple[Genotype, bytes]) -> None:
    genotype, model = exported
    pictures = _pictures(genotype, 40, seed=8)
    labels = int8_logits(model, pictures).argmax(axis=1)
    right = np.eye(4)[labels]
    found = verify(model, genotype, images=pictures, labels=labels, float_logits=right, compared=5)
    assert (found.accuracy_float, found.accuracy_int8, found.warning) == (1.0, 1.0, None)
    assert found.head_bytes == measure_arena(model).head
    assert found.host_arena_used_bytes <= found.host_arena_bytes
    assert (found.test_pictures, found.compared_pictures, found.model_bytes) == (40, 5, len(model))
    assert found.to_dict()["warning"] is None


def test_lost_accuracy_is_a_warning(exported: tuple[Genotype, bytes]) -> None:
    genotype, model = exported
    pictures = _pictures(genotype, 20, seed=9)
    labels = (int8_logits(model, pictures).argmax(axis=1) + 1) % 4
    right = np.eye(4)[labels]
    found = verify(model, genotype, images=pictures, labels=labels, float_logits=right, compared=2)
    assert found.accuracy_int8 == 0.0
    assert found.warning is not None and "100.0 points" in found.warning


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("r8x1 conv_k3_s1_c8 ir_k3_s1_e3_c8 ir_k5_s2_e3_c16 fc_c4", "among its operators"),
        ("r8x1 conv_k3_s1_c8 ir_k3_s1_e3_c8_noskip ir_k3_s2_e3_c16 fc_c4", "operator 4 is ADD where CONV_2D"),
        ("r8x1 conv_k3_s1_c8 ir_k3_s1_e3_c8 ir_k3_s2_e3_c16 conv_k1_s1_c16 fc_c4", "operator 8 is MEAN"),
        ("r9x1 conv_k3_s1_c8 ir_k3_s1_e3_c8 ir_k3_s2_e3_c16 fc_c4", "among its inputs"),
    ],
)
def test_another_network_is_refused(exported: tuple[Genotype, bytes], text: str, complaint: str) -> None:
    planned = parse_genotype(text)
    pictures = _pictures(planned, 1)
    with pytest.raises(VerificationError, match=complaint):
        verify(exported[1], planned, images=pictures, labels=np.zeros(1, int), float_logits=np.zeros((1, 4)))


def test_wrong_predictions_are_refused(exported: tuple[Genotype, bytes]) -> None:
    measured, right = measure_arena(exported[1]), host_arena(build_graph(exported[0]))
    check_arena(right, measured)
    with pytest.raises(VerificationError, match="activations take"):
        check_arena(replace(right, head=right.head - 16), measured)
    with pytest.raises(VerificationError, match="for itself, not the predicted"):
        check_arena(replace(right, tail=right.tail - 16), measured)


def test_different_outputs_are_refused() -> None:
    reference = np.zeros((3, 4), np.int8)
    micro = reference.copy()
    micro[1, 2] = 1
    with pytest.raises(VerificationError, match="1 of 3 pictures, first on number 1"):
        check_outputs(micro, reference)


def test_accuracy_counts_the_first_of_equals() -> None:
    assert accuracy(np.array([[1, 1], [0, 5], [3, 2]], np.int8), np.array([0, 1, 1])) == pytest.approx(2 / 3)


def test_conversion_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    genotype = parse_genotype("r4x1 conv_k3_s1_c8 fc_c2")
    weights = random_weights(genotype, np.random.default_rng(0))
    convert_int8(weights, _pictures(genotype, 4))
    assert capfd.readouterr() == ("", "")


def test_input_scale_holds_for_pale_pictures() -> None:
    """Pictures of little contrast must not narrow the input's range: int8 = pixel - 128 whatever they are."""
    genotype = parse_genotype("r4x3 conv_k3_s1_c8 fc_c2")
    weights = random_weights(genotype, np.random.default_rng(0))
    pale = np.full((4, 4, 4, 3), 120, np.uint8)
    check_graph(build_graph(genotype), graph_from_bytes(convert_int8(weights, pale), "pale"))
    assert (pale == 120).all()
