"""Why a torch.export program is not loaded."""

from __future__ import annotations

EXPORT_AGAIN = (
    "Export it again: torch.export.save(torch.export.export(net.eval(), (example,)), 'net.pt2')"
)


class RefusedProgramError(ValueError):
    """What a torch.export program carries that is not loaded: why, and the way out."""

    def __init__(self, why: str, way_out: str = EXPORT_AGAIN) -> None:
        super().__init__(why)
        self.way_out = way_out
