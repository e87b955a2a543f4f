"""Options as fields of a dataclass: they reach the command as one object, given or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from tinynas.cli.option_groups import with_option_groups


@dataclass(frozen=True)
class Size:
    wide: Annotated[int, typer.Option("--wide", min=1)] = 3


@dataclass(frozen=True)
class Box(Size):
    high: Annotated[int | None, typer.Option("--high")] = None


seen: list[tuple[str, Box, bool]] = []


@with_option_groups
def draw(
    name: Annotated[str, typer.Argument()], box: Box, full: Annotated[bool, typer.Option("--full")] = False
) -> None:
    seen.append((name, box, full))


def run(*words: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(draw)
    seen.clear()
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, result.output


def test_fields_of_a_group_and_of_its_base_are_options_with_their_defaults() -> None:
    assert run("a")[0] == 0 and seen == [("a", Box(), False)]
    assert run("a", "--high", "7", "--full", "--wide", "5")[0] == 0
    assert seen == [("a", Box(wide=5, high=7), True)]


def test_an_option_of_a_group_keeps_its_bounds() -> None:
    status, output = run("a", "--wide", "0")
    assert status == 2 and not seen and "--wide" in output
