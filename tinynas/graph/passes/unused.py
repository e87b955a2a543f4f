"""Sweeps up what the other passes leave behind."""

from __future__ import annotations

from dataclasses import replace

from tinynas.graph.ir import Graph, Operator


def remove_unused(graph: Graph) -> Graph:
    """`graph` without operators whose values reach no output, and without tensors that nobody uses.

    Tensors are numbered anew, in their old order. The network's inputs stay, used or not.
    """
    operators = _reaching(graph)
    used = {*graph.inputs, *graph.outputs}
    used.update(i for op in operators for i in (*op.inputs, *op.outputs) if i >= 0)
    if len(operators) == len(graph.operators) and len(used) == len(graph.tensors):
        return graph
    number = {old: new for new, old in enumerate(sorted(used))} | {-1: -1}

    def renumbered(indices: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(number[i] for i in indices)

    return replace(
        graph,
        tensors=tuple(graph.tensors[old] for old in sorted(used)),
        operators=tuple(
            replace(op, inputs=renumbered(op.inputs), outputs=renumbered(op.outputs)) for op in operators
        ),
        inputs=renumbered(graph.inputs),
        outputs=renumbered(graph.outputs),
    )


def _reaching(graph: Graph) -> list[Operator]:
    """The operators that an output depends on, in their order."""
    needed, kept = set(graph.outputs), []
    for operator in reversed(graph.operators):
        if needed.intersection(operator.outputs):
            needed.update(operator.inputs)
            kept.append(operator)
    return kept[::-1]
