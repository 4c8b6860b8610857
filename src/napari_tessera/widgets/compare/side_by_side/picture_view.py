"""Pictures that are looked at through the same window: zoomed and moved together."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPixmap,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from qtpy.QtWidgets import (
    QFrame,
    QGraphicsPixmapItem,
    QGraphicsScene,
    QGraphicsView,
    QSizePolicy,
    QWidget,
)

STEP = 1.2
"""Zoom by one notch of the wheel."""

SMALLEST, LARGEST = 0.05, 64.0
"""Screen pixels for a pixel's width."""

SMALLEST_SIDE = 180
"""Least width and height of a picture, px."""

KEY_MOVE = 40
"""Screen pixels that an arrow key moves the picture by."""

_NOTCH = 120
_ZOOMS: dict[int, int] = {Qt.Key.Key_Plus: 1, Qt.Key.Key_Equal: 1, Qt.Key.Key_Minus: -1}
_MOVES: dict[int, tuple[int, int]] = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


@dataclass(frozen=True)
class Sight:
    """What of a picture is looked at.

    Parameters
    ----------
    zoom : float
        Screen pixels for a pixel's width.
    x, y : float
        The picture's point in the middle, in pixel widths.
    """

    zoom: float
    x: float
    y: float


class PictureView(QGraphicsView):
    """One picture. The wheel zooms around the mouse, dragging moves, a double click shows it all.

    Attributes
    ----------
    moved : Signal(object)
        The person looks elsewhere: the new `Sight`.
    """

    moved = Signal(object)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = QGraphicsScene(self)
        self.setScene(self._scene)
        self._item = QGraphicsPixmapItem()
        self._scene.addItem(self._item)
        self._sight = Sight(1.0, 0.0, 0.0)
        self._dragged: QPointF | None = None
        self.setAccessibleName(name)
        self.setFrameShape(QFrame.Shape.NoFrame)
        for hide in (self.setHorizontalScrollBarPolicy, self.setVerticalScrollBarPolicy):
            hide(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(SMALLEST_SIDE, SMALLEST_SIDE)
        self.setCursor(Qt.CursorShape.OpenHandCursor)

    def sizeHint(self) -> QSize:
        """No more than it needs: the scene, which Qt would go by, reaches far around it."""
        return QSize(SMALLEST_SIDE, SMALLEST_SIDE)

    @property
    def sight(self) -> Sight:
        """What is looked at."""
        return self._sight

    @property
    def picture(self) -> QImage:
        """The picture; a null image before there is one."""
        return self._item.pixmap().toImage()

    def set_picture(self, picture: QImage, aspect: float) -> None:
        """Show a picture.

        Parameters
        ----------
        picture : QImage
            The picture.
        aspect : float
            Height of its pixels over their width.
        """
        self._item.setPixmap(QPixmap.fromImage(picture))
        self._item.setTransform(QTransform.fromScale(1, aspect))
        size = self._item.sceneBoundingRect().size()
        # room around it, so that any point of it can be moved to the middle
        self._scene.setSceneRect(
            QRectF(-10 * size.width(), -10 * size.height(), 21 * size.width(), 21 * size.height())
        )
        self._apply()

    def whole(self) -> Sight:
        """The sight that shows all of the picture."""
        rect = self._item.sceneBoundingRect()
        room = self.contentsRect()
        if rect.isEmpty() or room.isEmpty():
            return self._sight
        zoom = min(room.width() / rect.width(), room.height() / rect.height())
        return Sight(_within(zoom), rect.center().x(), rect.center().y())

    def first_sight(self) -> Sight:
        """All of a small picture; of a large one the middle, each pixel as large as the screen's.

        Noise that is averaged away by showing fewer pixels than there are cannot be compared.
        """
        whole = self.whole()
        return Sight(max(1.0, whole.zoom), whole.x, whole.y)

    def look_at(self, sight: Sight) -> None:
        """Look elsewhere, telling nobody."""
        self._sight = sight
        self._apply()

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Zoom around the mouse."""
        if event is None:
            return
        before = self._sight
        zoom = _within(before.zoom * STEP ** (event.angleDelta().y() / _NOTCH))
        off = event.position() - self._middle()
        grown = 1 / before.zoom - 1 / zoom
        self._go(Sight(zoom, before.x + off.x() * grown, before.y + off.y() * grown))
        event.accept()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Take hold of the picture."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self._dragged = event.position()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Move it."""
        if event is None or self._dragged is None:
            return
        off = event.position() - self._dragged
        self._dragged = event.position()
        at = self._sight
        self._go(Sight(at.zoom, at.x - off.x() / at.zoom, at.y - off.y() / at.zoom))

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Let go of it."""
        self._dragged = None
        self.setCursor(Qt.CursorShape.OpenHandCursor)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Plus and minus zoom, arrows move, 0 shows all of it."""
        if event is None:
            return
        at, key = self._sight, event.key()
        if key in _ZOOMS:
            self._go(Sight(_within(at.zoom * STEP ** _ZOOMS[key]), at.x, at.y))
        elif key in _MOVES:
            across, down = (part * KEY_MOVE / at.zoom for part in _MOVES[key])
            self._go(Sight(at.zoom, at.x + across, at.y + down))
        elif key == Qt.Key.Key_0:
            self._go(self.whole())
        else:
            event.ignore()

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """Show all of it."""
        self._go(self.whole())

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Keep the same point in the middle."""
        super().resizeEvent(event)
        self._apply()

    def _middle(self) -> QPointF:
        return QPointF(self.viewport_size.width() / 2, self.viewport_size.height() / 2)

    @property
    def viewport_size(self) -> QRectF:
        """Size of what the picture is drawn on, px."""
        viewport = self.viewport()
        return QRectF() if viewport is None else QRectF(viewport.rect())

    def _go(self, sight: Sight) -> None:
        self.look_at(sight)
        self.moved.emit(sight)

    def _apply(self) -> None:
        at = self._sight
        smooth = at.zoom < 1
        self._item.setTransformationMode(
            Qt.TransformationMode.SmoothTransformation
            if smooth
            else Qt.TransformationMode.FastTransformation
        )
        self.setTransform(QTransform.fromScale(at.zoom, at.zoom))
        self.centerOn(QPointF(at.x, at.y))


def _within(zoom: float) -> float:
    return min(max(zoom, SMALLEST), LARGEST)
