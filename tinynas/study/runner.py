"""A study under way: train every sampled network that the table lacks, wherever there are workers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from itertools import zip_longest
from typing import TypeAlias

from tinynas.search.run_folder import RunFolder
from tinynas.study.executors import Executor
from tinynas.study.folder import Study, Table, read_study
from tinynas.study.record import Outcome, Record, Sampled

#: trains a network: a pure function of it, but for the seconds
Trainer: TypeAlias = Callable[[Sampled], Outcome]


def continue_study(
    run: RunFolder,
    trainer: Trainer,
    executor: Executor,
    on_record: Callable[[Record, int, int], None] = lambda record, done, total: None,
) -> Study:
    """Train the networks kept in `run` that its table lacks; the whole study.

    Spaces take turns, so that a study stopped early has as much of each. `on_record` is told a record, how
    many there are and will be.

    Raises:
        RunError: the disk fails or workers die again and again; nothing finished so far is lost.
    """
    table, study = Table(run.path), read_study(run.path)
    known = {record.network.key for record in study.records}
    missing = [network for network in _in_turns(study) if network.key not in known]
    with closing(executor.run(_Tabled(trainer), missing)) as results:
        for done, record in enumerate(results, start=len(known) + 1):
            table.append(record)
            on_record(record, done, len(study.networks))
    return read_study(run.path)


class _Tabled:
    """A trainer whose results say which network they belong to."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer

    def __call__(self, network: Sampled) -> Record:
        return Record(network, self._trainer(network))


def _in_turns(study: Study) -> list[Sampled]:
    """The first network of each space, the second of each, and so on."""
    by_space = [[n for n in study.networks if n.space == space] for space in study.spaces]
    return [network for turn in zip_longest(*by_space) for network in turn if network is not None]
