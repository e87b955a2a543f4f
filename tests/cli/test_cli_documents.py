"""Commands, options and files that the documents name exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from tinynas.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "firmware/README.md")
#: a line of a listing, or words in a sentence
COMMAND = re.compile(r"^\s*(?:\$ )?tinynas ([^\n#]*)|`tinynas ([^`\n]*)`", re.MULTILINE)
FILE = re.compile(r"\b(?:benchmarks|tests|tinynas|firmware|docs|boards)/[\w./-]+\.(?:py|c|h|md|json|png)\b")
#: made, never committed
MADE = re.compile(r"boards/ID\.json")


def lines(document: str) -> list[list[str]]:
    """Words of every command of ours in `document`, where they are ones to type."""
    text = (ROOT / document).read_text(encoding="utf-8").replace("\\\n", " ")
    found = [(match[1] or match[2]).strip() for match in COMMAND.finditer(text)]
    return [line.split() for line in found if line and not set(line) & set("|[<>&")]


def unknown(words: list[str]) -> list[str]:
    """What there is none of: a command, or its options."""
    command: Any = typer.main.get_command(app)
    left = list(words)
    while left and hasattr(command, "commands") and not left[0].startswith("-"):
        name = left.pop(0)
        if name not in command.commands:
            return [name]
        command = command.commands[name]
    options = {option for parameter in command.params for option in (*parameter.opts, "--help")}
    return [word for word in left if word.startswith("--") and word.split("=")[0] not in options]


def test_an_option_that_does_not_exist_is_found() -> None:
    assert unknown(["search", "--board", "b", "--sram", "1k"]) == []
    assert unknown(["search", "--bord", "b"]) == ["--bord"] and unknown(["serach"]) == ["serach"]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_of_a_document_exists(document: str) -> None:
    assert (
        lines(document)
        and {" ".join(words): unknown(words) for words in lines(document) if unknown(words)} == {}
    )


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_a_document_names_exists(document: str) -> None:
    named = set(FILE.findall((ROOT / document).read_text(encoding="utf-8")))
    assert [file for file in named if not MADE.match(file) and not list(ROOT.glob(file))] == []
