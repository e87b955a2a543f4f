"""The end of a run: fine-tuning, int8, and every check that must pass before it is called the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinynas.data import class_balanced, resize
from tinynas.errors import VerificationError
from tinynas.pipeline.file_need import need_of_file
from tinynas.pipeline.session import Session
from tinynas.pipeline.training_stage import fine_tune
from tinynas.search import Candidate
from tinynas.search.run_folder import MODEL, RESULT, TIMES
from tinynas.spaces import Choice, MobileSpace

if TYPE_CHECKING:
    from tinynas.supernet.model import Supernet

#: pictures that set the int8 ranges
REPRESENTATIVE_PICTURES = 500
#: batches that give the winner its final batch-norm statistics, at least
FINAL_CALIBRATION_BATCHES = 40


def export_winner(
    session: Session, space: MobileSpace, model: Supernet, winner: Candidate[Choice]
) -> dict[str, Any]:
    """Fine-tune the winner from its inherited weights, quantise, verify, and only then call it the result."""
    from tinynas.export import convert_int8, float_logits
    from tinynas.export.inherit import inherited_weights
    from tinynas.export.verify import verify
    from tinynas.supernet.scoring import Calibration, Calibrator

    effort, data, choice, seed = session.effort, session.data, winner.choice, session.request.seed
    fine_tune(session, model, choice)
    stopwatch = session.stopwatch("export and verification")
    session.observer.begin("export and verification", 3)
    batches = max(FINAL_CALIBRATION_BATCHES, effort.calibration_batches)
    calibration = Calibration(batches, effort.calibration_batch_size)
    calibrator = Calibrator(model, data.train, calibration=calibration, seed=seed, fixed=choice)
    weights = inherited_weights(model, choice, calibrator.statistics(choice))
    representative = class_balanced(data.train, REPRESENTATIVE_PICTURES, seed)
    tflite = convert_int8(weights, resize(representative, choice.resolution))
    need = need_of_file(session.request, tflite)
    if excess := need.excess(session.request.budget):
        raise VerificationError(f"the exported network takes {excess}: search again with that much less")
    session.observer.advance(1, "int8 model made")
    images = resize(data.test.images, choice.resolution)
    logits = float_logits(weights, images)
    session.observer.advance(2, "float test accuracy")
    check = verify(tflite, weights.genotype, images=images, labels=data.test.labels, float_logits=logits)
    session.observer.advance(3, "int8 test accuracy")
    session.observer.end()
    session.run.write_bytes(MODEL, tflite)
    stopwatch.lap()
    result = {
        "board": session.request.board.id,
        "runtime": session.request.runtime,
        "data": data.name,
        "space": space.name,
        "params": winner.footprint.params,
        "sram_bytes": need.sram_bytes,
        "sram_budget_bytes": session.request.budget.sram_bytes,
        "flash_bytes": need.flash_bytes,
        "flash_budget_bytes": session.request.budget.flash_bytes,
        "accuracy_shared_weights": winner.accuracy,
        **check.to_dict(),
        "model": MODEL,
        "seconds": session.run.read_json(TIMES),
    }
    session.run.write_json(RESULT, result)
    return result
