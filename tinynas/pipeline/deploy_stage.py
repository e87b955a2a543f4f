"""The very end of a run, where it was asked for: its model on a board, measured beside what was predicted.

No part of the request: the same run can be deployed on the virtual board today and on a real one tomorrow.
What goes wrong here leaves the finished search as it is, and the same command goes on with the deployment.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from tinynas.errors import DeploymentError, LinkError, PortError, TinynasError
from tinynas.pipeline.build import places
from tinynas.pipeline.deploy import deploy, deployment_record, save_deployment
from tinynas.pipeline.observer import Observer
from tinynas.pipeline.request import SearchRequest
from tinynas.pipeline.session import Session
from tinynas.pipeline.subject import subject_of_result
from tinynas.pipeline.target import Target
from tinynas.search.run_folder import MODEL, RESULT, TIMES
from tinynas.units import format_milliseconds

#: folder of the run where its firmware is built
FIRMWARE = "firmware"


@dataclass(frozen=True, slots=True)
class Onto:
    """Where the result is put, and the test pictures on which its outputs are compared there."""

    target: Target
    samples: int = 100


def announce_obstacle(
    onto: Onto, request: SearchRequest, watch: Observer, *, in_the_loop: bool = False
) -> None:
    """Say now, hours before the end, what would stand in the way of the deployment.

    Raises:
        TinynasError: it stands in the way of the search itself, which measures `in_the_loop`. A board that
            is only not there does not: it is waited for when it is needed.
    """
    try:
        onto.target.require(request.board)
    except TinynasError as obstacle:
        if in_the_loop and not isinstance(obstacle, (LinkError, PortError)):
            raise
        watch.note(f"as things are the result could not be deployed: {obstacle}; mend that before the end")


def deploy_result(session: Session, onto: Onto, result: dict[str, Any]) -> dict[str, Any]:
    """`result` with its deployment, which is made unless the run holds the same one already.

    Raises:
        DeploymentError: the model could not be built, flashed or measured; the search's result is safe.
    """
    run, board = session.run, session.request.board
    record = deployment_record(board.id, onto.target.suffix)
    if run.has(record) and _is_same(run.read_json(record), session, onto):
        session.observer.note(f"deployed already: `tinynas deploy {run.path}` measures again")
    else:
        _deploy(session, onto)
    if late := _late(run.read_json(record), session.request):
        session.observer.note(late)
    deployed = result | {"deployment": run.read_json(record), "seconds": run.read_json(TIMES)}
    if deployed != result:
        run.write_json(RESULT, deployed)
    return deployed


def _deploy(session: Session, onto: Onto) -> None:
    run = session.run
    stopwatch = session.stopwatch("deployment")
    try:
        board = session.request.board
        asked = session.request.to_dict()
        subject = subject_of_result(run.path, asked, board, onto.samples, session.data)
        where = places(run.path / FIRMWARE)
        found = deploy(subject, board, onto.target, where, session.observer)
        save_deployment(found, onto.target, run.path)
    except TinynasError as error:
        raise DeploymentError(
            f"the search is done and its network is in {run.path / MODEL}, but it could not be deployed: "
            f"{error}; the same command then goes on from here"
        ) from error
    stopwatch.lap()


def _is_same(known: dict[str, Any], session: Session, onto: Onto) -> bool:
    """Whether a record is of this very model, planned for the run's goal, and of as many pictures."""
    model = hashlib.sha256((session.run.path / MODEL).read_bytes()).hexdigest()
    asked = min(onto.samples, len(session.data.test))
    goal = session.request.goal.value
    return (
        known.get("model_sha256") == model
        and known.get("samples") == asked
        and known.get("optimize", goal) == goal  # older records name none
    )


def _late(record: dict[str, Any], request: SearchRequest) -> str:
    """What to do where the board takes longer than the request allows; empty where it does not."""
    measured, allowed = record.get("latency_ms"), request.limits.latency_ms
    if measured is None or allowed is None or measured <= allowed:
        return ""
    return (
        f"the board takes {format_milliseconds(measured)} and {format_milliseconds(allowed)} were asked for: "
        "search again with --measure-every 2, which corrects the model of times, or with a smaller --latency"
    )
