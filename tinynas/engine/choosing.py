"""Which kernel runs each operator: the fastest that the goal allows, and less where memory is short.

What can run an operator, and at which price, is worked out once a graph; of graphs without values once for
all operators alike, as if those had typical values (`tinynas.engine.abilities`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple, TypeAlias

from tinynas.engine.abilities import abilities
from tinynas.engine.alike import Remembered, alike_operators, has_values, tasks_of
from tinynas.engine.goals import Aim, Goal, Price, instructions
from tinynas.engine.kernels import Form, Kernel, Spends, candidates, check_maps, not_run
from tinynas.engine.tasks import Task, for_each, task_of
from tinynas.graph import Graph
from tinynas.graph.outline import Likeness
from tinynas.graph.typical import typical_kinds, with_typical_operator

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
#: operators that are alike, and the kinds of values (`tinynas.graph.typical`) of the maps that they read
Site: TypeAlias = tuple[Likeness, tuple[int, ...]]
#: what an operator is called where it cannot be run: what prints its network's name, and its index
Name: TypeAlias = tuple[object, int]


class Able(NamedTuple):
    """A kernel that can run an operator, and its price; that of an only one is nothing."""

    kernel: Kernel
    price: float


@dataclass(frozen=True)
class Choices:
    """The kernels that can run the operators of `graph` for `aim`, and the choice among them."""

    graph: Graph
    aim: Aim

    @cached_property
    def able(self) -> tuple[tuple[Able, ...], ...]:
        """For each operator the kernels that the goal allows on the aim's core, in the catalogue's order.

        Raises:
            ModelError: an operator that no kernel runs.
        """
        graph, kernels = self.graph, kernels_for(self.aim)
        if has_values(graph):
            found = [candidates(graph, index, kernels.spends) for index in range(len(graph.operators))]
            return tuple(map(kernels.priced, tasks_of(graph), found))
        maps = [tuple([self._kinds[i] for i in graph.activations_in(each)]) for each in graph.operators]
        sites = list(zip(alike_operators(graph), maps, strict=True))
        return tuple(kernels.able(sites, [(graph.name, index) for index in range(len(sites))]))

    def filled(self, index: int) -> Graph:
        """The graph, and of operator `index` typical values where it has none."""
        return self.graph if has_values(self.graph) else with_typical_operator(self.graph, index, self._kinds)

    @cached_property
    def _kinds(self) -> list[int]:
        return typical_kinds(self.graph)

    def choose(self, without: Without | None = None) -> tuple[Kernel, ...]:
        """A kernel for every operator, the best that it is not to be `without` (see `choose_among`).

        Raises:
            ModelError: an operator that no kernel runs.
        """
        able: Sequence[Sequence[Able]] = self.able
        if without:
            able = [
                [each for each in known if each.kernel.function not in without.get(index, ())]
                for index, known in enumerate(able)
            ]
        return choose_among(able, self._only_readers)

    @cached_property
    def _only_readers(self) -> dict[int, int]:
        graph = self.graph
        return only_readers(
            [list(graph.activations_in(operator)) for operator in graph.operators],
            [operator.inputs[0] for operator in graph.operators],
            [operator.outputs[0] for operator in graph.operators],
            graph.outputs,
        )


def choose_kernels(graph: Graph, aim: Aim) -> tuple[Kernel, ...]:
    """A kernel for every operator of `graph`, as `Choices.choose`."""
    return Choices(graph, aim).choose()


def choose_among(able: Sequence[Sequence[Able]], readers: Mapping[int, int]) -> tuple[Kernel, ...]:
    """Of the kernels that can run each operator of a network, the one of the least price.

    A feature map has one form: it is planes where that makes the operator that writes it and the only one
    that reads it (`only_readers`) cheaper together, and rows everywhere else.
    """
    chosen = [each[0] if len(each) == 1 else _cheapest(_forms(each)) for each in able]
    for reader, writer in readers.items():
        # what the other two maps of the pair are does not change
        if read := _forms(able[reader], reads=Form.PLANES, writes=chosen[reader].kernel.writes):
            write = _forms(able[writer], reads=chosen[writer].kernel.reads, writes=Form.PLANES)
            if write:
                pair = _cheapest(write), _cheapest(read)
                if pair[0].price + pair[1].price < chosen[writer].price + chosen[reader].price:
                    chosen[writer], chosen[reader] = pair
    return tuple([each.kernel for each in chosen])


def only_readers(
    reads: Sequence[Sequence[int]], first: Sequence[int], made: Sequence[int], ends: Collection[int]
) -> dict[int, int]:
    """The operators, by index, that alone read what another makes, as their first input, and that other.

    Operator i reads the maps `reads[i]`, has the tensor `first[i]` as its first input and makes `made[i]`; a
    network's `ends` are read by whoever runs it.
    """
    writers = {tensor: index for index, tensor in enumerate(made)}
    readers: dict[int, list[int]] = {}
    for index, tensors in enumerate(reads):
        for tensor in tensors:
            readers.setdefault(tensor, []).append(index)
    return {
        alone[0]: writers[tensor]
        for tensor, alone in readers.items()
        if len(alone) == 1 and tensor in writers and tensor not in ends and first[alone[0]] == tensor
    }


@dataclass(frozen=True, eq=False)
class KernelsFor:
    """The kernels that may spend so much, at their `price`; remembered of operators without values."""

    spends: Spends
    price: Price
    _known: Remembered[tuple[Able, ...]] = field(default_factory=Remembered, init=False)

    def able(self, sites: Sequence[Site], names: Iterable[Name]) -> list[tuple[Able, ...]]:
        """The kernels that can run each operator; new ones are priced together.

        Raises:
            ModelError: an operator that no kernel runs.
        """
        found = list(map(self._known.get, sites))
        named = zip(sites, names, found, strict=True)
        new = self._learn({site: name for site, name, able in named if able is None})
        return [able or new[site] for site, able in zip(sites, found, strict=True)]

    def _learn(self, new: Mapping[Site, Name]) -> dict[Site, tuple[Able, ...]]:
        alike: dict[Hashable, list[tuple[Site, Task, tuple[Kernel, ...]]]] = defaultdict(list)
        for site, name in new.items():
            task, kernels = task_of(site[0]), self._kernels(site, name)
            # the same kernels are the same tuple, the same windows mostly one object
            alike[id(kernels), id(task.window), task.other is None].append((site, task, kernels))
        learned = {}
        for group in alike.values():
            for (site, *_), able in zip(
                group, self._priced([task for _, task, _ in group], group[0][2]), strict=True
            ):
                learned[site] = self._known[site] = able
        return learned

    def priced(self, task: Task, kernels: Sequence[Kernel]) -> tuple[Able, ...]:
        """`kernels` that can run an operator, with their prices."""
        return next(self._priced([task], kernels))

    def _priced(self, tasks: Sequence[Task], kernels: Sequence[Kernel]) -> Iterator[tuple[Able, ...]]:
        if len(kernels) == 1:
            return iter([(Able(kernels[0], 0.0),)] * len(tasks))
        prices = for_each(tasks, lambda task: [self.price(task, kernel) for kernel in kernels])
        return (tuple(map(Able, kernels, each)) for each in prices)

    def _kernels(self, site: Site, name: Name) -> tuple[Kernel, ...]:
        operators, kinds = site
        check_maps(operators, *name)
        if kernels := abilities(self.spends).of(operators, kinds):
            return kernels
        raise not_run(operators, *name)


def kernels_for(aim: Aim) -> KernelsFor:
    """What plans for `aim` choose from."""
    spends = _SPENDS[aim.goal]
    return _kernels_for(
        spends if aim.dsp else spends & _PORTABLE, instructions if aim.goal is Goal.RAM else aim.price
    )


@lru_cache(maxsize=64)
def _kernels_for(spends: Spends, price: Price) -> KernelsFor:
    return KernelsFor(spends, price)


def forget() -> None:
    """Remember no operator any more."""
    _kernels_for.cache_clear()
    abilities.cache_clear()


def _forms(kernels: Sequence[Able], reads: Form = Form.ROWS, writes: Form = Form.ROWS) -> list[Able]:
    return [each for each in kernels if each.kernel.reads is reads and each.kernel.writes is writes]


def _cheapest(kernels: Sequence[Able]) -> Able:
    """The one of least price, the first of equals."""
    return min(kernels, key=lambda each: each.price)
