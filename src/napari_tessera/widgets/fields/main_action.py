"""What the one main button says and does, out of the run's state and the settings."""

from __future__ import annotations

from dataclasses import dataclass, replace

from napari_tessera.widgets.request import (
    EVERYTHING,
    INSIDE,
    SLICE,
    TILE,
    VIEW,
    VOLUME,
    RunRequest,
)
from napari_tessera.widgets.run_state import BUSY, PREVIEW, STOPPED, STOPPING

START, STOP, CONTINUE, WAIT, FINISH = "start", "stop", "continue", "wait", "finish"

_DENOISE = {
    VIEW: "Denoise this view",
    SLICE: "Denoise this slice",
    VOLUME: "Denoise this volume",
    INSIDE: "Denoise inside shapes",
    TILE: "Denoise this tile",
    EVERYTHING: "Denoise everything",
}


_FINISH = {
    SLICE: "Finish this slice",
    VOLUME: "Finish this volume",
    EVERYTHING: "Finish everything",
    INSIDE: "Finish inside shapes",
}
"""Areas that a live preview can become a run of."""


@dataclass(frozen=True)
class MainAction:
    """Text of the main button and what a click does.

    Parameters
    ----------
    kind : {"start", "stop", "continue", "wait", "finish"}
        What a click does; nothing under ``"wait"``.
    text : str
        What the button says.
    """

    kind: str
    text: str

    @property
    def symbol(self) -> str:
        """Shape that stands before the text."""
        return "■" if self.kind in (STOP, WAIT) else "►"


def same_run(one: RunRequest | None, other: RunRequest | None) -> bool:
    """Whether two requests would give the same result, whatever is done where a file exists."""
    if one is None or other is None:
        return False
    return _settled(one) == _settled(other)


def main_action(
    state: str,
    area: str,
    request: RunRequest | None,
    last: RunRequest | None,
    *,
    can_resume: bool,
    resumes_saved: bool = False,
) -> MainAction:
    """Decide what the main button says and does.

    Parameters
    ----------
    state : str
        State of the controller.
    area : str
        Area chosen in the dock.
    request, last : RunRequest or None
        What the settings ask for now, and what the last run was asked for.
    can_resume : bool
        Whether the last run can go on.
    resumes_saved : bool, default False
        Whether a run that an earlier session has saved goes on.

    Returns
    -------
    MainAction
        Stop while running; Finish in a live preview; Continue where stopped and nothing was
        changed; Resume where a saved run goes on; Denoise again where the same area of the same
        layers was denoised with other settings; else Denoise, with the area.
    """
    if state == STOPPING:
        return MainAction(WAIT, "Stopping…")
    if state in BUSY:
        return MainAction(STOP, "Stop")
    if state == PREVIEW:
        # What is in view is there already.
        whole = area if area in _FINISH else EVERYTHING
        return MainAction(FINISH, _FINISH[whole])
    if state == STOPPED and can_resume and same_run(request, last):
        return MainAction(CONTINUE, "Continue")
    if resumes_saved:
        return MainAction(START, "Resume")
    if (
        request is not None
        and last is not None
        and (request.layers, request.area) == (last.layers, last.area)
        and not same_run(request, last)
    ):
        return MainAction(START, "Denoise again")
    return MainAction(START, _DENOISE[area])


def _settled(request: RunRequest) -> RunRequest:
    if request.save is None:
        return request
    return replace(request, save=replace(request.save, if_exists="ask"))
