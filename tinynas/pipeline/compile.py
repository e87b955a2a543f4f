"""`tinynas compile`: from a model's file to a folder of C that builds as it stands, checked if asked."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinynas.engine.c_text import identifier
from tinynas.engine.emit import GENERATOR, emit
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.plan import Plan
from tinynas.engine.planner import plan_network
from tinynas.engine.tables import FlashBytes
from tinynas.errors import RequestError
from tinynas.graph import Graph
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import graph_from_bytes
from tinynas.pipeline.model_file import load_model
from tinynas.pipeline.samples import SampleSource
from tinynas.pipeline.trade import Offer, all_offers, offer_for

DEFAULT_NAME = "tinynas"
#: begins the name of a folder still being written
_PARTIAL, _REPLACED = ".partial-", ".replaced-"


@dataclass(frozen=True, slots=True)
class CompileReport:
    """What was written where, and what it takes."""

    model: str
    name: str
    folder: Path
    files: tuple[str, ...]
    operators: int
    operators_in_file: int
    goal: Goal
    arena_bytes: int
    #: what every goal would cost and bring, this one too
    offers: tuple[Offer, ...]
    #: TFLite Micro's arena on this computer, head and tail; None unless it was checked
    tflm_arena_bytes: int | None
    flash: FlashBytes
    checked_samples: int

    @property
    def least_arena_bytes(self) -> int:
        """What the goal `RAM` would take."""
        return offer_for(Goal.RAM, self.offers).arena_bytes

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return {
            "model": self.model,
            "name": self.name,
            "folder": str(self.folder),
            "files": list(self.files),
            "operators": self.operators,
            "operators_in_file": self.operators_in_file,
            "optimize": self.goal.value,
            "arena_bytes": self.arena_bytes,
            "least_arena_bytes": self.least_arena_bytes,
            "goals": [offer.to_dict() for offer in self.offers],
            "tflm_arena_bytes": self.tflm_arena_bytes,
            "flash_bytes": self.flash.total,
            "flash_pieces_bytes": {
                "weights": self.flash.weights,
                "quantisation": self.flash.quantisation,
                "tables": self.flash.tables,
                "schedule": self.flash.schedule,
            },
            "checked_samples": self.checked_samples,
        }


@dataclass(frozen=True, slots=True)
class Check:
    """How the C is compared with TFLite Micro: on `samples` random ones and those of `inputs` (.npy)."""

    samples: int = 100
    inputs: Path | None = None
    seed: int = 0


def compile_model(
    path: Path,
    folder: Path,
    name: str = DEFAULT_NAME,
    *,
    keep_float_io: bool = False,
    source: SampleSource | None = None,
    aim: Aim | None = None,
    check: Check | None = None,
    force: bool = False,
) -> CompileReport:
    """Compile the model in `path` into the new folder `folder`, which appears whole or not at all.

    It is a .tflite file, or an .onnx that is calibrated on samples of `source`.
    `name` begins the names of the C functions and files. With `check` nothing is written unless every output
    byte equals TFLite Micro's. With `force` a folder that tinynas compiled before is replaced.

    Raises:
        ModelError: the file is damaged, cannot be converted, or has an operator the engine does not run
            (named with its index).
        RequestError: `folder` is in use, `name` cannot name C functions, `path` needs samples, or the arena
            may not be as large as it must be.
        DataError: the given inputs do not fit.
        VerificationError: an output byte differs.
        ToolchainError: to check, a C compiler is needed and missing.
        OSError: the disk does not take it.
    """
    prefix = identifier(name)
    model = load_model(path, source or SampleSource())
    original = graph_from_bytes(model, path.name)
    graph = simplify(original, keep_float_io=keep_float_io)
    aim = aim or Aim()
    plan, offers = plan_network(graph, aim), all_offers(graph, aim)
    if aim.arena is not None and plan.arena > aim.arena:
        least = offer_for(Goal.RAM, offers).arena_bytes
        raise RequestError(
            f"'{path}' needs an arena of {least:,} bytes at least, more than --arena {aim.arena}: allow "
            "that much, or use a smaller network"
        )
    with _new_folder(folder, force) as partial:
        emission = emit(plan, prefix, partial)
        tflm, checked = None, 0
        if check is not None:
            tflm, checked = _check(partial, prefix, model, original, plan, check)
    return CompileReport(
        model=str(path),
        name=prefix,
        folder=folder,
        files=tuple(sorted(emission.files)),
        operators=len(graph.operators),
        operators_in_file=len(original.operators),
        goal=aim.goal,
        arena_bytes=emission.arena,
        offers=offers,
        tflm_arena_bytes=tflm,
        flash=emission.flash,
        checked_samples=checked,
    )


def _check(
    folder: Path, name: str, model: bytes, original: Graph, plan: Plan, check: Check
) -> tuple[int, int]:
    """TFLite Micro's arena in bytes, and the number of samples that gave its bytes."""
    from tinynas.export.micro import measure_arena
    from tinynas.pipeline.compile_check import check_compiled, given_samples, random_samples

    compiled = plan.graph
    batches = [random_samples(original, compiled, check.samples, check.seed)]
    if check.inputs is not None:
        batches.append(given_samples(check.inputs, original))
    for batch in batches:
        check_compiled(folder, name, model, original, compiled, batch)
    return measure_arena(model).total, sum(len(batch[0]) for batch in batches)


@contextmanager
def _new_folder(folder: Path, force: bool) -> Iterator[Path]:
    """A folder beside `folder` to write to, which takes its name at the end; gone if the block raises."""
    _check_free(folder, force)
    target = Path(os.path.abspath(folder))
    partial, replaced = target.with_name(_PARTIAL + target.name), target.with_name(_REPLACED + target.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir()
        yield partial
        if target.exists():
            shutil.rmtree(replaced, ignore_errors=True)
            target.rename(replaced)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if target.exists():
            shutil.rmtree(replaced, ignore_errors=True)


def _check_free(folder: Path, force: bool) -> None:
    """Refuse to write over anything but an empty folder or, with `force`, an earlier result.

    Raises:
        RequestError: something else is there.
    """
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise RequestError(f"'{folder}' is a file: name a folder with -o")
    if not any(folder.iterdir()):
        return
    if not force:
        raise RequestError(
            f"'{folder}' is not empty: name another folder with -o, or replace it with --force"
        )
    if not _is_ours(folder):
        raise RequestError(
            f"'{folder}' was not made by tinynas compile, and --force replaces nothing else: name another"
        )


def _is_ours(folder: Path) -> bool:
    try:
        manifest = json.loads((folder / "library.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and GENERATOR in (manifest.get("keywords") or ())
