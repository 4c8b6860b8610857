"""What the question mark tells: the dock's words, and what its readings do not prove."""

from __future__ import annotations

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from napari_tessera.widgets.fields.look import set_property

_WIDTH = 340

TOPICS = (
    (
        "Denoise",
        "The image is cut into tiles, each is denoised by the model and shown as soon as it is "
        "done. The input is never changed; the result is a layer of its own.",
    ),
    ("Area", "What I see, this slice, or everything. Start small, then click the estimate."),
    ("Tile size", "Larger is faster and takes more memory."),
    (
        "Overlap (total)",
        "What neighbouring tiles share, half on each side. It has to cover how far the model "
        "looks around each pixel, or seams show.",
    ),
    ("Stop and Continue", "What is done stays. Continue makes the tiles that are missing."),
    (
        "Save and Resume",
        "OME-Zarr is saved while tiles are made: an unfinished one, of another day too, is gone on "
        "with by Resume. OME-TIFF, TIFF and npy are written when all is done. Channels that were "
        "not denoised are copied. Nothing is replaced unasked.",
    ),
    (
        "Removed noise",
        "Input − output. It should look like noise: structure in it was taken from your image.",
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
    """What to know before the first click, and the question mark.

    Parameters
    ----------
    key : str
        Key of the main button.
    """

    def __init__(self, key: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._key = key
        promise = QLabel("The image is never changed.")
        set_property(promise, "level", "muted")
        self.button = QToolButton()
        self.button.setText("?")
        self.button.setToolTip("What the words here mean.")
        self.button.setAccessibleName("Help")
        self.button.clicked.connect(self._open)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(promise, 1)
        row.addWidget(self.button)

    def _open(self) -> None:
        HelpPopup(self._key, self).open_below(self.button)


class HelpPopup(QFrame):
    """A short text that goes away with Escape or a click elsewhere.

    Parameters
    ----------
    key : str
        Key that starts and stops.
    parent : QWidget
        A part of the dock, whose style it takes.
    """

    def __init__(self, key: str, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        paragraphs = [f"<p><b>{name}.</b> {text}</p>" for name, text in TOPICS]
        paragraphs.append(f"<p><b>Key.</b> {key} does what the main button does.</p>")
        self.text = QLabel("".join(paragraphs))
        self.text.setWordWrap(True)
        self.text.setFixedWidth(_WIDTH)
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)

    def open_below(self, widget: QWidget) -> None:
        """Show the text below a widget, inside the screen."""
        self.adjustSize()
        corner = widget.mapToGlobal(QPoint(widget.width() - self.width(), widget.height()))
        screen = widget.screen()
        if screen is not None:
            room = screen.availableGeometry()
            corner.setX(max(room.left(), min(corner.x(), room.right() - self.width())))
            corner.setY(max(room.top(), min(corner.y(), room.bottom() - self.height())))
        self.move(corner)
        self.show()
