"""How far a training is, and what it came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class TrainingProgress:
    """Where a training stands; given to the progress callback in the training's thread.

    Parameters
    ----------
    step, steps : int
        Steps done, those before a resume included, and steps in all.
    seconds : float
        Time spent, that before a resume included.
    seconds_left : float or None
        Time that the missing steps take at the speed of the last ones; None before it can be
        told.
    patches_per_second : float or None
        Speed of the last steps; None before it can be told.
    training_loss : float or None
        Mean over the last steps, older ones counting less; None before the first step.
    validation_loss : float or None
        The last one measured, of the averaged weights; None where there was none yet.
    batch_size : int
        Patches that go through the network at once; smaller than asked for where memory ran out.
    learning_rate : float
        Of the next step.
    notice : str or None
        Something new that people should know, in one line: said once.
    """

    step: int
    steps: int
    seconds: float
    seconds_left: float | None
    patches_per_second: float | None
    training_loss: float | None
    validation_loss: float | None
    batch_size: int
    learning_rate: float
    notice: str | None = None


Loss = tuple[int, float, float | None]
"""A step, the mean training loss since the entry before, and the validation loss where measured."""


@dataclass(frozen=True)
class TrainingResult:
    """What a training came to.

    Parameters
    ----------
    network : torch.nn.Module
        The averaged weights, in evaluation mode, on the CPU: those of the last step. Where the
        training is through, those with the least validation loss instead, if that is below the
        last one's by more than two standard errors of their difference over the patches: the best
        of many by less is the luckiest.
    losses : tuple of (int, float, float or None)
        The curve: step, training loss, validation loss.
    step : int
        Steps done.
    network_step : int
        The step that the network is of.
    stopped : {"finished", "early", "cancelled"}
        Why it ended: all steps are done, validation found no gain any more, or it was cancelled.
    seconds : float
        Time spent, that before a resume included.
    notices : tuple of str
        What was said on the way.
    """

    network: nn.Module
    losses: tuple[Loss, ...]
    step: int
    network_step: int
    stopped: str
    seconds: float
    notices: tuple[str, ...] = ()
