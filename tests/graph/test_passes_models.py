"""The passes on the shared models: smaller, and the same bytes. The oracle itself against TFLM."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from reference_net import Run, random_inputs, run

from tinynas.cost import macs
from tinynas.export.micro import run_micro
from tinynas.graph import DType, Graph, OpKind
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import read_tflite

_MODELS = (
    "mlperftiny__ad01_int8",
    "mlperftiny__kws_ref_model",
    "mlperftiny__pretrainedResnet_large_int8",
    "mlperftiny__pretrainedResnet_quant",
    "mlperftiny__str_ww_ref_model",
    "mlperftiny__vww_96_int8",
    "tflm__hello_world_int8",
    "tflm__micro_speech_quantized",
    "tflm__person_detect",
    "tinyengine__detection",
    "tinyengine__vww",
    pytest.param("tinyengine__mcunetv2_large", marks=pytest.mark.slow),
)
_GONE = {OpKind.PAD, OpKind.RESHAPE, OpKind.TRANSPOSE, OpKind.QUANTIZE, OpKind.DEQUANTIZE}


@pytest.mark.parametrize("model", ["mlperftiny__ad01_int8", "tinyengine__vww", "tinyengine__detection"])
def test_the_oracle_computes_what_tflm_does(shared: Path, model: str) -> None:
    file = shared / "models" / f"{model}.tflite"
    graph = read_tflite(file)
    rng = np.random.default_rng(0)
    images = [random_inputs(graph, rng)[0] for _ in range(3)]
    theirs = run_micro(file.read_bytes(), np.stack(images))
    ours = np.stack([run(graph, image)[0] for image in images])
    assert len(np.unique(ours)) > 3
    np.testing.assert_array_equal(ours, theirs.reshape(ours.shape))


@pytest.mark.parametrize("model", _MODELS)
def test_simplified_models_compute_the_same(shared: Path, model: str) -> None:
    graph = read_tflite(shared / "models" / f"{model}.tflite")
    plain, kept = simplify(graph), simplify(graph, keep_float_io=True)
    image = random_inputs(graph, np.random.default_rng(7))[0]
    inference = Run(graph, [image])
    outputs = inference.outputs()
    for old, new in zip(outputs, run(kept, image), strict=True):
        np.testing.assert_array_equal(old, new)
    stored = _behind(graph, graph.inputs[0])
    first = inference.values[stored].reshape(plain.tensors[plain.inputs[0]].shape)
    for output, new in zip(graph.outputs, run(plain, first), strict=True):
        old = inference.values[_before(graph, output)]
        np.testing.assert_array_equal(old.ravel(), new.ravel())
        # a constant network would prove nothing
        assert len(np.unique(new)) > 1 or new.size == 1


@pytest.mark.parametrize("model", _MODELS)
def test_models_keep_only_what_computes(shared: Path, model: str) -> None:
    graph = simplify(read_tflite(shared / "models" / f"{model}.tflite"))
    assert not _GONE.intersection(op.kind for op in graph.operators)
    assert {graph.tensors[i].dtype for i in (*graph.inputs, *graph.outputs)} == {DType.INT8}
    assert simplify(graph) is graph
    assert len({t.name for t in graph.tensors}) > 1 and len(graph.tensors) == len(_used(graph))


def test_more_than_half_of_vww_96_is_dead(shared: Path) -> None:
    before = read_tflite(shared / "models" / "mlperftiny__vww_96_int8.tflite")
    after = simplify(before)
    kinds = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D)
    channels = [
        sum(graph.tensors[op.outputs[0]].shape[3] for op in graph.operators if op.kind in kinds)
        for graph in (before, after)
    ]
    assert channels == [2736, 1020]
    assert (macs(before), macs(after)) == (7_489_664, 3_733_073)


def test_every_layer_of_vww_96_without_its_dead_channels_is_what_it_was(shared: Path) -> None:
    # not only the two classes at the end, which could agree by luck
    before = read_tflite(shared / "models" / "mlperftiny__vww_96_int8.tflite")
    last = next(op for op in before.operators if op.kind is OpKind.FULLY_CONNECTED)
    logits = replace(before, outputs=last.outputs)
    rng = np.random.default_rng(5)
    images = [random_inputs(before, rng)[0] for _ in range(4)]
    ours, theirs = ([run(g, image)[0] for image in images] for g in (logits, simplify(logits)))
    assert len(np.unique(ours)) > 2
    np.testing.assert_array_equal(ours, theirs)


def _used(graph: Graph) -> set[int]:
    read = {i for op in graph.operators for i in (*op.inputs, *op.outputs) if i >= 0}
    return read | {*graph.inputs, *graph.outputs}


def _behind(graph: Graph, tensor: int) -> int:
    """What stands behind the operators that `simplify` drops after an input."""
    for op in graph.operators:
        if op.inputs[0] == tensor and op.kind in (OpKind.QUANTIZE, OpKind.RESHAPE):
            return op.outputs[0]
    return tensor


def _before(graph: Graph, tensor: int) -> int:
    for op in graph.operators:
        if op.outputs[0] == tensor and op.kind is OpKind.DEQUANTIZE:
            return op.inputs[0]
    return tensor
