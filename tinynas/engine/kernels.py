"""The catalogue of the C kernels in firmware/engine: what each can do, needs and costs.

Of the kernels that accept an operator, and that the goal allows, the one of the least modelled cost runs it
(`tinynas.engine.choosing`). A kernel is an entry here, a parameter struct and a function in C, and a packing
(`tinynas.engine.packing`).
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from tinynas.engine import conditions, winograd
from tinynas.engine.block_packing import block_depth
from tinynas.engine.costs import BlockRates, ElementRates, PlaneRates, Rates, WinogradRates
from tinynas.engine.packing import sums_by_table
from tinynas.engine.planes import planes_shape
from tinynas.engine.rows import averages_rows, map_shape, shape_of
from tinynas.engine.tasks import Task, task_of
from tinynas.errors import ModelError
from tinynas.graph import DType, Graph, Operator, OpKind, Window
from tinynas.graph.outline import Likeness, likeness_of

#: rows that the C tables can number
_MOST_ROWS = 2**16 - 1
#: no microcontroller has as much memory, with external chips or without
MOST_BYTES = 2**26

Accepts = Callable[[Graph, Operator], bool]
Bytes = Callable[[Graph, Operator], int]
Instructions = Callable[[Task], float]


def _none(graph: Graph, operator: Operator) -> int:
    return 0


class Spends(enum.Flag):
    """What a kernel takes more of than the smallest one for the same operator, to be faster."""

    NOTHING = 0
    #: working memory, or wider feature maps
    ARENA = enum.auto()
    #: weights of more than a byte each
    FLASH = enum.auto()
    #: a kilobyte of results
    TABLE = enum.auto()


class Form(enum.Enum):
    """How a feature map lies in memory."""

    #: rows of columns of channels, int8 or float: as TensorFlow's NHWC
    ROWS = "rows"
    #: see `tinynas.engine.planes`
    PLANES = "planes"


@dataclass(frozen=True, slots=True)
class Kernel:
    """A row kernel in C: `function`, the operators it accepts, its working memory in bytes, and its cost.

    Working memory is free between two steps, unless it `keeps` it from the first step to the last. A step
    makes `rows` of the output, the last one what is left over.
    `reads` and `writes` are the forms of its first input and of its output.
    `instructions` is the modelled number of all steps together; it may be unknown where there is no choice.
    """

    function: str
    kind: OpKind
    accepts: Accepts = lambda graph, operator: True
    working: Bytes = _none
    keeps: bool = False
    spends: Spends = Spends.NOTHING
    instructions: Instructions = lambda task: 0.0
    reads: Form = Form.ROWS
    writes: Form = Form.ROWS
    rows: int = 1


def choose(graph: Graph, index: int) -> Kernel:
    """The one of fewest instructions of the kernels for operator `index` of `graph` that spend nothing.

    All those take rows.

    Raises:
        ModelError: there is none; the operator is named with its index.
    """
    kernels = candidates(graph, index, Spends.NOTHING)
    if len(kernels) == 1:
        return kernels[0]
    task = task_of(likeness_of(graph, graph.operators[index]))
    return min(kernels, key=lambda kernel: kernel.instructions(task))


def candidates(graph: Graph, index: int, spends: Spends) -> list[Kernel]:
    """The kernels that run operator `index` of `graph` and take no more than `spends`; there is one at least.

    Raises:
        ModelError: there is none; the operator is named with its index.
    """
    operator = graph.operators[index]
    check_maps(likeness_of(graph, operator), graph.name, index)
    if found := accepting(graph, operator, spends):
        return found
    raise not_run(likeness_of(graph, operator), graph.name, index)


def accepting(graph: Graph, operator: Operator, spends: Spends) -> list[Kernel]:
    """The kernels that accept `operator` and take no more than `spends`, if its maps are held at all."""
    return [
        kernel
        for kernel in _KERNELS_OF.get(operator.kind, ())
        if kernel.spends in spends and kernel.accepts(graph, operator)
    ]


def check_maps(likeness: Likeness, name: object, index: int) -> None:
    """Nothing, if the engine holds the feature maps of an operator, the one of `index` in the network `name`.

    Raises:
        ModelError: it does not; the operator is named with its index.
    """
    wanted = _ELEMENTS.get(likeness.kind, _INT8)
    for shape, dtype, _ in (*likeness.maps, likeness.output):
        if dtype not in wanted:
            raise ModelError(
                f"{name}: operator {index} ({likeness.kind.value}) works on {dtype.label} values, and the "
                "engine on int8: quantise the whole network (full integer quantisation) and export it again"
            )
        if fault := _fault_of(shape, dtype):
            raise ModelError(f"{name}: operator {index} ({likeness.kind.value}) works on a tensor {fault}")


def not_run(likeness: Likeness, name: object, index: int) -> ModelError:
    """What is said of an operator that no kernel runs, the one of `index` in the network `name`."""
    return ModelError(
        f"{name}: operator {index} ({likeness.kind.value}{_why(likeness.window)}) is not one the "
        "engine runs: build the network without it, or run the file with TensorFlow Lite Micro"
    )


def kernel_named(function: str) -> Kernel:
    """The first entry of the C function `function`."""
    return next(kernel for kernel in CATALOGUE if kernel.function == function)


def check_end(graph: Graph, index: int) -> None:
    """Nothing, if the engine holds an input or output like tensor `index`.

    Raises:
        ModelError: a batch, too many axes, nothing in it, or too much.
    """
    if fault := _fault_of(graph.tensors[index].shape, graph.tensors[index].dtype):
        raise ModelError(f"{graph.name}: the network works on an input or output {fault}")


@lru_cache(maxsize=2**14)
def _fault_of(shape: tuple[int, ...], dtype: DType) -> str | None:
    """Why the engine does not hold a tensor, as the end of a sentence that names it."""
    if len(shape) > 4 or (len(shape) > 1 and shape[0] != 1) or not math.prod(shape):
        return (
            f"of shape {list(shape)}, and the engine on batches of one with at most four axes: export it so"
        )
    made = shape_of(shape, dtype)
    if made.rows > _MOST_ROWS or made.bytes > MOST_BYTES:
        return f"of shape {list(shape)}, which is more than a microcontroller holds: use smaller inputs"
    return None


def _why(window: Window | None) -> str:
    if window is not None and window.dilation != (1, 1):
        return f" with dilation {window.dilation[0]} x {window.dilation[1]}"
    return ""


def _columns_of_patch(graph: Graph, operator: Operator) -> int:
    """Two output pixels' patches of the input, each rounded up to whole words."""
    _, rows, columns, channels = graph.tensors[operator.inputs[1]].shape
    return 2 * (-(-rows * columns * channels // 4) * 4)


def _spatial_mean(graph: Graph, operator: Operator) -> bool:
    axes = graph.tensors[operator.inputs[1]]
    if len(graph.tensors[operator.inputs[0]].shape) != 4:
        return False
    over = {1, 2} if axes.data is None else {int(axis) % 4 for axis in axes.data.ravel()}
    # three axes are one row, so a mean over columns has to keep its rows as rows
    return over <= {1, 2} and (1 in over or len(graph.tensors[operator.outputs[0]].shape) == 4)


def _sums(graph: Graph, operator: Operator) -> int:
    """int32 sums of a mean that runs over rows; over columns alone they stay in registers."""
    if not averages_rows(graph, operator):
        return 0
    return 4 * graph.tensors[operator.outputs[0]].elements


def _per_row(graph: Graph, operator: Operator) -> bool:
    return operator.axis in (2, 3) or len(graph.tensors[operator.outputs[0]].shape) < 4


def _broadcasts(graph: Graph, operator: Operator) -> bool:
    """Whether each input has the output's size or one along every axis."""
    made = map_shape(graph.tensors[operator.outputs[0]])
    inputs = [map_shape(graph.tensors[i]) for i in operator.inputs]
    return all(
        each.rows in (1, made.rows)
        and each.columns in (1, made.columns)
        and each.channels in (1, made.channels)
        for each in inputs
    )


def _adds_alike(graph: Graph, operator: Operator) -> bool:
    """Whether both inputs are feature maps of the output's shape."""
    shape = graph.tensors[operator.outputs[0]].shape
    inputs = [graph.tensors[i] for i in operator.inputs[:2]]
    return all(each.shape == shape and not each.constant for each in inputs) and sums_by_table(
        graph, operator
    )


_FLOATS = {DType.FLOAT32, DType.INT8}
_INT8 = {DType.INT8}
#: element types other than int8 alone
_ELEMENTS: dict[OpKind, set[DType]] = {
    OpKind.QUANTIZE: _FLOATS,
    OpKind.DEQUANTIZE: _FLOATS,
    OpKind.TRANSPOSE: _FLOATS,
    OpKind.RESHAPE: _FLOATS,
}


def _from_float(graph: Graph, operator: Operator) -> bool:
    return graph.tensors[operator.inputs[0]].dtype is DType.FLOAT32


def _widened(graph: Graph, operator: Operator) -> int:
    """The inputs of as many pixels as a block has, as int16."""
    rows = operator.window.kernel[0] if operator.window is not None else 1
    columns = map_shape(graph.tensors[operator.outputs[0]]).columns if operator.window is not None else 1
    return 2 * min(columns, 4) * block_depth(rows, task_of(likeness_of(graph, operator)).depth // rows)


def _plane(graph: Graph, operator: Operator) -> int:
    """A plane of zeros, for windows with rows outside."""
    return planes_shape(graph, operator).row_bytes // map_shape(graph.tensors[operator.inputs[0]]).channels


def _tiles(graph: Graph, operator: Operator) -> int:
    """That of tn_convolve_winograd."""
    made = map_shape(graph.tensors[operator.outputs[0]])
    return winograd.winograd_memory(map_shape(graph.tensors[operator.inputs[0]]).channels, made.columns)


_PACKED = BlockRates((24.75, 19.5, 14.5, 8.75), (60, 54, 39, 26), pixel=20, gathered=1.1)
_PAIRED = BlockRates((22.75, 16.75, 11.75, 6.4), (48, 39, 31, 20), pixel=20, gathered=1.1)


def _blocks(
    function: str, kind: OpKind, packs: Accepts, pairs: Accepts, writes: Form = Form.ROWS
) -> tuple[Kernel, Kernel]:
    """The kernels by blocks of one kind of layer, with packed and with paired weights."""
    return (
        Kernel(
            function.format("packed"),
            kind,
            packs,
            _widened,
            spends=Spends.ARENA,
            instructions=_PACKED,
            writes=writes,
        ),
        Kernel(
            function.format("paired"),
            kind,
            pairs,
            _widened,
            spends=Spends.ARENA | Spends.FLASH,
            instructions=_PAIRED,
            writes=writes,
        ),
    )


#: every kernel; of equally fast ones the first is taken
CATALOGUE: tuple[Kernel, ...] = (
    Kernel("tn_pointwise", OpKind.CONV_2D, conditions.pointwise, instructions=Rates(1.25, 14.5)),
    Kernel(
        "tn_convolve",
        OpKind.CONV_2D,
        conditions.one_group,
        _columns_of_patch,
        instructions=Rates(1.25, 14.5, 3),
    ),
    Kernel(
        "tn_convolve_groups",
        OpKind.CONV_2D,
        conditions.undilated,
        _columns_of_patch,
        instructions=Rates(1.25, 14.5, 3),
    ),
    *_blocks("tn_convolve_{}", OpKind.CONV_2D, conditions.packed, conditions.paired),
    *_blocks(
        "tn_convolve_{}_planes",
        OpKind.CONV_2D,
        conditions.packed_planes,
        conditions.paired_planes,
        Form.PLANES,
    ),
    Kernel(
        "tn_convolve_winograd",
        OpKind.CONV_2D,
        conditions.winograd,
        _tiles,
        spends=Spends.ARENA | Spends.FLASH,
        instructions=WinogradRates(step=11.4, end=15, word=270, output=17.8),
        rows=winograd.ROWS,
    ),
    Kernel(
        "tn_depthwise_planes_3",
        OpKind.DEPTHWISE_CONV_2D,
        conditions.planes_3,
        _plane,
        spends=Spends.ARENA,
        instructions=PlaneRates(groups=((1, 7, 3), (2, 13, 5)), channel=21),
        reads=Form.PLANES,
    ),
    Kernel(
        "tn_depthwise_planes",
        OpKind.DEPTHWISE_CONV_2D,
        conditions.planes_5_7,
        spends=Spends.ARENA,
        instructions=PlaneRates(groups=((1, 15, 12), (2, 19, 16), (4, 41, 21.5)), channel=24),
        reads=Form.PLANES,
    ),
    Kernel("tn_depthwise", OpKind.DEPTHWISE_CONV_2D, conditions.single, instructions=Rates(2.5, 22)),
    Kernel(
        "tn_depthwise_multiplied", OpKind.DEPTHWISE_CONV_2D, conditions.undilated, instructions=Rates(8, 30)
    ),
    Kernel("tn_dense", OpKind.FULLY_CONNECTED, conditions.weighted, instructions=Rates(1.45, 26)),
    *_blocks("tn_dense_{}", OpKind.FULLY_CONNECTED, conditions.dense_packed, conditions.dense_paired),
    Kernel("tn_add", OpKind.ADD, _broadcasts, instructions=ElementRates(35)),
    Kernel("tn_add_table", OpKind.ADD, _adds_alike, spends=Spends.TABLE, instructions=ElementRates(10)),
    Kernel("tn_mul", OpKind.MUL, _broadcasts),
    Kernel("tn_average_pool", OpKind.AVERAGE_POOL_2D),
    Kernel("tn_max_pool", OpKind.MAX_POOL_2D),
    Kernel("tn_mean", OpKind.MEAN, _spatial_mean, _sums, keeps=True),
    Kernel("tn_lookup", OpKind.LOGISTIC),
    Kernel("tn_lookup", OpKind.HARD_SWISH),
    Kernel("tn_lookup", OpKind.RELU),
    Kernel("tn_lookup", OpKind.RELU6),
    Kernel("tn_quantize", OpKind.QUANTIZE, _from_float),
    Kernel("tn_lookup", OpKind.QUANTIZE),
    Kernel("tn_dequantize", OpKind.DEQUANTIZE),
    Kernel("tn_softmax", OpKind.SOFTMAX),
    Kernel("tn_concat", OpKind.CONCATENATION, _per_row),
    Kernel("tn_concat_rows", OpKind.CONCATENATION),
    Kernel("tn_pad", OpKind.PAD),
    Kernel("tn_resize", OpKind.RESIZE_NEAREST_NEIGHBOR),
    Kernel("tn_permute", OpKind.TRANSPOSE),
    Kernel("tn_permute", OpKind.RESHAPE),
)

_KERNELS_OF = {kind: [kernel for kernel in CATALOGUE if kernel.kind is kind] for kind in OpKind}
