"""The error that everything in training raises."""

from __future__ import annotations


class TrainingError(ValueError):
    """A training that cannot begin, or cannot go on.

    Parameters
    ----------
    message : str
        One line naming the value, the limit and the way out.
    field : str
        What it is about: a field of `TrainingSettings`, ``"image"``, ``"target"``, ``"mask"``,
        ``"model_out"``, ``"checkpoint"`` or ``"device"``; empty where it is about none of them.
    """

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field
