"""What is said in the viewer's status bar beside what the viewer says itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.components import ViewerModel


class StatusLine:
    """Adds a text to the viewer's status, whatever the viewer says.

    napari finds out the value under the pointer in a thread of its own and sets
    ``viewer.status`` when it has it, so that a status set on mouse moves is gone an instant later.
    Here each status that is set is completed as soon as it is shown, within the same event.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._text = ""
        self._base: str | dict[str, str] = ""
        self._ours: str | dict[str, str] | None = None

    @property
    def text(self) -> str:
        """What is added now; empty for nothing."""
        return self._text

    def say(self, text: str) -> None:
        """Add this text from now on; empty: nothing."""
        if text == self._text:
            return
        if not self._text:
            self._base = self._viewer.status
            # After the window's own slot, which would show the bare status after ours.
            self._viewer.events.status.connect(self._on_status, position="last")
        self._text = text
        if text:
            self._show()
            return
        self._viewer.events.status.disconnect(self._on_status)
        if self._viewer.status == self._ours:
            self._viewer.status = self._base
        self._ours = None

    def _on_status(self, event: Any) -> None:
        if event.value != self._ours:
            self._base = event.value
            self._show()

    def _show(self) -> None:
        self._ours = _joined(self._base, self._text)
        self._viewer.status = self._ours


def _joined(base: str | dict[str, str], text: str) -> str | dict[str, str]:
    """A status with a text behind it: behind the value under the pointer, if there is one."""
    if isinstance(base, str):
        return f"{base} · {text}" if base and base != "Ready" else text
    # Where the image was read from gives way to the tile.
    parts = {**base, "source_type": "", "plugin": ""}
    parts["coordinates"] = " · ".join(part for part in (base.get("coordinates"), text) if part)
    return parts
