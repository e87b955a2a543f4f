"""How long a network takes on a board before anybody trained it: firmware with made-up weights, timed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from tinynas.board import Board
from tinynas.device.client import Client
from tinynas.device.golden import MODEL_NAME, add_golden
from tinynas.device.link import Link
from tinynas.device.platformio import build, choose_environment
from tinynas.device.project import find_project
from tinynas.engine.emit import emit
from tinynas.engine.goals import Aim
from tinynas.engine.planner import plan_network
from tinynas.errors import DeviceError
from tinynas.graph import Graph
from tinynas.graph.passes import simplify
from tinynas.graph.typical import with_typical_constants
from tinynas.pipeline.build import Places
from tinynas.pipeline.target import Target

#: the first inference finds caches cold
_RUNS = 3


def time_untrained(graph: Graph, aim: Aim, board: Board, target: Target, folder: Path) -> float:
    """Milliseconds of one inference of `graph`, planned for `aim`, on `target`; built in `folder`.

    Its outputs are neither known nor asked for.

    Raises:
        TinynasError: firmware cannot be built, or the board does not answer or does not know its clock.
    """
    where = Places(folder / "lib", folder / "build")
    plan = plan_network(with_typical_constants(simplify(graph)), aim.goal, aim.arena)
    library = where.libraries / MODEL_NAME
    ends, rng = plan.graph, np.random.default_rng(0)
    shutil.rmtree(library, ignore_errors=True)
    emit(plan, MODEL_NAME, library)
    inputs = [rng.integers(-128, 128, (1, *ends.tensors[i].shape), np.int8) for i in ends.inputs]
    outputs = [np.zeros((1, *ends.tensors[i].shape), np.int8) for i in ends.outputs]
    add_golden(library, plan, b"", inputs, outputs)
    project = find_project()
    environment = choose_environment(board.id, project)
    elf = build(environment, project, libraries=where.libraries, build_dir=where.build).elf
    target.flash(elf, board)
    with target.connect(elf, board) as line:
        client = Client(Link(line))
        client.require(board.id)
        measured = client.measure(_RUNS)
    if not measured.clock_hz:
        raise DeviceError(f"{board.id} does not know its clock, so its cycles are no times: use --virtual")
    return measured.latency_ms
