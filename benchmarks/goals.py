"""What was wanted, what was measured, and whether that is enough."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Goal:
    """A figure and its goal.

    Parameters
    ----------
    what : str
        What was measured.
    measured, least, most : float
        The figure, and its least and most in the rounds.
    limit : float or None
        The goal; None where there is none.
    at_most : bool
        Whether the figure may be no larger than the limit; else no smaller.
    unit : str
        ``"×"`` for a ratio.
    """

    what: str
    measured: float
    least: float
    most: float
    limit: float | None
    at_most: bool = False
    unit: str = "×"

    @property
    def is_met(self) -> bool | None:
        """None where there is no goal."""
        if self.limit is None:
            return None
        return self.measured <= self.limit if self.at_most else self.measured >= self.limit

    @property
    def row(self) -> str:
        """A row of a table in Markdown."""
        sign = "≤" if self.at_most else "≥"
        goal = "–" if self.limit is None else f"{sign} {self.limit:g} {self.unit}"
        verdict = {None: "–", True: "met", False: "*missed*"}[self.is_met]
        spread = f"{self.least:.3g} to {self.most:.3g}"
        return f"| {self.what} | {goal} | {self.measured:.3g} {self.unit} | {spread} | {verdict} |"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "met": self.is_met}


HEAD = "| what | goal | measured | {} | |\n|---|--:|--:|--:|---|"


def print_goals(goals: Iterable[Goal], over: str = "rounds") -> None:
    """The table; least and most are over rounds, or what is named."""
    print(HEAD.format(over))
    for goal in goals:
        print(goal.row)
