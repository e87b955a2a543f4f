"""Options that have no use as a command is called: refused, since who gives one believes in it."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from tinynas.errors import RequestError


def refuse_idle(context: typer.Context, idle: Iterable[str], reason: str, remedy: str = "") -> None:
    """Nothing, unless one of the parameters named `idle` was given, be it with its default.

    `reason` says why they change nothing, `remedy` what would give them a use.

    Raises:
        RequestError: one was given.
    """
    names = set(idle)
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name in names and _is_given(context, parameter.name)
    ]
    if given:
        *others, last = given
        options, them = (f"{', '.join(others)} and {last}", "them") if others else (last, "it")
        instead = f"{remedy} or leave {them} out" if remedy else f"leave {them} out"
        raise RequestError(f"{options} would change nothing, as {reason}: {instead}")


def all_but(context: typer.Context, *used: str) -> set[str]:
    """The names of the command's other parameters."""
    return {parameter.name for parameter in context.command.params if parameter.name} - set(used)


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
