"""Reading .tflite files: other people's models as they are, and damaged ones as errors, never as figures."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinynas.cost import TflmRuntime, buffers, count, live_peak, macs, plan_greedy
from tinynas.cost.scratch import Kernels, requests, scratch_of
from tinynas.errors import ModelError
from tinynas.graph import Graph, OpKind
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import graph_from_bytes, read_tflite

_ROW = re.compile(r"\| (\w+) \|[^|]*\|[^|]*\|[^|]*\| ([\d,]+) \| ([\d,]+) \|")


def test_macs_and_heads_equal_the_manifest(shared: Path) -> None:
    rows = _ROW.findall((shared / "models" / "MANIFEST.md").read_text())
    assert len(rows) >= 9
    for name, expected_macs, expected_head in rows:
        graph = read_tflite(shared / "models" / f"{name}.tflite")
        scratch = scratch_of(graph, Kernels.REFERENCE)
        assert macs(graph) == int(expected_macs.replace(",", "")), name
        assert plan_greedy(buffers(graph, scratch)).peak == int(expected_head.replace(",", "")), name


def test_weights_and_quantisation_are_read(shared: Path) -> None:
    graph = read_tflite(shared / "models" / "mlperftiny__vww_96_int8.tflite")
    first = graph.operators[0]
    weights, bias = graph.constants_in(first)
    assert first.kind is OpKind.CONV_2D and first.window is not None
    assert (first.window.kernel, first.window.stride) == ((3, 3), (2, 2))
    assert weights.shape == (8, 3, 3, 3) and weights.data is not None and weights.data.dtype == np.int8
    assert bias.data is not None and bias.data.dtype == np.int32
    assert weights.quantization is not None and len(weights.quantization.scales) == 8
    assert graph.tensors[graph.inputs[0]].quantization is not None
    assert not any(tensor.constant and tensor.data is None for tensor in graph.tensors)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04 a zip archive", "not a .tflite file"),
        (b"\x00\x00\x00\x00TFL3", "damaged"),
    ],
)
def test_what_is_not_a_model_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "model.tflite"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=words):
        read_tflite(file)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        read_tflite(tmp_path / "absent.tflite")
    with pytest.raises(ModelError, match="cannot be read"):
        read_tflite(tmp_path)


def test_an_unknown_operator_is_named_with_its_index(shared: Path) -> None:
    data = bytearray((shared / "models" / "tflm__hello_world_int8.tflite").read_bytes())
    code = tflite.Model.GetRootAsModel(data, 0).OperatorCodes(0)
    table = code._tab
    field = table.Pos + table.Offset(4)
    assert data[field] == tflite.BuiltinOperator.FULLY_CONNECTED
    data[field] = tflite.BuiltinOperator.LSTM
    # newer files state the code a second time
    if offset := table.Offset(10):
        data[table.Pos + offset] = tflite.BuiltinOperator.LSTM
    with pytest.raises(ModelError, match=r"operator 0 is LSTM.*export the network without it"):
        graph_from_bytes(bytes(data), "changed.tflite")


def _with_quantization(shared: Path, change: Callable[[Any], None]) -> bytes:
    """hello_world with something changed in the quantisation of its first operator's weights."""
    data = bytearray((shared / "models" / "tflm__hello_world_int8.tflite").read_bytes())
    subgraph = tflite.Model.GetRootAsModel(data, 0).Subgraphs(0)
    change(subgraph.Tensors(subgraph.Operators(0).Inputs(1)).Quantization())
    return bytes(data)


@pytest.mark.parametrize("scale", [0.0, -0.5, float("nan"), float("inf")])
def test_a_scale_that_is_none_is_damage(shared: Path, scale: float) -> None:
    data = _with_quantization(shared, lambda known: known.ScaleAsNumpy().fill(scale))
    with pytest.raises(ModelError, match="not a positive number"):
        graph_from_bytes(data, "scale.tflite")


@pytest.mark.parametrize(("zero", "words"), [(128, "is no int8"), (-129, "is no int8"), (3, "other than 0")])
def test_zero_points_are_checked(shared: Path, zero: int, words: str) -> None:
    data = _with_quantization(shared, lambda known: known.ZeroPointAsNumpy().fill(zero))
    with pytest.raises(ModelError, match=words):
        graph_from_bytes(data, "zero.tflite")


def test_options_of_softmax_and_resizing_are_read(shared: Path) -> None:
    speech = read_tflite(shared / "models" / "tflm__micro_speech_quantized.tflite")
    assert speech.operators[-1].kind is OpKind.SOFTMAX and speech.operators[-1].beta == 1.0
    detection = read_tflite(shared / "models" / "tinyengine__detection.tflite")
    resizes = [op for op in detection.operators if op.kind is OpKind.RESIZE_NEAREST_NEIGHBOR]
    assert len(resizes) == 2
    assert not any(op.align_corners or op.half_pixel_centers for op in resizes)


def _use(graph: Graph) -> None:
    """What every reader of a Graph does must work on whatever was let in."""
    count(graph)
    assert macs(graph) >= 0
    assert live_peak(graph, in_place_depthwise=True).bytes >= 0
    for index, operator in enumerate(graph.operators):
        assert all(size >= 0 for size in requests(graph, operator, Kernels.CMSIS_NN)), index
    assert graph.signature()
    with suppress(ModelError):
        simplify(graph)
    assert TflmRuntime().name


_FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_SMALL = ("tflm__hello_world_int8", "tflm__micro_speech_quantized")


@_FUZZ
@given(data=st.data())
def test_a_truncated_file_is_an_error(shared: Path, data: st.DataObject) -> None:
    whole = (shared / "models" / f"{data.draw(st.sampled_from(_SMALL))}.tflite").read_bytes()
    with pytest.raises(ModelError):
        graph_from_bytes(whole[: data.draw(st.integers(0, len(whole) // 2))], "cut.tflite")


@_FUZZ
@given(data=st.data())
def test_flipped_bytes_give_a_graph_or_an_error(shared: Path, data: st.DataObject) -> None:
    damaged = bytearray((shared / "models" / f"{data.draw(st.sampled_from(_SMALL))}.tflite").read_bytes())
    # structure, not weights, is where a flip can mislead: the ends of the file and all in between
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        graph = graph_from_bytes(bytes(damaged), "flipped.tflite")
    except ModelError:
        return
    _use(graph)
