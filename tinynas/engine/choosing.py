"""Which kernel runs each operator: the fastest that the goal allows, and less where memory is short."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tinynas.engine.goals import Aim, Goal, Price, instructions
from tinynas.engine.kernels import Form, Kernel, Spends, candidates, fastest
from tinynas.graph import Graph

__all__ = ["Goal", "Without", "able_kernels", "choose_kernels"]

#: what kernels may take for a goal
_SPENDS = {
    Goal.RAM: Spends.NOTHING,
    Goal.BALANCED: Spends.ARENA | Spends.TABLE,
    Goal.SPEED: Spends.ARENA | Spends.TABLE | Spends.FLASH,
}
#: what pays on a core without DSP: kernels of more arena or flash take up to five times as long there as the
#: smallest ones
_PORTABLE = Spends.TABLE

#: functions that operators, by index, are not to be run by
Without = Mapping[int, Collection[str]]


def able_kernels(graph: Graph, index: int, aim: Aim) -> list[Kernel]:
    """The kernels that can run operator `index` of `graph` for the goal of `aim` on its core.

    Raises:
        ModelError: there is none.
    """
    spends = _SPENDS[aim.goal]
    return candidates(graph, index, spends if aim.dsp else spends & _PORTABLE)


def choose_kernels(graph: Graph, aim: Aim, without: Without | None = None) -> tuple[Kernel, ...]:
    """A kernel for every operator of `graph`, the one of the least price that it is not to be `without`.

    A feature map has one form: it is planes where that makes the operator that writes it and the only one
    that reads it cheaper together, and rows everywhere else.

    Raises:
        ModelError: an operator that no kernel runs.
    """
    price = instructions if aim.goal is Goal.RAM else aim.price
    able = [
        [kernel for kernel in able_kernels(graph, index, aim) if kernel.function not in barred]
        for index in range(len(graph.operators))
        for barred in [(without or {}).get(index, ())]
    ]
    chosen = [fastest(graph, index, _forms(able[index]), price) for index in range(len(able))]
    for reader, writer in _only_readers(graph).items():
        # what the other two maps of the pair are does not change
        write = _forms(able[writer], reads=chosen[writer].reads, writes=Form.PLANES)
        read = _forms(able[reader], reads=Form.PLANES, writes=chosen[reader].writes)
        if write and read:
            pair = fastest(graph, writer, write, price), fastest(graph, reader, read, price)
            now = chosen[writer], chosen[reader]
            if _cost(graph, (writer, reader), pair, price) < _cost(graph, (writer, reader), now, price):
                chosen[writer], chosen[reader] = pair
    return tuple(chosen)


def _only_readers(graph: Graph) -> dict[int, int]:
    """The operators, by index, that alone read what another makes, and that other."""
    writers = {operator.outputs[0]: index for index, operator in enumerate(graph.operators)}
    readers: dict[int, list[int]] = {}
    for index, operator in enumerate(graph.operators):
        for tensor in graph.activations_in(operator):
            readers.setdefault(tensor, []).append(index)
    return {
        alone[0]: writers[tensor]
        for tensor, alone in readers.items()
        if len(alone) == 1
        and tensor in writers
        and tensor not in graph.outputs
        and graph.operators[alone[0]].inputs[0] == tensor
    }


def _forms(kernels: Sequence[Kernel], reads: Form = Form.ROWS, writes: Form = Form.ROWS) -> list[Kernel]:
    return [kernel for kernel in kernels if kernel.reads is reads and kernel.writes is writes]


def _cost(graph: Graph, operators: tuple[int, int], kernels: tuple[Kernel, Kernel], price: Price) -> float:
    return sum(
        price(graph, graph.operators[index], kernel) for index, kernel in zip(operators, kernels, strict=True)
    )
