"""What a run says as JSON, one line an event: for workflow engines and other programs."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from napari_tessera.cli.reporting import Reporter, describe

if TYPE_CHECKING:
    from napari_tessera import prediction
    from napari_tessera.prediction.several import FileEntry, FilesProgress, Found

JSON_INTERVAL = 0.1
"""Seconds between progress lines, so that 100,000 tiles do not make 100,000 lines."""


class JsonReporter(Reporter):
    """Writes one JSON object per line on stderr, each with an ``"event"``."""

    def __init__(self, *, debug: bool = False) -> None:
        super().__init__(debug=debug)
        self._last = 0.0

    def planned(self, plan: prediction.PredictionPlan) -> None:
        """Event ``planned``."""
        self._event(
            "planned",
            tiles=plan.total_tiles,
            skipped=plan.tiles.n_tiles - plan.total_tiles,
            patch_size=plan.patch_size,
            overlaps=plan.overlaps,
            output_bytes=plan.output_bytes,
            fingerprint=plan.fingerprint,
        )

    def progress(self, state: prediction.Progress) -> None:
        """Event ``progress``, at most ten a second; called from the engine's threads."""
        self._progress(state)

    def images(self, found: Sequence[Found], folder: str) -> None:
        """Event ``images``."""
        wanted = sum(not image.problem for image in found)
        self._event("images", output=folder, found=len(found), images=wanted)

    def image(self, number: int, total: int, entry: FileEntry) -> None:
        """Event ``image``: one of several begins, or is over."""
        self._event(
            "image",
            number=number,
            images=total,
            source=entry.source,
            output=entry.output,
            state=entry.state,
            message=entry.message,
            warnings=entry.warnings,
            tiles_done=entry.tiles_done,
            tiles=entry.tiles,
            seconds=entry.seconds,
        )

    def of_images(self, state: FilesProgress) -> None:
        """Event ``progress`` of one of several images; called from the engine's threads."""
        if state.tiles is not None:
            left = state.seconds_left
            self._progress(
                state.tiles,
                number=state.number,
                images=state.total,
                source=state.source,
                seconds_left=None if left is None else round(left, 1),
            )

    def estimated(self, facts: Mapping[str, Any], text: str) -> None:
        """Event ``estimate``, and the lines on stdout."""
        self._event("estimate", **facts)
        super().estimated(facts, text)

    def _progress(self, state: prediction.Progress, **facts: Any) -> None:
        now = time.monotonic()
        if state.done < state.total and (not state.finished or now - self._last < JSON_INTERVAL):
            return
        self._last = now
        self._event(
            "progress",
            done=state.done,
            total=state.total,
            seconds=round(state.seconds, 3),
            pixels=state.pixels,
            stage_seconds={name: round(busy, 3) for name, busy in state.stage_seconds.items()},
            absent_chunks=state.absent_chunks,
            notices=state.notices,
            **facts,
        )

    def finished(self, text: str, **facts: Any) -> None:
        """Event ``finished``, and the line on stdout."""
        self._event("finished", **facts)
        super().finished(text)

    def error(self, error: BaseException) -> None:
        """Event ``error``, with the traceback under debug."""
        extra = {"traceback": "".join(traceback.format_exception(error))} if self._debug else {}
        self._event("error", message=describe(error), **extra)

    def stopped(self, message: str, **facts: Any) -> None:
        """Event ``stopped``."""
        self._event("stopped", message=message, **facts)

    def stopping(self) -> bytes:
        """Event ``stopping``, for the signal handler."""
        return b'{"event": "stopping"}\n'

    def ended(self, message: str) -> bytes:
        """Event ``stopped``, for the signal handler."""
        return json.dumps({"event": "stopped", "message": message}).encode() + b"\n"

    def _warn(self, line: str) -> None:
        self._event("warning", message=line)

    def _event(self, event: str, **facts: Any) -> None:
        text = json.dumps({"event": event, **facts}) + "\n"
        with self._lock:
            sys.stderr.write(text)
            sys.stderr.flush()
