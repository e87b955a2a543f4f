"""A search that ends on a board: what is asked of it is no part of the run, and its failure loses nothing."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tinynas.board import load_board, make_budget
from tinynas.cli.main import main
from tinynas.data import fingerprint, load_dataset
from tinynas.errors import DeploymentError, PortError, TinynasError, ToolchainError
from tinynas.graph import GraphBuilder
from tinynas.pipeline import deploy_stage
from tinynas.pipeline.deploy_stage import Onto
from tinynas.pipeline.effort import SHARED_WEIGHTS
from tinynas.pipeline.observer import Silent
from tinynas.pipeline.request import SearchRequest
from tinynas.pipeline.run import run_search
from tinynas.pipeline.space_stage import space_report
from tinynas.pipeline.target import PortTarget, VirtualTarget
from tinynas.search import open_run, read_run

sys.path.append(str(Path(__file__).resolve().parents[1] / "engine"))

from random_network import random_tflite

BOARD = load_board("stm32f746")
REQUEST = SearchRequest(
    board=BOARD,
    budget=make_budget(BOARD, "60k", "100k"),
    runtime="engine",
    data="digits",
    data_dir=None,
    effort_name="quick",
    effort=SHARED_WEIGHTS.make("quick", {}),
    seed=0,
)
WORDS = ["search", "--board", "stm32f746", "--sram", "60k", "--flash", "100k"]
RESULT = {
    "genotype": "r8x1 conv_k3_s1_c8 fc_c10", "space": "w0.3-r8", "macs": 5_000, "params": 1_234,
    "sram_bytes": 3_072, "sram_budget_bytes": 61_440, "flash_bytes": 26_214, "flash_budget_bytes": 102_400,
    "accuracy_float": 0.1, "accuracy_int8": 0.1, "model": "model.tflite", "seconds": {"search": 2.0},
}  # fmt: skip


@pytest.fixture(scope="module")
def space() -> dict[str, Any]:
    """What stage 1 of the search left."""
    small = replace(REQUEST, effort=SHARED_WEIGHTS.make("quick", {"samples": 5}))
    return space_report(small, load_dataset("digits"), Path("nowhere")).to_dict()


@pytest.fixture
def run(tmp_path: Path, space: dict[str, Any]) -> Path:
    """The folder of a search that is done but for its deployment; its network was not trained."""
    net = GraphBuilder("digits", (8, 8, 1))
    x = net.depthwise(net.conv(net.input, 8, kernel=3), kernel=3)
    model = random_tflite(net.build(net.dense(net.global_mean(x), 10)), seed=4)
    data = load_dataset("digits")
    with open_run(tmp_path / "run", REQUEST.to_dict() | {"data_fingerprint": fingerprint(data)}) as folder:
        folder.write_bytes("model.tflite", model)
        folder.write_json("space.json", space)
        folder.write_json("times.json", RESULT["seconds"])
        folder.write_json("result.json", RESULT)
    return tmp_path / "run"


@dataclass(frozen=True)
class Absent(VirtualTarget):
    """A board that is not there."""

    def flash(self, elf: Path, board: Any) -> None:
        raise ToolchainError("openocd is not installed: apt install openocd")


def without_building(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Deployments are pretended; the samples of each are noted."""
    asked: list[int] = []

    class Found:
        def __init__(self, samples: int, sha256: str) -> None:
            self.plain = {"samples": samples, "model_sha256": sha256, "optimize": "ram"}

    def deploy(subject: Any, board: Any, target: Any, where: Any, watch: Any) -> Found:
        asked.append(subject.count)
        assert where.build.is_relative_to(Path(subject.name))
        target.flash(Path("x.elf"), board)
        return Found(subject.count, subject.sha256)

    def save(found: Found, target: Any, folder: Path) -> None:
        file = folder / "deployments" / f"stm32f746{target.suffix}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(found.plain))

    monkeypatch.setattr(deploy_stage, "deploy", deploy)
    monkeypatch.setattr(deploy_stage, "save_deployment", save)
    return asked


