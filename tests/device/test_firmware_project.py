"""Where firmware is built: in the checkout, or in a copy of what a wheel carries."""

from __future__ import annotations

from pathlib import Path

import pytest

import tinynas
from tinynas.device import project
from tinynas.device.project import find_project
from tinynas.errors import ToolchainError


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a wheel carries of the project; the home folder is empty."""
    folder = tmp_path / "site" / "_project"
    (folder / "firmware" / "src").mkdir(parents=True)
    (folder / "platformio.ini").write_text("[platformio]\n")
    (folder / "firmware" / "src" / "main.c").write_text("int main;\n")
    monkeypatch.setattr(project, "carried", lambda: folder)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return folder


def test_a_checkout_is_its_own_project() -> None:
    assert find_project() == Path(__file__).resolve().parents[2]


def test_a_wheels_project_is_copied_once_for_each_version(wheel: Path, tmp_path: Path) -> None:
    made = find_project()
    assert made.parent == tmp_path / "home" / ".cache" / "tinynas"
    assert (made / "firmware" / "src" / "main.c").read_text() == "int main;\n"
    # PlatformIO's scripts import the very package from there
    assert (made / "tinynas" / "board.py").samefile(Path(tinynas.__file__).parent / "board.py")
    (made / "firmware" / "lib").mkdir()
    assert find_project() == made and (made / "firmware" / "lib").is_dir()
    (wheel / "firmware" / "src" / "main.c").write_text("int other;\n")
    newer = find_project()
    assert newer != made and (newer / "firmware" / "src" / "main.c").read_text() == "int other;\n"
    assert {each.name for each in made.parent.iterdir()} == {made.name, newer.name}


def test_a_home_that_takes_nothing_is_told(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(ToolchainError, match=r"cannot be laid out in .*make room, or mend its permissions"):
        find_project()
