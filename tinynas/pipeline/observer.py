"""Who watches a search: told of every stage and step."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Who watches a search: shows bars, or nothing."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def begin(self, stage: str, total: int) -> None:
        """A stage of `total` steps begins."""

    def advance(self, done: int, text: str) -> None:
        """The stage is at step `done`."""

    def end(self) -> None:
        """The stage is over."""


class Silent:
    """Shows nothing."""

    def note(self, text: str) -> None:
        """Ignored."""

    def begin(self, stage: str, total: int) -> None:
        """Ignored."""

    def advance(self, done: int, text: str) -> None:
        """Ignored."""

    def end(self) -> None:
        """Ignored."""
