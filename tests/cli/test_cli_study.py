"""``tinynas study`` as people call it: one whole small study, and one sentence for each impossible one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tinynas.cli.main import main

SMALL = ["--space", "anynetx-a,regnetx", "--board", "stm32f746", "--sram", "64k", "--networks", "1"]
SMALL += ["--macs", "50k-500k", "--epochs", "0.3", "--pictures", "300", "--held-out", "100", "--rate", "0.05"]


@pytest.mark.slow
def test_a_whole_study_on_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tensorflow")
    folder, plot = tmp_path / "study", tmp_path / "edf.png"
    assert main(["study", *SMALL, "--run", str(folder), "--plot", str(plot), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["done"], shown["networks"], shown["trained"]) == (True, 2, 2)
    assert [space["space"] for space in shown["spaces"]] == ["anynetx-a", "regnetx"]
    assert all(0 < space["error_min"] <= 1 for space in shown["spaces"])
    assert plot.read_bytes().startswith(b"\x89PNG")
    lines = [json.loads(line) for line in (folder / "table.jsonl").read_text().splitlines()]
    for line in lines:
        assert 50_000 <= line["macs"] <= 500_000 and line["sram_bytes"] <= 64 * 1024
        assert not line["diverged"] and line["seconds"] > 0
    assert set(lines[1]["parameters"]) >= {"depth", "initial", "slope", "ratio", "bottleneck", "group_width"}

    # the same again trains nothing; a torn table is mended, and the lost network comes out as it was
    table = (folder / "table.jsonl").read_bytes()
    (folder / "table.jsonl").write_bytes(table.splitlines(keepends=True)[0] + b'{"torn')
    assert main(["study", *SMALL, "--run", str(folder)]) == 0
    capsys.readouterr()
    again = [json.loads(line) for line in (folder / "table.jsonl").read_text().splitlines()]
    assert [line | {"seconds": 0} for line in again] == [line | {"seconds": 0} for line in lines]

    assert main(["study", str(folder), "--plot", str(tmp_path / "all.svg"), "--figure", "properties"]) == 0
    text = capsys.readouterr().out
    assert "2 of 2 networks trained (done)" in text and "best of regnetx: r8x1" in text

    assert main(["study", *SMALL, "--seed", "1", "--run", str(folder)]) == 1
    assert "seed: 0 there, 1 here" in capsys.readouterr().err
    assert main(["show", str(folder)]) == 2
    assert "is a study, not a search" in capsys.readouterr().err


@pytest.mark.slow
def test_a_network_that_diverges_is_tabled_as_the_worst(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorflow")
    words = ["--space", "regnetx", "--board", "stm32f746", "--networks", "1", "--macs", "50k-500k"]
    words += ["--pictures", "200", "--epochs", "2", "--rate", "1e8", "--run", str(tmp_path / "s"), "--json"]
    assert main(["study", *words]) == 0
    (space,) = json.loads(capsys.readouterr().out)["spaces"]
    assert (space["diverged"], space["error_min"], space["n"]) == (1, 1.0, 1)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "name a study to look at, or start one with --space"),
        (["--space", "regnetx"], "a study needs --board"),
        (["--space", "regnetz", "--board", "stm32f746"], "did you mean regnet"),
        (["--space", "mobile", "--board", "stm32f746"], "name one, such as mobile:w0.3"),
        (["--space", "mobile:w7", "--board", "stm32f746"], "mobile has no space w7-r8"),
        (["--space", "regnetx,regnetx", "--board", "stm32f746"], "must name different spaces"),
        (["--space", "regnetx", "--board", "stm32f746", "--macs", "2m"], "is not a range of MACs"),
        (["--space", "regnetx", "--board", "stm32f746", "--macs", "2m-1m"], "write 1m-2m"),
        (["--space", "regnetx", "--board", "stm32f746", "--macs", "1-2x"], "'2x' is not a count"),
        (["--space", "regnetx", "--board", "stm32f746", "--macs", "9g-10g"], "widen --macs"),
        (["--space", "regnetx", "--board", "stm32f746", "--sram", "200"], "the nearest needs"),
        (
            ["--space", "regnetx", "--board", "stm32f746", "--epochs", "0"],
            "--epochs is 0: it must be positive",
        ),
        (
            ["--space", "regnetx", "--board", "stm32f746", "--held-out", "5000"],
            "too few for 0 of --pictures and 5,000",
        ),
        (["--space", "regnetx", "--board", "stm32f746", "--workers", "0"], "--workers is 0"),
        (["--space", "regnetx", "--board", "stm32f746", "--plot", "a.jpg"], "must end in .png or .svg"),
        (["--figure", "pie", "--plot", "a.png"], "'pie' is not one: choose edf"),
        (["absent"], "'absent' is not the folder of a study"),
        (
            ["absent", "-n", "9"],
            "--networks would change nothing, as a study that is there is only",
        ),
        (["absent", "--figure", "edf"], "--figure would change nothing, as nothing is drawn: add --plot"),
        (
            ["--space", "regnetx", "--board", "stm32f746", "--ray", "auto", "--workers", "2"],
            "--workers would change nothing, as the Ray cluster has its own: write --ray local",
        ),
        (["absent", "--run", "other"], "are two folders: name one"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    words: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tinynas.study.sampling.DRAWS", 50)
    assert main(["study", *words]) == 2
    captured = capsys.readouterr()
    last = captured.err.strip().splitlines()[-1]
    assert last.startswith("error (") and sentence in last
    assert captured.out == "" and not list(tmp_path.iterdir())
