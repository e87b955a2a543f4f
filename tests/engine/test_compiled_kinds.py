"""Every operator kind and whole models, compiled to C, equal TFLite Micro byte by byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import make_tflite as make
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from micro_oracle import micro_outputs, needs_compiler, random_inputs
from naive_plan import naive_plan

from tinynas.engine.choosing import Goal
from tinynas.engine.emit import emit
from tinynas.engine.host import HostProgram
from tinynas.engine.planner import plan_network
from tinynas.graph import Activation, OpKind, Padding
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import graph_from_bytes, read_tflite
from tinynas.pipeline.compile_check import check_compiled, random_samples

pytestmark = needs_compiler

SAMPLES = 6
LOOKUPS = [OpKind.LOGISTIC, OpKind.HARD_SWISH, OpKind.RELU, OpKind.RELU6, OpKind.QUANTIZE]

sides = st.integers(1, 9)
images = st.tuples(sides, sides, sides)
kernels = st.tuples(st.integers(1, 5), st.integers(1, 5))
strides = st.tuples(st.integers(1, 3), st.integers(1, 3))
activations = st.sampled_from(Activation)
#: paddings of a .tflite file
paddings = st.sampled_from([Padding.SAME, Padding.VALID])
seeds = st.integers(0, 2**32 - 1).map(np.random.default_rng)


class Model:
    """A .tflite file that does not fill the screen when a test fails."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"<model of {len(self.data)} bytes>"


def fitting(image: tuple[int, ...], kernel: tuple[int, int], padding: Padding) -> tuple[int, int]:
    """`kernel`, cut down where VALID padding leaves it no place."""
    if padding is Padding.SAME:
        return kernel
    return min(kernel[0], image[0]), min(kernel[1], image[1])


@st.composite
def convolutions(draw: st.DrawFn) -> bytes:
    image, padding = draw(images), draw(paddings)
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    depth = groups * draw(st.integers(1, 6))
    return make.convolution(
        draw(seeds),
        (*image[:2], depth),
        groups * draw(st.integers(1, 6)),
        fitting(image, draw(kernels), padding),
        draw(strides),
        padding,
        groups=groups,
        activation=draw(activations),
        per_channel=draw(st.booleans()),
        bias=draw(st.booleans()),
    )


@st.composite
def threes(draw: st.DrawFn) -> bytes:
    """Layers that the Winograd kernel accepts, of any rests."""
    padding = draw(paddings)
    image = draw(st.tuples(st.integers(3, 7), st.integers(3, 21), st.sampled_from([3, 4, 8, 10, 12, 13])))
    return make.convolution(
        draw(seeds),
        image,
        draw(st.sampled_from([3, 4, 5, 8])),
        (3, 3),
        (1, 1),
        padding,
        activation=draw(activations),
    )


@st.composite
def pointwise(draw: st.DrawFn) -> bytes:
    image, channels, padding = draw(images), draw(sides), draw(paddings)
    activation = draw(activations)
    return make.convolution(
        draw(seeds), image, channels, (1, 1), draw(strides), padding, activation=activation
    )


@st.composite
def depthwise(draw: st.DrawFn) -> bytes:
    image, padding = draw(images), draw(paddings)
    return make.convolution(
        draw(seeds),
        image,
        image[2] * draw(st.sampled_from([1, 1, 2, 3])),
        fitting(image, draw(kernels), padding),
        draw(strides),
        padding,
        depthwise=True,
        activation=draw(activations),
        per_channel=draw(st.booleans()),
        bias=draw(st.booleans()),
    )


@st.composite
def dense(draw: st.DrawFn) -> bytes:
    return make.dense(
        draw(seeds),
        draw(st.integers(1, 40)),
        draw(st.integers(1, 20)),
        activation=draw(activations),
        per_channel=draw(st.booleans()),
        bias=draw(st.booleans()),
    )


@st.composite
def binary(draw: st.DrawFn) -> bytes:
    kind, image = draw(st.sampled_from([OpKind.ADD, OpKind.MUL])), (1, *draw(images))
    other = draw(st.sampled_from([image, (1, 1, 1, image[3]), (image[3],), (1,), (1, *image[1:3], 1)]))
    shapes = draw(st.permutations([image, other]))
    constant = draw(st.sampled_from([None, shapes.index(other)]))
    # feature maps have a batch axis
    shapes = [s if constant == i else (1,) * (4 - len(s)) + s for i, s in enumerate(shapes)]
    return make.binary(draw(seeds), kind, *shapes, constant=constant, activation=draw(activations))


@st.composite
def pools(draw: st.DrawFn) -> bytes:
    image, padding = draw(images), draw(paddings)
    kind = draw(st.sampled_from([OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D]))
    kernel = fitting(image, draw(kernels), padding)
    return make.pool(draw(seeds), kind, image, kernel, draw(strides), padding, draw(activations))


@st.composite
def means(draw: st.DrawFn) -> bytes:
    axes = draw(st.sampled_from([(1, 2), (2, 1), (1,), (2,)]))
    # without its axes a mean over one is of three axes, which the engine takes for one row
    keep = draw(st.booleans()) if len(axes) == 2 else True
    return make.mean(draw(seeds), draw(images), axes, keep=keep, same=draw(st.booleans()))


