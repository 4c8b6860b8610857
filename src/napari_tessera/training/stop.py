"""What is to become of a training that is stopped before its end."""

from __future__ import annotations

from enum import StrEnum


class Stop(StrEnum):
    """What is to become of a training that is stopped before its end."""

    USE = "use"
    """The model is written, with the weights so far."""

    PAUSE = "pause"
    """Only the checkpoint is written; the training can be resumed."""
