"""A RegNetX search on real digits, stopped in its middle and continued: scored by short training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_search import REQUEST, Guard, GuardedData

from tinynas.cli.main import main
from tinynas.data import load_dataset
from tinynas.networks import Genotype
from tinynas.pipeline.effort import SHORT_TRAINING
from tinynas.pipeline.pick import choose, export_pick
from tinynas.pipeline.run import run_search
from tinynas.pipeline.short_training import TRIALS, _TrialLadder
from tinynas.search import CANDIDATES, RunFolder, read_run
from tinynas.search.run_folder import CHOSEN, MODEL

NUMBERS = {
    "samples": 4,
    "trial_epochs": 0.2,
    "rungs": 2,
    "finetune_epochs": 0.5,
    "population": 2,
    "iterations": 1,
    "parents": 2,
    "crossover": 0,
    "mutation": 1,
}
REGNETX = replace(REQUEST, family="regnetx", effort=SHORT_TRAINING.make("quick", NUMBERS), elastic=0)


@pytest.mark.slow
def test_a_regnetx_is_found_and_a_stopped_search_finds_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorflow")
    guard, folder, other = Guard(), tmp_path / "whole", tmp_path / "stopped"
    data = GuardedData(load_dataset("digits"), guard)
    monkeypatch.setattr("tinynas.pipeline.run.load_dataset", lambda *_a, **_k: data)
    monkeypatch.setattr("tinynas.pipeline.run.describe", lambda _data: "digits")
    monkeypatch.setattr("tinynas.pipeline.run.fingerprint", lambda _data: "digits")
    result = run_search(REGNETX, folder, guard)
    stages = ["design spaces", "evolution search", "fine-tuning", "export and verification"]
    assert guard.stages == stages and any("expected time" in note for note in guard.notes)
    assert " x_k3_s" in result["genotype"] and result["family"] == "regnetx"
    assert result["sram_bytes"] <= 8 * 1024 and result["flash_bytes"] <= 72 * 1024
    scores = (folder / CANDIDATES).read_bytes()
    # two networks, one goes on; one mutant, which goes on
    steps = [json.loads(line)["trained_steps"] for line in scores.splitlines()]
    assert steps == [3, 3, 7, 3, 7]
    summary = read_run(folder)
    assert summary.best is not None and summary.best.trained_steps == 7
    assert result["accuracy_short_training"] == summary.best.accuracy
    assert len(list((folder / TRIALS).glob("*.npz"))) == 1, "only the winner's checkpoint is kept"

    # stopped as the first network that goes on is about to be scored; its checkpoint is on the disk by then
    write, written = RunFolder.write_bytes, list[str]()

    def stop(self: RunFolder, name: str, content: bytes) -> Path:
        path = write(self, name, content)
        written.append(name)
        if len([name for name in written if name.startswith(TRIALS)]) == 3:
            raise KeyboardInterrupt
        return path

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(RunFolder, "write_bytes", stop)
        run_search(REGNETX, other, Guard())
    assert len((other / CANDIDATES).read_bytes().splitlines()) == 2
    run_search(REGNETX, other, Guard())
    assert (other / CANDIDATES).read_bytes() == scores
    assert (other / CHOSEN).read_bytes() == (folder / CHOSEN).read_bytes()
    assert (other / MODEL).read_bytes() == (folder / MODEL).read_bytes()

    assert main(["show", str(folder), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["state"], shown["family"], shown["candidates"]) == ("done", "regnetx", 3)
    assert shown["best"]["accuracy_short_training"] == summary.best.accuracy
    assert main(["show", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "accuracy by short training" in text and ", 7 steps" in text

    # who was beaten after 3 steps is trained to the end like the winner before it is fine-tuned
    (beaten,) = (candidate for candidate in summary.candidates if candidate.trained_steps == 3)
    told: list[int] = []
    train = _TrialLadder.trained

    def trained(self: _TrialLadder, genotype: Genotype, steps: int) -> Any:
        told.append(steps)
        return train(self, genotype, steps)

    monkeypatch.setattr("tinynas.pipeline.pick.fingerprint", lambda _data: "digits")
    monkeypatch.setattr(_TrialLadder, "trained", trained)
    result = export_pick(replace(choose(folder, REGNETX.budget), front=(beaten,)), Guard())
    assert told == [7] and result["genotype"] == beaten.genotype
    assert result["searched"]["trained_steps"] == 3
