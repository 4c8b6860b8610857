from __future__ import annotations

from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QSizePolicy, QWidget

from napari_tessera.widgets.fields.whole_text import WholeText


def test_words_that_become_more_get_their_room_and_are_cut_where_there_is_none(
    qtbot: QtBot,
) -> None:
    row, label, bar = QWidget(), WholeText(), QProgressBar()
    qtbot.addWidget(row)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
    bar.setMinimumWidth(60)
    layout = QHBoxLayout(row)
    layout.addWidget(bar, 1)
    layout.addWidget(label)
    row.resize(320, 40)
    row.show()
    for text in ("", "1/72 tiles", "18/72 tiles · 42 s left"):
        label.setText(text)
        qtbot.waitUntil(
            lambda text=text: label.width() >= label.fontMetrics().horizontalAdvance(text)
        )
    label.setText("layer 2/3 · 1,000,000/126,000,000 tiles · 12 days left " * 2)
    qtbot.waitUntil(lambda: label._elidedText() != label.text())
    assert bar.width() >= 60
    assert row.width() == 320
