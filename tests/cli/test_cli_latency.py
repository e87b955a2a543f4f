"""What the command line says of time: `cost` by layer, and requests that `profile` refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tinynas.cli.main import main

NETWORK = "mcunet-in0"
BOARDS = Path(__file__).resolve().parents[2] / "boards"


def test_cost_tells_the_time_of_every_layer(capsys: pytest.CaptureFixture[str]) -> None:
    """They add up to the whole, whose label says how it is known."""
    assert main(["cost", NETWORK, "--board", "stm32f746", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    times = [operator["latency_ms"] for operator in told["operators"]]
    assert sum(times) == pytest.approx(told["latency_ms"])
    assert "modelled" in told["latency_label"]
    assert main(["cost", NETWORK, "--board", "stm32f746"]) == 0
    printed = capsys.readouterr().out
    assert "time" in printed
    assert f"{times[0]:.4g} ms" in printed


def test_cost_is_silent_about_times_nobody_knows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Under another runtime, and on a core that no calibration is of."""
    manifest = json.loads((BOARDS / "rp2040.json").read_text())
    manifest["build"]["cpu"] = manifest["tinynas"]["core"] = "cortex-m33"
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps(manifest))
    assert main(["search", "--board", str(mine), "--latency", "30ms"]) == 2
    said = capsys.readouterr().err
    assert "how long networks take on mine is not known yet: run `tinynas profile --board mine`" in said
    for options in (["--board", "stm32f746", "--runtime", "tflm"], ["--board", str(mine)]):
        assert main(["cost", NETWORK, *options, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["latency_ms"] is None
        assert {operator["latency_ms"] for operator in told["operators"]} == {None}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--board", "stm32f746", "--virtual", "--port", "x"], "--virtual and --port name two boards"),
        (["--board", "stm32f747", "--virtual"], "did you mean stm32f746"),
        (["--board", "nrf52840", "--virtual"], "nrf52840"),
        (["--board", "stm32f746", "--optimize", "fun"], "'ram', 'balanced', 'speed'"),
    ],
)
def test_profile_refuses_in_a_sentence(
    words: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """And makes nothing."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert main(["profile", *words]) != 0
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())
