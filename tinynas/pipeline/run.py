"""A whole search: every stage in order, each skipped where its artefact is in the run folder already.

So a run killed at any moment goes on from where it was. TensorFlow is first touched by the training.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinynas.data import describe, fingerprint, load_dataset
from tinynas.pipeline.deploy_stage import Onto, announce_obstacle, deploy_result
from tinynas.pipeline.environment import record_environment
from tinynas.pipeline.export_stage import export_winner
from tinynas.pipeline.observer import Observer, Silent
from tinynas.pipeline.request import SearchRequest
from tinynas.pipeline.scoring import method_of
from tinynas.pipeline.search_stage import evolve, strategy_of
from tinynas.pipeline.session import Session
from tinynas.pipeline.space_stage import announce_time, choose_space, space_report
from tinynas.search import open_run
from tinynas.search.run_folder import CHOSEN, MODEL, RESULT, require_run_or_empty
from tinynas.spaces import SpaceReport


def run_search(
    request: SearchRequest, path: Path, observer: Observer | None = None, onto: Onto | None = None
) -> dict[str, Any]:
    """Search as `request` says in the run folder `path`, from wherever it stands; the result as plain data.

    The result is deployed `onto` a board where that is asked for, also one that was there before.

    Raises:
        TinynasError: the request cannot be met, data or folder are unfit, the result failed its check, or
            could not be deployed.
    """
    watch = observer or Silent()
    strategy_of(request)  # refuses impossible settings now rather than after the training
    require_run_or_empty(path)
    data = load_dataset(request.data, request.data_dir, seed=request.seed)
    watch.note(describe(data))
    # a budget nothing fits is refused here, before a folder is made
    report = space_report(request, data, path, watch)
    with open_run(path, request.to_dict() | {"data_fingerprint": fingerprint(data)}) as run:
        session = Session(request, run, data, watch, onto.target if onto is not None else None)
        if run.has(RESULT) and run.has(MODEL):
            watch.note(f"{path} is done already: another --seed or --run starts a new search")
            result: dict[str, Any] = run.read_json(RESULT)
        else:
            record_environment(run)
            if onto is not None:
                searching = not run.has(CHOSEN)
                announce_obstacle(onto, request, watch, in_the_loop=request.measure_every > 0 and searching)
            result = _search(session, report)
        return result if onto is None else deploy_result(session, onto, result)


def _search(session: Session, report: SpaceReport) -> dict[str, Any]:
    space = choose_space(session, report)
    announce_time(session, space, report)
    scorers = method_of(session.request).prepare(session, space)
    winner = evolve(session, space, scorers)
    return export_winner(session.corrected(), space, scorers.trainee(winner), winner)
