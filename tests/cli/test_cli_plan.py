"""``tinynas plan``: what it prints and draws, and how it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tinynas.cli.main import main


def test_a_published_network_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "mcunet-in0"]) == 0
    text = capsys.readouterr().out
    assert "16.5 KiB (16,896 B), inputs and outputs included" in text
    assert "tn_depthwise" in text
    assert "proven by replaying" in text


def test_json_is_one_object(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture = tmp_path / "plan.svg"
    assert main(["plan", "mcunet-in1", "--json", "--plot", str(picture)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["arena_bytes"] == 30_776
    assert found["tflm_head_bytes"] == 92_160
    operators = [index for group in found["groups"] for index in group["operators"]]
    assert operators == list(range(len(found["operators"])))
    assert max(group["bytes"] for group in found["groups"]) == found["bound_bytes"]
    assert picture.stat().st_size > 5000


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["plan", "nothing.tflite"], "cannot be read"),
        (["plan", "mcunet-in9"], "mcunet-in"),
        (["plan", "mcunet-in0", "--plot", "x.jpg"], "must end in .png or .svg"),
    ],
)
def test_bad_requests_get_one_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) != 0
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_a_damaged_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "broken.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3" + b"\xff" * 64)
    assert main(["plan", str(path)]) == 2
    assert "broken.tflite is damaged" in capsys.readouterr().err
