"""Options that several commands share, as dataclasses: a parameter of such a class stands for its fields."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_type_hints


def with_option_groups(command: Callable[..., None]) -> Callable[..., None]:
    """`command` with the fields of its dataclass parameters as options, in their place.

    A field is an ``Annotated`` option with a default. The command is given the objects made of them.
    """
    signature = inspect.signature(command)
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hints[name] for name in signature.parameters if is_dataclass(hints.get(name))}
    parameters = list(_flat(signature, hints, groups))

    @functools.wraps(command)
    def wrapper(**values: Any) -> None:
        made = {
            name: group(**{f.name: values.pop(f.name) for f in fields(group)})
            for name, group in groups.items()
        }
        command(**made, **values)

    # typer reads both
    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
    return wrapper


def _flat(
    signature: inspect.Signature, hints: Mapping[str, Any], groups: Mapping[str, Any]
) -> Iterator[inspect.Parameter]:
    for name, parameter in signature.parameters.items():
        if name not in groups:
            yield parameter.replace(annotation=hints[name])
            continue
        own = get_type_hints(groups[name], include_extras=True)
        for field in fields(groups[name]):
            assert field.default is not MISSING, f"{groups[name].__name__}.{field.name} needs a default"
            yield inspect.Parameter(
                field.name, parameter.kind, default=field.default, annotation=own[field.name]
            )
