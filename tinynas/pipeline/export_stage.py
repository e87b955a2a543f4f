"""The end of a run: fine-tuning, int8, and every check that must pass before it is called the result."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tinynas.cost import FlashEstimate, SramEstimate, find_runtime
from tinynas.data import class_balanced, resize
from tinynas.errors import VerificationError
from tinynas.graph.tflite import graph_from_bytes
from tinynas.pipeline.request import SearchRequest
from tinynas.pipeline.session import Session
from tinynas.pipeline.training_stage import fine_tune
from tinynas.search import Candidate
from tinynas.search.run_folder import RESULT
from tinynas.spaces import Choice, MobileSpace
from tinynas.units import format_size

if TYPE_CHECKING:
    from tinynas.supernet.model import Supernet

#: pictures that set the int8 ranges
REPRESENTATIVE_PICTURES = 500
#: batches that give the winner its final batch-norm statistics, at least
FINAL_CALIBRATION_BATCHES = 40
MODEL = "model.tflite"


def export_winner(
    session: Session, space: MobileSpace, model: Supernet, winner: Candidate[Choice]
) -> dict[str, Any]:
    """Fine-tune the winner from its inherited weights, quantise, verify, and only then call it the result."""
    from tinynas.export import convert_int8, float_logits
    from tinynas.export.inherit import inherited_weights
    from tinynas.export.verify import verify
    from tinynas.supernet.scoring import Calibration, Scorer

    effort, data, choice, seed = session.effort, session.data, winner.choice, session.request.seed
    fine_tune(session, model, choice)
    began = time.monotonic()
    session.observer.begin("export and verification", 3)
    batches = max(FINAL_CALIBRATION_BATCHES, effort.calibration_batches)
    calibration = Calibration(batches, effort.calibration_batch_size)
    scorer = Scorer(model, data.train, data.test, calibration=calibration, seed=seed, fixed=choice)
    weights = inherited_weights(model, choice, scorer.statistics(choice))
    representative = class_balanced(data.train, REPRESENTATIVE_PICTURES, seed)
    tflite = convert_int8(weights, resize(representative, choice.resolution))
    sram, flash = footprint_of_file(session.request, tflite)
    session.observer.advance(1, "int8 model made")
    images = resize(data.test.images, choice.resolution)
    logits = float_logits(weights, images)
    session.observer.advance(2, "float test accuracy")
    check = verify(tflite, weights.genotype, images=images, labels=data.test.labels, float_logits=logits)
    session.observer.advance(3, "int8 test accuracy")
    session.observer.end()
    session.run.write_bytes(MODEL, tflite)
    session.timed("export and verification", time.monotonic() - began)
    result = {
        "board": session.request.board.id,
        "runtime": session.request.runtime,
        "data": data.name,
        "space": space.name,
        "params": winner.footprint.params,
        "sram_bytes": sram.total,
        "sram_budget_bytes": session.request.budget.sram_bytes,
        "flash_bytes": flash,
        "flash_budget_bytes": session.request.budget.flash_bytes,
        "accuracy_shared_weights": winner.accuracy,
        **check.to_dict(),
        "model": str(session.run.path / MODEL),
        "seconds": session.run.read_json("times.json"),
    }
    session.run.write_json(RESULT, result)
    return result


def footprint_of_file(request: SearchRequest, tflite: bytes) -> tuple[SramEstimate, int]:
    """SRAM of the file as read back, and bytes of flash: the file itself and the runtime's code.

    Raises:
        VerificationError: the file does not fit the budget after all.
    """
    runtime, graph = find_runtime(request.runtime), graph_from_bytes(tflite, "the exported network")
    sram, planned = runtime.sram(graph, request.board), runtime.flash(graph, request.board)
    flash = _file_flash(planned, len(tflite))
    for name, need, has in (
        ("SRAM", sram.total, request.budget.sram_bytes),
        ("flash", flash, request.budget.flash_bytes),
    ):
        if need > has:
            raise VerificationError(
                f"the exported network needs {format_size(need)} of {name}, {need - has:,} B more than "
                f"allowed: search again with --{name.lower()} smaller by that"
            )
    return sram, flash


def _file_flash(planned: FlashEstimate, file_bytes: int) -> int:
    """A runtime that carries the .tflite holds the file itself; one that does not, its own tables."""
    return file_bytes + planned.code if planned.graph else planned.total
