"""The images that were found, one a line: what each is, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt

from napari_tessera.prediction.several import FileEntry, Found, Report
from napari_tessera.prediction.several.report import (
    DONE,
    FAILED,
    RUNNING,
    SKIPPED,
    STOPPED,
    WAITING,
)
from napari_tessera.widgets.fields.text import duration_text, image_summary
from napari_tessera.widgets.fields.tips import plain_tip

HEADERS = ("Image", "Axes, size, type", "State")

_MARKS = {DONE: "●", FAILED: "✕", SKIPPED: "–", STOPPED: "‖", RUNNING: "▶", WAITING: ""}


class FilesTable(QAbstractTableModel):
    """Images and their states, for a view; thousands cost no more than those that are seen."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.images: tuple[Found, ...] = ()
        self._entries: tuple[FileEntry, ...] = ()

    def show_images(self, images: Sequence[Found]) -> None:
        """Show other images; nothing became of any yet."""
        self.beginResetModel()
        self.images = tuple(images)
        self._entries = ()
        self.endResetModel()

    def show_report(self, report: Report | None) -> None:
        """Show what became of the images so far; None: nothing yet."""
        before, now = self._entries, () if report is None else report.entries
        if before is now or len(now) not in (0, len(self.images)):
            return
        self._entries = now
        changed = [
            row
            for row in range(len(self.images))
            if not (before and now) or before[row] is not now[row]
        ]
        if changed:
            last = len(HEADERS) - 1
            self.dataChanged.emit(self.index(changed[0], last), self.index(changed[-1], last))

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Number of images."""
        return 0 if parent is not None and parent.isValid() else len(self.images)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Number of columns."""
        return 0 if parent is not None and parent.isValid() else len(HEADERS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Names of the columns."""
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return HEADERS[section]
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text and tooltip of a cell."""
        image = self.images[index.row()]
        entry = self._entries[index.row()] if self._entries else None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(image, entry, index.column())
        if role == Qt.ItemDataRole.ToolTipRole:
            lines = [image.source]
            if entry is not None and entry.output:
                lines.append(f"→ {entry.output}")
            lines += [text for text in (state_text(image, entry), *_warnings(entry)) if text]
            return plain_tip("\n".join(lines))
        return None

    def _text(self, image: Found, entry: FileEntry | None, column: int) -> str:
        if column == 0:
            return str(image.relative)
        if column == 1:
            return image_summary(image.axes, image.shape, image.dtype) if image.axes else ""
        mark = _MARKS[entry.state] if entry is not None else "–" if image.problem else ""
        return f"{mark} {state_text(image, entry)}".strip()


def state_text(image: Found, entry: FileEntry | None) -> str:
    """What became of an image, in a few words; empty where nothing yet."""
    if entry is None:
        return f"left out: {_short(image, image.problem)}" if image.problem else ""
    if entry.state == DONE:
        took = "" if not entry.seconds else f" in {duration_text(entry.seconds)}"
        return f"done{took}{f': {entry.message}' if entry.message else ''}"
    if entry.state == STOPPED:
        return f"stopped: {entry.tiles_done:,} of {entry.tiles:,} tiles are saved"
    if entry.state == WAITING:
        return ""
    if entry.state == RUNNING:
        return "running"
    what = "failed" if entry.state == FAILED else "left out"
    return f"{what}: {_short(image, entry.message)}" if entry.message else what


def _short(image: Found, message: str) -> str:
    """A message without the path that stands in the line already."""
    return message.replace(image.source, image.relative.name)


def _warnings(entry: FileEntry | None) -> tuple[str, ...]:
    return () if entry is None else tuple(f"▲ {warning}" for warning in entry.warnings)
