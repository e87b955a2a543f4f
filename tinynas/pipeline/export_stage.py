"""The end of a run: fine-tuning, int8, and every check that must pass before it is called the result."""

from __future__ import annotations

from typing import Any

from tinynas.data import class_balanced, resize
from tinynas.errors import VerificationError
from tinynas.pipeline.file_need import need_of_file
from tinynas.pipeline.session import Session
from tinynas.pipeline.training_stage import Trainee, fine_tune
from tinynas.search import Candidate, Need
from tinynas.search.run_folder import MODEL, RESULT, TIMES
from tinynas.spaces import DesignSpace

#: what all this is called
EXPORTING = "export and verification"
#: pictures that set the int8 ranges
REPRESENTATIVE_PICTURES = 500
#: batches that give the winner its final batch-norm statistics, at least
FINAL_CALIBRATION_BATCHES = 40


def export_winner(
    session: Session, space: DesignSpace[Any], trainee: Trainee[Any], winner: Candidate[Any]
) -> dict[str, Any]:
    """Fine-tune the winner from the weights it has, quantise, verify, and only then call it the result."""
    from tinynas.export import convert_int8, float_logits
    from tinynas.export.verify import verify
    from tinynas.supernet.scoring import Calibration, Calibrator

    effort, data, seed = session.effort, session.data, session.request.seed
    subnet, resolution = trainee.subnet, trainee.subnet.resolution
    fine_tune(session, trainee)
    stopwatch = session.stopwatch(EXPORTING)
    session.observer.begin(EXPORTING, 3)
    batches = max(FINAL_CALIBRATION_BATCHES, effort.calibration_batches)
    calibration = Calibration(batches, effort.calibration_batch_size)
    calibrator = Calibrator(trainee.model, data.train, calibration=calibration, seed=seed, fixed=subnet)
    weights = trainee.weights(calibrator.statistics(subnet))
    representative = class_balanced(data.train, REPRESENTATIVE_PICTURES, seed)
    tflite = convert_int8(weights, resize(representative, resolution))
    need = need_of_file(session, weights.genotype, tflite)
    if excess := need.excess(session.request.limits):
        raise VerificationError(f"the exported network takes {excess}: search again with that much less")
    session.observer.advance(1, "int8 model made")
    images = resize(data.test.images, resolution)
    logits = float_logits(weights, images)
    session.observer.advance(2, "float test accuracy")
    check = verify(
        tflite,
        weights.genotype,
        images=images,
        labels=data.test.labels,
        float_logits=logits,
        aim=session.request.aim,
    )
    session.observer.advance(3, "int8 test accuracy")
    session.observer.end()
    session.run.write_bytes(MODEL, tflite)
    stopwatch.lap()
    result = {
        "board": session.request.board.id,
        "runtime": session.request.runtime,
        "optimize": session.request.goal.value,
        "data": data.name,
        "family": session.request.family,
        "space": space.name,
        "params": winner.footprint.params,
        "sram_bytes": need.sram_bytes,
        "sram_budget_bytes": session.request.budget.sram_bytes,
        "flash_bytes": need.flash_bytes,
        "flash_budget_bytes": session.request.budget.flash_bytes,
        **_times(session, str(weights.genotype), need),
        session.request.accuracy_key: winner.accuracy,
        **check.to_dict(),
        "model": MODEL,
        "seconds": session.run.read_json(TIMES),
    }
    session.run.write_json(RESULT, result)
    return result


def _times(session: Session, genotype: str, need: Need) -> dict[str, Any]:
    """What is known of the time of an inference before the result itself is on a board."""
    if (label := session.told_times(genotype)) is None:
        return {}
    return {
        "latency_ms": need.latency_ms,
        "latency_budget_ms": session.request.budget.latency_ms,
        "latency_label": label,
        "latency_factor": session.correction.factor,
    }
