"""What a training says while it runs: a bar with the losses, JSON lines, or only trouble."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn

from napari_tessera.cli.bars import BarReporter
from napari_tessera.cli.json_lines import JSON_INTERVAL, JsonReporter
from napari_tessera.cli.reporting import Reporter

if TYPE_CHECKING:
    from napari_tessera.training import TrainingPlan, TrainingProgress


class TrainingReporter(Reporter):
    """Speaks plain lines on stderr, and the result on stdout."""

    def begins(self, plan: TrainingPlan) -> None:
        """Say what is about to happen."""

    def trained(self, state: TrainingProgress) -> None:
        """Say how far it is."""

    def stopping(self) -> bytes:
        """What the signal handler writes."""
        return b"\nstopping after the step at work (Ctrl+C again: at once)\n"


class BarTrainingReporter(TrainingReporter, BarReporter):
    """Draws a bar where stderr is a terminal."""

    def _columns(self) -> Sequence[ProgressColumn]:
        return (
            # all of it in 80 columns
            BarColumn(bar_width=12),
            MofNCompleteColumn(),
            TextColumn("{task.fields[losses]}"),
            TextColumn("{task.fields[speed]}", style="dim"),
            TextColumn("{task.fields[left]}"),
        )

    def begins(self, plan: TrainingPlan) -> None:
        """Show the summary, and make the bar as long as the training."""
        if not self._bar.disable:
            for line in plan.summary:
                self._print(self._bar.console, line, "dim")
        fields: dict[str, Any] = dict.fromkeys(("losses", "speed", "left"), "")
        self._task = self._bar.add_task("training", total=plan.settings.steps, **fields)

    def trained(self, state: TrainingProgress) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bar.update(
                self._task,
                completed=state.step,
                total=state.steps,
                losses=losses(state),
                speed=speed(state),
                left="" if state.seconds_left is None else f"{clock(state.seconds_left)} left",
            )


class JsonTrainingReporter(TrainingReporter, JsonReporter):
    """Writes one JSON object per line on stderr, each with an ``"event"``."""

    def begins(self, plan: TrainingPlan) -> None:
        """Event ``planned``."""
        self._event(
            "planned",
            settings=plan.settings.to_json(),
            summary=plan.summary,
            channels=plan.data.channels,
            patches=plan.data.patches,
            statistics=plan.data.statistics.to_json(),
            fingerprint=plan.data.fingerprint,
        )

    def trained(self, state: TrainingProgress) -> None:
        """Event ``progress``, at most ten a second."""
        now = time.monotonic()
        if state.step < state.steps and now - self._last < JSON_INTERVAL:
            return
        self._last = now
        self._event(
            "progress",
            step=state.step,
            steps=state.steps,
            seconds=round(state.seconds, 3),
            seconds_left=_number(state.seconds_left),
            patches_per_second=_number(state.patches_per_second),
            training_loss=_number(state.training_loss),
            validation_loss=_number(state.validation_loss),
            batch_size=state.batch_size,
            learning_rate=state.learning_rate,
        )

    def stopping(self) -> bytes:
        """Event ``stopping``, for the signal handler."""
        return JsonReporter.stopping(self)


def losses(state: TrainingProgress) -> str:
    """``loss 0.482, held out 0.491``: those that are known; empty before the first."""
    known = (("loss", state.training_loss), ("held out", state.validation_loss))
    return ", ".join(f"{name} {value:.3g}" for name, value in known if value is not None)


def speed(state: TrainingProgress) -> str:
    """``812 patches/s``; empty before it can be told."""
    rate = state.patches_per_second
    if rate is None:
        return ""
    return f"{rate:.0f} patches/s" if rate >= 10 else f"{rate:.1f} patches/s"


def clock(seconds: float) -> str:
    """Time as ``0:03:21``."""
    whole = max(0, round(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def _number(value: float | None) -> float | None:
    """A number as JSON has it: neither NaN nor infinite, and no more digits than mean anything."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}")
