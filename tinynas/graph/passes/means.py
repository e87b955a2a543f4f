"""Means over rows and columns, however the exporter wrote them.

PyTorch's exporters write a global pool as TRANSPOSE to NCHW, a MEAN over columns and one over rows. These
passes turn it back to NHWC, so that each MEAN can take the rows as they come.

The two MEANs stay two. Each rounds to int8, so one mean over both axes gives other bits: of the rows (0, 1)
and (0, 3) the pair makes 1 and 2, and of these 2, where the four values at once make 1.
"""

from __future__ import annotations

from dataclasses import replace

from tinynas.graph.ir import Graph, Operator, OpKind, Tensor
from tinynas.graph.passes.rewrite import Edit, integer_constant, integers, writers


def normalise_means(graph: Graph) -> Graph:
    """`graph` with the axes of every MEAN as a sorted int32 constant of numbers from 0 on, each once."""
    edit = Edit(graph)
    for index, operator in enumerate(graph.operators):
        axes = _axes(graph, operator)
        if axes is not None and axes != integers(graph, operator.inputs[1]):
            constant = edit.add(integer_constant("axes", axes))
            edit.put(index, replace(operator, inputs=(operator.inputs[0], constant)))
    return edit.done()


def lift_means(graph: Graph) -> Graph:
    """`graph` with each MEAN behind a TRANSPOSE, or a RESHAPE of axes of one, working before it instead.

    The TRANSPOSE or RESHAPE then moves only the means, and other passes can drop it. Bit-exact: the same
    values are summed, and TFLite rounds a mean alike whatever its axes.
    """
    edit, makers = Edit(graph), writers(graph)
    for index, operator in enumerate(graph.operators):
        axes, maker = _axes(graph, operator), makers.get(operator.inputs[0])
        if axes is None or maker is None:
            continue
        steps = _lifted(graph, edit, graph.operators[maker], operator, axes)
        if steps:
            edit.put(index, *steps)
    return edit.done()


def _axes(graph: Graph, operator: Operator) -> tuple[int, ...] | None:
    """The axes of a MEAN, normalised; None for other kinds and where they are not known."""
    axes = integers(graph, operator.inputs[1]) if operator.kind is OpKind.MEAN else None
    rank = len(graph.tensors[operator.inputs[0]].shape)
    return None if axes is None else tuple(sorted({axis % rank for axis in axes}))


def _lifted(
    graph: Graph, edit: Edit, mover: Operator, mean: Operator, axes: tuple[int, ...]
) -> list[Operator]:
    """The mean before `mover`, and what brings its values into their old order; empty if it must stay."""
    source, moved = graph.tensors[mover.inputs[0]], graph.tensors[mover.outputs[0]]
    order = integers(graph, mover.inputs[1]) if mover.kind is OpKind.TRANSPOSE else None
    places = order if order is not None else _places(source, moved) if mover.kind is OpKind.RESHAPE else None
    if places is None or len(source.shape) != 4 or any(moved.shape[axis] == 1 for axis in axes):
        return []
    lifted = tuple(sorted(places[axis] for axis in axes))
    target = graph.tensors[mean.outputs[0]]
    shape = tuple(1 if axis in lifted else size for axis, size in enumerate(source.shape))
    middle = replace(target, shape=shape)
    value, constant = edit.add(middle), edit.add(integer_constant("axes", lifted))
    steps = [replace(mean, inputs=(mover.inputs[0], constant), outputs=(value,))]
    if order is not None:
        turned = edit.add(replace(target, shape=tuple(shape[axis] for axis in order)))
        steps.append(replace(mover, inputs=(value, mover.inputs[1]), outputs=(turned,)))
        value = turned
    return [*steps, edit.reshape(value, mean.outputs[0])]


def _places(source: Tensor, moved: Tensor) -> dict[int, int] | None:
    """Which axis of `source` each axis of `moved` longer than one is; None unless only axes of one differ."""
    long, was = ([axis for axis, size in enumerate(t.shape) if size != 1] for t in (moved, source))
    if [moved.shape[axis] for axis in long] != [source.shape[axis] for axis in was]:
        return None
    return dict(zip(long, was, strict=True))
