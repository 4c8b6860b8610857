"""Why a place cannot be saved to, and what can be done about it."""

from __future__ import annotations

from napari_tessera.prediction import PlanError

BUSY, MISSING, KEPT = "busy", "missing", "kept"
"""Somebody else writes there; its folder is not there; what is there is never replaced."""

PASSING = (BUSY, MISSING)
"""What may be gone without any setting being changed, so that it is looked at again."""


class PlaceError(PlanError):
    """A place that cannot be saved to; its field is ``"save"``.

    Parameters
    ----------
    message : str
        One line naming the place, what is wrong, and the way out.
    kind : str
        `BUSY`, `MISSING`, `KEPT`; empty for anything else.
    """

    def __init__(self, message: str, kind: str = "") -> None:
        super().__init__(message, "save")
        self.kind = kind