@st.composite
def lookups(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from(LOOKUPS))
    rng = draw(seeds)
    scale = make.random_scale(rng)
    target = (1 / 256, -128) if kind is OpKind.LOGISTIC else (scale * 0.8, make.random_zero(rng))
    return make.unary(rng, kind, (1, *draw(images)), (scale, target[0]), (make.random_zero(rng), target[1]))


@st.composite
def softmax(draw: st.DrawFn) -> bytes:
    shape = draw(st.one_of(st.tuples(st.just(1), st.integers(1, 40)), images.map(lambda image: (1, *image))))
    rng = draw(seeds)
    scales = (make.random_scale(rng), 1 / 256)
    return make.unary(rng, OpKind.SOFTMAX, shape, scales, (make.random_zero(rng), -128))


@st.composite
def concatenations(draw: st.DrawFn) -> bytes:
    image, axis = (1, *draw(images)), draw(st.integers(1, 3))
    sizes = draw(st.lists(sides, min_size=1, max_size=3))
    shapes = [tuple(size if i == axis else n for i, n in enumerate(image)) for size in sizes]
    return make.concatenation(draw(seeds), shapes, draw(st.sampled_from([axis, axis - 4])))


@st.composite
def moves(draw: st.DrawFn) -> bytes:
    rng, image = draw(seeds), (1, *draw(images))
    kind = draw(st.sampled_from(["pad", "reshape", "flatten", "transpose", "resize"]))
    if kind == "pad":
        margins = [(0, 0), *(draw(st.tuples(st.integers(0, 3), st.integers(0, 3))) for _ in range(3))]
        shape = tuple(n + sum(margin) for n, margin in zip(image, margins, strict=True))
        return make.moved(rng, OpKind.PAD, image, shape, margins, make.options("Pad"))
    if kind == "transpose":
        order = [0, *draw(st.permutations([1, 2, 3]))]
        shape = tuple(image[axis] for axis in order)
        return make.moved(rng, OpKind.TRANSPOSE, image, shape, order, make.options("Transpose"))
    if kind == "resize":
        size = draw(st.tuples(sides, sides))
        table = make.options(
            "ResizeNearestNeighbor", alignCorners=draw(st.booleans()), halfPixelCenters=draw(st.booleans())
        )
        shape = (1, *size, image[3])
        return make.moved(rng, OpKind.RESIZE_NEAREST_NEIGHBOR, image, shape, size, table)
    flat = (1, image[1] * image[2] * image[3])
    shape = flat if kind == "flatten" else (1, image[3], image[1], image[2])
    return make.moved(rng, OpKind.RESHAPE, image, shape, shape, make.options("Reshape", newShape=list(shape)))


@st.composite
def borders(draw: st.DrawFn) -> bytes:
    return make.float_borders(draw(seeds), draw(images), draw(sides))


KINDS: dict[str, Callable[[], st.SearchStrategy[bytes]]] = {
    each.__name__: each  # type: ignore[attr-defined]
    for each in (
        *(convolutions, threes, pointwise, depthwise, dense, binary, pools, means, lookups, softmax),
        *(concatenations, moves, borders),
    )
}


def check_together(models: dict[str, bytes], folder: Path) -> None:
    """All `models` in one program, each against TFLite Micro; the goal is in the name."""
    graphs = {name: graph_from_bytes(model, f"{name}.tflite") for name, model in models.items()}
    for name, graph in graphs.items():
        emit(naive_plan(graph, Goal(name.split("_")[-1])), name, folder)
    with HostProgram([folder], graphs, sanitize=True) as program:
        for name, graph in graphs.items():
            inputs = random_inputs(graph, SAMPLES, seed=1)
            expected = micro_outputs(models[name], inputs, len(graph.outputs))
            for ours, theirs in zip(program.run(name, inputs), expected, strict=True):
                assert np.array_equal(ours, theirs), (name, graph.operators, graph.tensors)


# no shrinking: every example is a build, and its operators are told in the message
@settings(max_examples=3, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(data=st.data())
def test_every_kind_equals_tflite_micro(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    models = {
        f"{kind}_{goal.value}": data.draw(strategy().map(Model)).data
        for kind, strategy in KINDS.items()
        for goal in Goal
    }
    check_together(models, tmp_path_factory.mktemp("kinds"))


# --- whole models ---------------------------------------------------------------------------------------

#: samples by model; mcunetv2_large takes seconds each
WHOLE = {
    "mlperftiny__ad01_int8": 100,
    "mlperftiny__kws_ref_model": 100,
    "mlperftiny__pretrainedResnet_quant": 100,
    "mlperftiny__pretrainedResnet_large_int8": 100,
    "mlperftiny__str_ww_ref_model": 100,
    "mlperftiny__vww_96_int8": 100,
    "tflm__hello_world_int8": 100,
    "tflm__micro_speech_quantized": 100,
    "tflm__person_detect": 100,
    "tinyengine__detection": 100,
    "tinyengine__vww": 100,
    "tinyengine__mcunetv2_large": 4,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_whole_models_equal_tflite_micro(shared: Path, tmp_path: Path, name: str) -> None:
    """All passes, the real plan, random inputs one after the other in one arena, under the sanitizers."""
    path = shared / "models" / f"{name}.tflite"
    original = read_tflite(path)
    graph = simplify(original)
    emit(plan_network(graph), "whole", tmp_path)
    inputs = random_samples(original, graph, WHOLE[name], seed=2)
    check_compiled(tmp_path, "whole", path.read_bytes(), original, graph, inputs, sanitize=True)
