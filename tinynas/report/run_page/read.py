"""From a run folder to its page: files are read here, and everything else is a pure function of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinynas.board import Board, load_board
from tinynas.cost import Runtime, aim_of, find_runtime
from tinynas.engine.goals import Goal
from tinynas.errors import ModelError, RequestError, RunError
from tinynas.networks import parse_genotype
from tinynas.report.run_page.board_section import Searched, deployed_section
from tinynas.report.run_page.network_section import modelled_latency, modelled_layers, network_section
from tinynas.report.run_page.search_sections import (
    evolution_section,
    front_section,
    not_yet,
    training_section,
    trials_section,
)
from tinynas.report.run_page.sections import (
    Latency,
    Layers,
    Maybe,
    Missing,
    Network,
    Result,
    RunPage,
    as_modelled,
)
from tinynas.search import RunSummary, read_run
from tinynas.search.history import read_history
from tinynas.search.run_folder import CHOSEN, ENVIRONMENT, HISTORY, REQUEST, RESULT, read_json, reading
from tinynas.spaces import SpaceReport
from tinynas.supernet.phase import Progress


@dataclass(frozen=True, slots=True)
class Records:
    """All that a page is made of: the run, and what lies beside it; what cannot be read is `Missing`."""

    run: RunSummary
    history: Maybe[Sequence[Progress]]
    chosen: Mapping[str, Any] | None
    environments: Maybe[tuple[Mapping[str, Any], ...]]


def read_page(folder: Path) -> RunPage:
    """The page of the run in `folder`, finished or not; nothing is written.

    Raises:
        RequestError: there is no run.
        RunError: what a run stands on is damaged: its request, space, candidates or result.
    """
    return page_of(
        Records(
            run=read_run(folder),
            history=_history(folder / HISTORY),
            chosen=read_json(folder / CHOSEN) if (folder / CHOSEN).exists() else None,
            environments=_environments(folder / ENVIRONMENT),
        )
    )


def page_of(records: Records) -> RunPage:
    """The page of what was read."""
    run = records.run
    with reading(CHOSEN if run.result is None else RESULT):
        network, modelled, predicted = _network(records)
    with reading(RESULT):
        result = _result(run)
    searched = Searched(
        str(run.request.get("board")), str(run.request.get("optimize", Goal.RAM.value)), predicted
    )
    return RunPage(
        name=run.path.resolve().name,
        state=run.state,
        is_done=run.is_done,
        family=run.family,
        request=run.request,
        seconds=run.times,
        result=result,
        space=not_yet("No space has been chosen yet", run)
        if run.space is None
        else SpaceReport.from_dict(run.space),
        training=records.history
        if isinstance(records.history, Missing)
        else training_section(run, records.history),
        trials=trials_section(run.scores),
        evolution=evolution_section(run),
        front=front_section(run),
        network=network,
        modelled=modelled,
        predicted=predicted,
        deployed=tuple(deployed_section(name, found, searched) for name, found in run.deployments.items()),
        timings=run.timings,
        environments=records.environments,
    )


def _network(records: Records) -> tuple[Maybe[Network], Maybe[Layers], Latency | None]:
    """The network, the cycles of its operators by the model, and its time."""
    run = records.run
    if run.result is not None:
        text, standing = str(run.result["genotype"]), "the result"
    elif records.chosen is not None:
        text, standing = str(records.chosen["genotype"]), "chosen, not yet trained to its end"
    elif run.best is not None:
        text, standing = run.best.genotype, "the best so far, the search is not over"
    else:
        missing = not_yet("No network has been found yet", run)
        return missing, missing, None
    try:
        board = load_board(str(run.request.get("board")))
        runtime = _runtime(run.request, board)
        genotype = parse_genotype(text)
        return (
            network_section(genotype, standing, board, runtime),
            modelled_layers(genotype, board, runtime),
            _recorded_latency(run) or modelled_latency(genotype, board, runtime),
        )
    except (RequestError, ModelError) as error:
        missing = Missing(f"The network '{text}' cannot be looked at here: {error}.")
        return missing, missing, None


def _runtime(request: Mapping[str, Any], board: Board) -> Runtime:
    """As the search had it, with its aim."""
    with reading(REQUEST):
        aim = aim_of(request, board)
    return find_runtime(str(request.get("runtime", "engine")), aim)


def _recorded_latency(run: RunSummary) -> Latency | None:
    """What the search predicted: models get better after it.

    Of a network that a board ran during the search the result has that time: its prediction is older.
    """
    result = run.result
    if result is None or result.get("latency_ms") is None:
        return None
    if made := [timing for timing in run.timings if timing.genotype == result["genotype"]]:
        label = as_modelled(str(run.request.get("latency_model", "unknown")))
        corrected = made[0].corrected_ms != made[0].modelled_ms
        words = f"{label}; corrected by networks run before it" if corrected else label
        return Latency(made[0].corrected_ms, words)
    return Latency(float(result["latency_ms"]), as_modelled(str(result.get("latency_label", "unknown"))))


def _result(run: RunSummary) -> Maybe[Result]:
    found = run.result
    if found is None:
        return not_yet("There is no result yet", run)
    return Result(
        accuracy_float=found["accuracy_float"],
        accuracy_int8=found["accuracy_int8"],
        test_pictures=found.get("test_pictures"),
        compared_pictures=found.get("compared_pictures"),
        params=found["params"],
        model_bytes=found.get("model_bytes"),
        sram_bytes=found["sram_bytes"],
        sram_budget_bytes=found["sram_budget_bytes"],
        flash_bytes=found["flash_bytes"],
        flash_budget_bytes=found["flash_budget_bytes"],
        latency_ms=found.get("latency_ms"),
        latency_budget_ms=found.get("latency_budget_ms"),
        warning=found.get("warning"),
    )


def _history(path: Path) -> Maybe[Sequence[Progress]]:
    try:
        return read_history(path)
    except RunError as error:
        return Missing(f"The curves cannot be read: {error}.")


def _environments(path: Path) -> Maybe[tuple[Mapping[str, Any], ...]]:
    if not path.exists():
        return Missing("This run was made before versions and machine were kept (environment.json).")
    try:
        found = read_json(path)
    except RunError as error:
        return Missing(f"It cannot be read: {error}.")
    if not isinstance(found, list) or not all(isinstance(place, dict) for place in found):
        return Missing(f"'{path.name}' is not what tinynas writes.")
    return tuple(found)