def test_a_failed_deployment_keeps_the_search_and_goes_on(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = without_building(monkeypatch)
    with pytest.raises(
        DeploymentError, match=r"search is done.*model\.tflite.*openocd is not installed"
    ) as failed:
        run_search(REQUEST, run, onto=Onto(Absent(), 5))
    assert failed.value.exit_status == 1
    assert read_run(run).result == RESULT and read_run(run).is_done
    result = run_search(REQUEST, run, onto=Onto(VirtualTarget(), 5))
    assert asked == [5, 5] and result["deployment"]["samples"] == 5
    assert result["seconds"].keys() == {"search", "deployment"}
    assert read_run(run).result == result
    assert read_run(run).deployments == {"stm32f746-virtual": result["deployment"]}


@pytest.mark.parametrize(
    ("every", "obstacle", "stops"),
    [
        (0, ToolchainError("unicorn is not installed"), False),
        (2, ToolchainError("unicorn is not installed"), True),
        (2, PortError("there is no port"), False),
    ],
)
def test_what_a_search_needs_in_its_middle_is_missed_before_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int, obstacle: TinynasError, stops: bool
) -> None:
    """But for a board that is only not connected: the search waits for it when it needs it."""

    class Lacking(VirtualTarget):
        def require(self, board: Any) -> None:
            raise obstacle

    def training(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tinynas.pipeline.run._search", training)
    numbers = SHARED_WEIGHTS.make("quick", {"samples": 5})
    asked = replace(REQUEST, effort=numbers, measure_every=every, measure_on="virtual" if every else "")
    with pytest.raises(ToolchainError if stops else KeyboardInterrupt):
        run_search(asked, tmp_path / "run", onto=Onto(Lacking(), 5))


def test_a_deployment_is_made_once_for_each_board_and_number_of_pictures(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = without_building(monkeypatch)
    monkeypatch.setattr(PortTarget, "flash", lambda *_: None)
    for onto in (Onto(VirtualTarget(), 5), Onto(VirtualTarget(), 5), None, Onto(VirtualTarget(), 5)):
        run_search(REQUEST, run, onto=onto)
    assert asked == [5]
    record = run / "deployments" / "stm32f746-virtual.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"optimize": "speed"}))
    run_search(REQUEST, run, onto=Onto(VirtualTarget(), 5))
    assert asked.pop() == 5 and asked == [5], "`tinynas deploy` made that record for another goal"
    run_search(REQUEST, run, onto=Onto(PortTarget("/dev/x"), 5))
    run_search(REQUEST, run, onto=Onto(VirtualTarget(), 9999))
    run_search(REQUEST, run, onto=Onto(VirtualTarget(), 360))
    assert asked == [5, 5, 360]
    assert read_run(run).deployments.keys() == {"stm32f746", "stm32f746-virtual"}


def test_a_board_that_takes_longer_than_asked_is_pointed_at() -> None:
    timed = replace(REQUEST, budget=replace(REQUEST.budget, latency_ms=30.0))
    assert deploy_stage._late({"latency_ms": 30.0}, timed) == ""
    assert deploy_stage._late({"latency_ms": 99.0}, REQUEST) == ""
    assert deploy_stage._late({"latency_ms": None}, timed) == ""
    said = deploy_stage._late({"latency_ms": 30.4}, timed)
    assert "takes 30.4 ms and 30 ms were asked for" in said and "--measure-every" in said
    # a target is weighed, not held
    assert deploy_stage._late({"latency_ms": 31.0}, replace(timed, objective="mnasnet-soft")) == ""


def test_what_is_missing_is_said_before_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Watch(Silent):
        def note(self, text: str) -> None:
            notes.append(text)

    notes: list[str] = []

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tinynas.pipeline.run.choose_space", stop)
    monkeypatch.setattr(
        "tinynas.pipeline.target.choose_environment",
        lambda *_: (_ for _ in ()).throw(ToolchainError("no gcc")),
    )
    small = replace(REQUEST, effort=SHARED_WEIGHTS.make("quick", {"samples": 5}))
    with pytest.raises(KeyboardInterrupt):
        run_search(small, tmp_path / "run", Watch(), Onto(VirtualTarget()))
    assert "could not be deployed: no gcc" in notes[-1]


@pytest.mark.slow
def test_the_command_deploys_a_finished_search(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from test_deploy import needs_board

    if needs_board.args[0]:
        pytest.skip(needs_board.kwargs["reason"])
    words = [*WORDS, "--run", str(run), "--virtual", "--deploy-samples", "3"]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert "done already" in err and "predicted" in out and "3 of 3 samples" in out
    assert main([*words, "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)["deployment"]
    assert "deployed already" in err and (found["samples"], found["wrong_samples"]) == (3, 0)
    assert Path(found["elf"]).is_relative_to(run)
