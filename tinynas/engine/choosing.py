"""Which kernel runs each operator: the fastest that the goal allows, and less where memory is short.

What can run an operator, and at which price, is worked out once a graph; of graphs without values once for
all operators alike, as if those had typical values (`tinynas.engine.abilities`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from tinynas.engine.abilities import abilities
from tinynas.engine.alike import Remembered, has_values, number_operators
from tinynas.engine.goals import Aim, Goal, Price, instructions
from tinynas.engine.kernels import Form, Kernel, Spends, candidates
from tinynas.engine.tasks import task_of
from tinynas.graph import Graph
from tinynas.graph.typical import PICTURE, typical_kinds, with_typical_operator

__all__ = ["Able", "Choices", "Goal", "Without", "choose_kernels"]

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


class Able(NamedTuple):
    """A kernel that can run an operator, and its price; that of an only one is nothing."""

    kernel: Kernel
    price: float


@dataclass(frozen=True)
class Choices:
    """The kernels that can run the operators of `graph` for `aim`, and the choice among them.

    `source` is the kind of values (`typical_kinds`) that inputs of a graph without values have.
    """

    graph: Graph
    aim: Aim
    source: int = PICTURE

    @cached_property
    def able(self) -> tuple[tuple[Able, ...], ...]:
        """For each operator the kernels that the goal allows on the aim's core, in the catalogue's order.

        Raises:
            ModelError: an operator that no kernel runs.
        """
        if has_values(self.graph):
            indices = range(len(self.graph.operators))
            return tuple([self._priced(candidates(self.graph, i, self._spends), i) for i in indices])
        known, found = _known_of(self._spends, self._price), []
        for index, number in enumerate(number_operators(self.graph)):
            key = (number, *[self._kinds[i] for i in self.graph.operators[index].inputs])
            if (able := known.get(key)) is None:
                kernels = abilities(self._spends).of(self.graph, index, self._kinds)
                able = known[key] = self._priced(kernels, index)
            found.append(able)
        return tuple(found)

    def filled(self, index: int) -> Graph:
        """The graph, and of operator `index` typical values where it has none."""
        return self.graph if has_values(self.graph) else with_typical_operator(self.graph, index, self._kinds)

    @cached_property
    def _kinds(self) -> list[int]:
        return typical_kinds(self.graph, self.source)

    @property
    def _spends(self) -> Spends:
        spends = _SPENDS[self.aim.goal]
        return spends if self.aim.dsp else spends & _PORTABLE

    @property
    def _price(self) -> Price:
        return instructions if self.aim.goal is Goal.RAM else self.aim.price

    def _priced(self, kernels: Sequence[Kernel], index: int) -> tuple[Able, ...]:
        if len(kernels) == 1:
            return (Able(kernels[0], 0.0),)
        task = task_of(self.graph, self.graph.operators[index])
        return tuple([Able(kernel, self._price(task, kernel)) for kernel in kernels])

    def choose(self, without: Without | None = None) -> tuple[Kernel, ...]:
        """A kernel for every operator, the one of the least price that it is not to be `without`.

        A feature map has one form: it is planes where that makes the operator that writes it and the only one
        that reads it cheaper together, and rows everywhere else.

        Raises:
            ModelError: an operator that no kernel runs.
        """
        able = [
            [each for each in known if each.kernel.function not in barred]
            for index, known in enumerate(self.able)
            for barred in [(without or {}).get(index, ())]
        ]
        chosen = [_cheapest(_forms(each)) for each in able]
        for reader, writer in self._only_readers.items():
            # what the other two maps of the pair are does not change
            write = _forms(able[writer], reads=chosen[writer].kernel.reads, writes=Form.PLANES)
            read = _forms(able[reader], reads=Form.PLANES, writes=chosen[reader].kernel.writes)
            if write and read:
                pair = _cheapest(write), _cheapest(read)
                if pair[0].price + pair[1].price < chosen[writer].price + chosen[reader].price:
                    chosen[writer], chosen[reader] = pair
        return tuple([each.kernel for each in chosen])

    @cached_property
    def _only_readers(self) -> dict[int, int]:
        """The operators, by index, that alone read what another makes, and that other."""
        graph = self.graph
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


def choose_kernels(graph: Graph, aim: Aim) -> tuple[Kernel, ...]:
    """A kernel for every operator of `graph`, as `Choices.choose`."""
    return Choices(graph, aim).choose()


@lru_cache(maxsize=64)
def _known_of(spends: Spends, price: Price) -> Remembered[tuple[Able, ...]]:
    """What is remembered of operators alike whose kernels may spend and cost so."""
    return Remembered()


def forget() -> None:
    """Remember no operator any more."""
    _known_of.cache_clear()
    abilities.cache_clear()


def _forms(kernels: Sequence[Able], reads: Form = Form.ROWS, writes: Form = Form.ROWS) -> list[Able]:
    return [each for each in kernels if each.kernel.reads is reads and each.kernel.writes is writes]


def _cheapest(kernels: Sequence[Able]) -> Able:
    """The one of least price, the first of equals."""
    return min(kernels, key=lambda each: each.price)
