"""What the dock says of trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_tessera.widgets.fields.text import duration_text

if TYPE_CHECKING:
    from napari_tessera.training import TrainingProgress


def steps_text(steps: int) -> str:
    """``"4,000 steps"``."""
    return f"{steps:,} {'step' if steps == 1 else 'steps'}"


def progress_text(progress: TrainingProgress) -> str:
    """How far a training is: ``"1,200/4,000 · 6 min left"``."""
    told = f"{progress.step:,}/{progress.steps:,}"
    if progress.seconds_left is None:
        return told
    return f"{told} · {duration_text(progress.seconds_left)} left"


def progress_tip(progress: TrainingProgress) -> str:
    """More of the same, for a tooltip."""
    lines = [f"{steps_text(progress.step)} of {progress.steps:,}"]
    if progress.patches_per_second is not None:
        lines.append(f"{progress.patches_per_second:,.0f} patches/s")
    lines.append(f"batch {progress.batch_size}, learning rate {progress.learning_rate:.2g}")
    if progress.training_loss is not None:
        lines.append(f"training loss {progress.training_loss:.4g}")
    if progress.validation_loss is not None:
        lines.append(f"validation loss {progress.validation_loss:.4g}")
    return "\n".join(lines)


def about_text(seconds: float | None) -> str:
    """What a length takes: ``"about 12 min"``; empty where nothing was measured yet."""
    return "" if seconds is None else f"about {duration_text(seconds)}"


def trained_text(name: str, progress: TrainingProgress | None) -> str:
    """What was done: ``"Trained 4,000 steps in 12 min: cells_n2v is in the list of models"``."""
    if progress is None:
        return f"Trained: {name} is in the list of models"
    of = f" of {progress.steps:,}" if progress.step < progress.steps else ""
    done = f"{steps_text(progress.step)}{of} in {duration_text(progress.seconds)}"
    return f"Trained {done}: {name} is in the list of models"


def others_text(old: str, new: str) -> str:
    """Why a training that was stopped does not go on, and what is made instead."""
    return (
        f"The training of {old} was on another image, clean layer, mask or part: it is kept, and "
        f"Train makes {new}"
    )


def paused_text(progress: TrainingProgress | None) -> str:
    """What is kept of a training that was stopped."""
    if progress is None:
        return "Stopped before the first step"
    return f"Stopped after {steps_text(progress.step)} of {progress.steps:,}; they are kept"
