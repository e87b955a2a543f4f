"""What is put on a board: a model file, and samples to compare the board's answers on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.board import Board
from tinynas.data import Dataset, load_dataset, resize
from tinynas.data.pixels import to_int8_input
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.plan import Plan
from tinynas.engine.planner import plan_network
from tinynas.errors import RequestError
from tinynas.graph import Graph
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import graph_from_bytes
from tinynas.pipeline.aims import aim_of_run, aim_on
from tinynas.pipeline.compile_check import input_borders, output_borders, random_samples
from tinynas.pipeline.model_file import MODEL_SUFFIXES, is_onnx, load_model, model_samples, stored
from tinynas.pipeline.samples import SampleSource
from tinynas.search import read_run
from tinynas.search.run_folder import MODEL, PICKS, RESULT, is_run, read_json

#: of SRAM and flash in a request
_MEMORIES = ("sram_bytes", "flash_bytes")


@dataclass(frozen=True)
class Subject:
    """A model and its plan, for `aim`.

    `samples` are [n, ...] for each input of the file; `labels` [n] where known.
    """

    name: str
    file: bytes
    original: Graph
    aim: Aim
    plan: Plan
    samples: Sequence[NDArray[Any]]
    labels: NDArray[np.int64] | None

    @property
    def count(self) -> int:
        """Samples there are."""
        return len(self.samples[0])

    @property
    def sha256(self) -> str:
        """Of the file, in hexadecimal: what its firmware tells of itself."""
        return hashlib.sha256(self.file).hexdigest()

    @property
    def operators(self) -> tuple[str, ...]:
        """Kinds of the compiled network's operators, in order."""
        return tuple(operator.kind.value for operator in self.plan.graph.operators)

    def planned_for(self, goal: Goal) -> Subject:
        """The same with a plan for `goal`, within as much memory."""
        if goal is self.aim.goal:
            return self
        aim = replace(self.aim, goal=goal)
        return replace(self, aim=aim, plan=_planned(self.plan.graph, aim))

    def network_inputs(self) -> list[NDArray[Any]]:
        """The samples as the compiled network takes them: [n, ...] for each of its inputs."""
        borders = input_borders(self.original, self.plan.graph)
        return [border.convert(values) for border, values in zip(borders, self.samples, strict=True)]

    def file_outputs(self, raw: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """The compiled network's outputs [n, ...] as those of the file."""
        borders = output_borders(self.original, self.plan.graph)
        return [border.convert(values) for border, values in zip(borders, raw, strict=True)]


def find_subject(
    asked: Path,
    board: Board,
    samples: int,
    source: SampleSource | None = None,
    *,
    goal: Goal | None = None,
    seed: int = 0,
) -> Subject:
    """The model meant by `asked`, planned for `board`: of a finished run, a pick, or a .tflite or .onnx file.

    Without a `goal` it is planned for that of its run, else for `Goal.RAM`. A run brings its test pictures; a
    file is compared on samples of `source`, without one on random samples.

    Raises:
        RequestError: a run without a result yet, neither a run nor a model's file, or an .onnx without data.
        ModelError: the file is missing, damaged, or uses what the engine does not run.
        DataError: the pictures are not there (any more), or not what the model takes.
        ToolchainError: what converts an .onnx is not installed.
    """
    origin = source or SampleSource()
    if asked.is_dir() and (is_run(asked) or _is_pick(asked)):
        if origin.data is not None:
            raise RequestError(f"'{asked}' is a run and brings its own pictures: leave out --data")
        return subject_of_run(asked, board, samples, goal=goal, data_dir=origin.data_dir)
    if asked.is_dir() or asked.suffix.lower() not in MODEL_SUFFIXES:
        raise RequestError(
            f"'{asked}' is neither the folder of a run nor a {' or '.join(MODEL_SUFFIXES)} file: give one "
            "of them"
        )
    file = load_model(asked, origin if is_onnx(asked) else SampleSource())
    original = graph_from_bytes(file, asked.name)
    compiled = simplify(original)
    labels: NDArray[np.int64] | None = None
    if origin.data is None:
        values = random_samples(original, compiled, samples, seed)
    else:
        real, labels = model_samples(asked, original, origin, samples)
        values = [stored(real, original.tensors[original.inputs[0]])]
    aim = aim_on(board, goal or Goal.RAM, compiled)
    return Subject(str(asked), file, original, aim, _planned(compiled, aim), values, labels)


def subject_of_run(
    folder: Path,
    board: Board,
    samples: int,
    *,
    goal: Goal | None = None,
    data_dir: Path | None = None,
) -> Subject:
    """The model of the finished run or the pick in `folder`, with the first `samples` test pictures.

    It is planned for `board` and for `goal`, by default the run's own. The pictures are loaded again, looked
    for in `data_dir` first.

    Raises:
        RequestError: there is no result yet.
        DataError: the pictures are not there any more.
    """
    run = read_run(folder.absolute().parent.parent if _is_pick(folder) else folder)
    if not (folder / RESULT).is_file():
        raise RequestError(f"there is no result in '{folder}' yet ({run.state}): finish it first")
    found = read_json(folder / RESULT)
    # a pick's own
    budget = {name: found.get(f"{name.removesuffix('_bytes')}_budget_bytes") for name in _MEMORIES}
    request = run.request | {name: size for name, size in budget.items() if size is not None}
    data = load_dataset(run.request["data"], data_dir, seed=int(run.request["seed"]))
    return subject_of_result(folder, request, board, samples, data, goal=goal)


def _is_pick(folder: Path) -> bool:
    """Whether `folder` is where `tinynas pick` puts what it takes of a run."""
    place = folder.absolute()
    return place.parent.name == PICKS and is_run(place.parent.parent)


def subject_of_result(
    folder: Path,
    request: Mapping[str, Any],
    board: Board,
    samples: int,
    data: Dataset,
    *,
    goal: Goal | None = None,
) -> Subject:
    """The model in `folder`, a run's result or a pick of it, as it was asked for by `request`.

    With the first `samples` test pictures of `data`; planned for `board` and for `goal`, by default the
    request's.
    """
    file = (folder / MODEL).read_bytes()
    original = graph_from_bytes(file, str(folder / MODEL))
    chosen = data.test.take(np.arange(min(samples, len(data.test))))
    shape = original.tensors[original.inputs[0]].shape
    pictures = to_int8_input(resize(chosen.images, shape[1]))
    values = [pictures.reshape(len(pictures), *shape)]
    labels = np.asarray(chosen.labels, np.int64)
    compiled = simplify(original)
    aim = aim_of_run(request, board, compiled, goal)
    return Subject(str(folder), file, original, aim, _planned(compiled, aim), values, labels)


def _planned(graph: Graph, aim: Aim) -> Plan:
    return plan_network(graph, aim)
