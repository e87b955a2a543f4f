"""Options that change nothing are refused where the user gave them, and only there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from tinynas.cli.idle_options import all_but, refuse_idle
from tinynas.cli.option_groups import with_option_groups


@dataclass(frozen=True)
class Size:
    wide: Annotated[int, typer.Option("--wide", "-w")] = 3
    high: Annotated[int | None, typer.Option("--high")] = None


@with_option_groups
def draw(
    context: typer.Context,
    name: Annotated[str, typer.Argument()],
    size: Size,
    show: Annotated[bool, typer.Option("--show")] = False,
    full: Annotated[bool, typer.Option("--full")] = False,
) -> None:
    if show:
        refuse_idle(context, all_but(context, "name", "show"), "it is only shown")
    else:
        refuse_idle(context, ["full"], "nothing is shown", "add --show")


def refused(*words: str) -> str:
    """What is said of `words`; empty where they are taken."""
    app = typer.Typer()
    app.command()(draw)
    error = CliRunner().invoke(app, list(words)).exception
    return "" if error is None else str(error)


@pytest.mark.parametrize("words", [["a"], ["a", "--wide", "7", "--high", "2"], ["a", "--show"]])
def test_what_has_a_use_or_was_not_given_is_taken(words: list[str]) -> None:
    assert refused(*words) == ""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--full"], "--full would change nothing, as nothing is shown: add --show or leave it out"),
        # with its default, and by its short name
        (["--show", "-w", "3"], "--wide would change nothing, as it is only shown: leave it out"),
        (
            ["--show", "--full", "--high=2", "-w5"],
            "--wide, --high and --full would change nothing, as it is only shown: leave them out",
        ),
    ],
)
def test_what_has_none_is_named(words: list[str], sentence: str) -> None:
    assert refused("a", *words) == sentence
