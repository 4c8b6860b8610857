"""What the question mark tells: the dock's words, and what its readings do not prove."""

from __future__ import annotations

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_tessera.widgets.fields.look import set_property
from napari_tessera.widgets.fields.main_key import WHAT_KEYS_DO, key_text

_LETTERS = 56

TOPICS = (
    (
        "Denoise",
        "The image is cut into tiles, each is denoised by the model and shown as soon as it is "
        "done. The input is never changed; the result is a layer of its own.",
    ),
    (
        "Area",
        "What I see, this slice, this volume, everything, or inside shapes that you draw. Start "
        "small, then click the estimate.",
    ),
    (
        "Live preview",
        "Follows what you look at: after each move, what is on screen is denoised. Finish "
        "everything goes on to a full run.",
    ),
    ("Try a tile", "Click in the image: this tile is denoised, and its time is told."),
    ("Tile size", "Larger is faster and takes more memory."),
    (
        "Overlap (total)",
        "What neighbouring tiles share, half on each side. It has to cover how far the model "
        "looks around each pixel, or seams show.",
    ),
    (
        "Remembered",
        "Model, tile size, overlap, device and scheduler of the last run are there next time, "
        "until Reset (in Advanced).",
    ),
    ("Stop and Continue", "What is done stays. Continue makes the tiles that are missing."),
    (
        "Save and Resume",
        "OME-Zarr is saved while tiles are made: an unfinished one, of another day too, is gone on "
        "with by Resume. OME-TIFF, TIFF and npy are written when all is done. Channels that were "
        "not denoised are copied. Nothing is replaced unasked.",
    ),
    (
        "Run on a cluster",
        "Full runs may be computed by the workers of a Dask scheduler (Advanced, Run on): they "
        "read the image themselves and save to OME-Zarr, which is shown as it comes. What I see, "
        "This slice, Live preview and Try a tile are computed on this computer in any case. Choose "
        "only schedulers that you trust.",
    ),
    (
        "Removed noise",
        "Input − output. It should look like noise: structure in it was taken from your image.",
    ),
    (
        "Flip, split, compare",
        "Hold Flip to see the input in the place of the result; Split puts both on either side of "
        "a line. Compare shows what is in view by several models, side by side.",
    ),
    (
        "Flip disagreement",
        "How much the results differ when what is in view is flipped and turned first. It shows "
        "where the model is unstable, not where it is wrong.",
    ),
    (
        "Check",
        "Intensity kept near 100 % does not prove that small structures are real. No reading "
        "here measures the quality of the result.",
    ),
    (
        "Built-in 2D",
        "Not trained on your sample. Good for a look; for measurements, choose a model that was "
        "trained on images like yours.",
    ),
)


class HelpRow(QWidget):
    """What to know before the first click, and the question mark."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        promise = QLabel("The image is never changed.")
        set_property(promise, "level", "muted")
        promise.setWordWrap(True)
        self.button = QToolButton()
        self.button.setText("?")
        self.button.setToolTip("What the words here mean, and which keys there are.")
        self.button.setAccessibleName("Help")
        self.button.clicked.connect(self._open)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(promise, 1)
        row.addWidget(self.button)

    def _open(self) -> None:
        HelpPopup(self).open_below(self.button)


class HelpPopup(QFrame):
    """A short text that goes away with Escape or a click elsewhere; it scrolls where it is long.

    Parameters
    ----------
    parent : QWidget
        A part of the dock, whose style it takes.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        paragraphs = [f"<p><b>{name}.</b> {text}</p>" for name, text in TOPICS]
        rows = [
            f"<tr><td>{key_text(key)}&nbsp;&nbsp;</td><td>{does}</td></tr>"
            for key, does in WHAT_KEYS_DO
        ]
        paragraphs.append(f"<p><b>Keys.</b></p><table>{''.join(rows)}</table>")
        self.text = QLabel("".join(paragraphs))
        self.text.setWordWrap(True)
        # As many letters in a line at any size of font.
        self.text.setFixedWidth(self.text.fontMetrics().averageCharWidth() * _LETTERS)
        self._area = QScrollArea()
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setWidget(self.text)
        layout = QVBoxLayout(self)
        layout.addWidget(self._area)

    def open_below(self, widget: QWidget) -> None:
        """Show the text below a widget, inside the screen."""
        self.text.adjustSize()
        bar = self._area.verticalScrollBar()
        beside = 0 if bar is None else bar.sizeHint().width()
        self._area.setFixedWidth(self.text.width() + beside)
        screen = widget.screen()
        room = None if screen is None else screen.availableGeometry()
        most = self.text.height() if room is None else int(0.8 * room.height())
        self._area.setFixedHeight(min(self.text.height(), most))
        self.adjustSize()
        corner = widget.mapToGlobal(QPoint(widget.width() - self.width(), widget.height()))
        if room is not None:
            corner.setX(max(room.left(), min(corner.x(), room.right() - self.width())))
            corner.setY(max(room.top(), min(corner.y(), room.bottom() - self.height())))
        self.move(corner)
        self.show()
