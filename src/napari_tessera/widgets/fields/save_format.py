"""File format, compression and type of what is saved."""

from __future__ import annotations

from magicgui.widgets import ComboBox
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QHBoxLayout

from napari_tessera.widgets.fields.form import Form, narrow, offer
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.tips import plain_tip
from napari_tessera.writing.files.formats import FORMATS, NPY, OME_TIFF, OME_ZARR, TIFF, FileFormat

_TIPS = {
    OME_ZARR: "A folder, written chunk by chunk while tiles are made: nothing has to fit in "
    "memory, and a stopped run can be resumed.",
    OME_TIFF: "One file with a pyramid, pixel sizes and channel names, written when all is done.",
    TIFF: "One file that ImageJ opens as a hyperstack, written when all is done.",
    NPY: "NumPy's own file: pixels alone, without pixel sizes or names, written when all is done.",
}
_COMPRESSION_TIP = "Compression. Nothing is lost with any of them."
_NO_COMPRESSION_TIP = "{} is not compressed."


class SaveFormat(QObject):
    """Choosers of format, compression and type, and a line that says when it is written.

    Attributes
    ----------
    changed : Signal()
        Something was chosen.
    format_chosen : Signal()
        It was the format.
    """

    changed = Signal()
    format_chosen = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._dtype = ""
        self.format = ComboBox(
            name="format", choices=[(known.label, known) for known in FORMATS], value=OME_ZARR
        )
        self.compression = ComboBox(name="compression", choices=())
        self.type = ComboBox(
            name="type",
            choices=[("float32", False), ("same as input", True)],
            value=False,
            tooltip="Same as input: rounds and clips, and counts what it clipped.",
        )
        self.when = Message()
        self.message = Message()
        self.compression.native.setAccessibleName("Compression")
        self._show_format()
        self.format.changed.connect(self._on_format)
        self.compression.changed.connect(self._on_other)
        self.type.changed.connect(self._on_other)

    def add_to(self, form: Form) -> None:
        """Add the rows to a form."""
        form.add_row(
            "Format", narrow(self.format.native), narrow(self.compression.native), stretch=None
        )
        row = form.itemAtPosition(form.rowCount() - 1, 1)
        beside = None if row is None else row.layout()
        if isinstance(beside, QHBoxLayout):
            # The names of formats are longer, and are to be read in large letters too.
            beside.setStretch(0, 6)
            beside.setStretch(1, 5)
        form.add_below(self.when)
        form.add_row("Type", narrow(self.type.native))
        form.add_below(self.message)
        # A chooser that gets another parent offers what it was made with.
        self._show_format()

    @property
    def chosen(self) -> FileFormat:
        """The format."""
        known: FileFormat = self.format.value
        return known

    @chosen.setter
    def chosen(self, known: FileFormat) -> None:
        """Choose a format, as the ending of a path does: nobody is told."""
        if known != self.chosen:
            with self.format.changed.blocked():
                self.format.value = known
            self._show_format()

    @property
    def chosen_compression(self) -> str:
        """The compression, one of the format's."""
        return str(self.compression.value)

    @property
    def same_dtype(self) -> bool:
        """Whether the input's type is saved instead of float32."""
        return bool(self.type.value)

    @same_dtype.setter
    def same_dtype(self, same: bool) -> None:
        self.type.value = same

    @property
    def problem(self) -> str:
        """Why the type cannot be saved in the format; empty where it can."""
        dtype = self._dtype if self.same_dtype and self._dtype else "float32"
        try:
            self.chosen.stored_dtype(dtype)
        except (ValueError, TypeError) as error:
            return str(error)
        return ""

    def set_dtype(self, dtype: str) -> None:
        """Tell the input's type; empty where there are several."""
        self._dtype = dtype
        label = f"same as input ({dtype})" if dtype else "same as input"
        offer(self.type, [("float32", False), (label, True)], self.same_dtype)

    def reset(self) -> None:
        """Choose what is chosen at first."""
        self.chosen = OME_ZARR
        self.compression.value = OME_ZARR.default_compression
        self.same_dtype = False

    def refresh(self, saved: bool) -> None:
        """Say when it is written, where there is something to save, and what is wrong."""
        late = saved and not self.chosen.while_running
        self.when.say("Written when all is done." if late else "", "muted")
        self.message.say(self.problem if saved else "")

    def _show_format(self) -> None:
        chosen = self.chosen
        offer(
            self.compression,
            [(name, name) for name in chosen.compressions],
            chosen.default_compression,
        )
        several = len(chosen.compressions) > 1
        self.compression.native.setEnabled(several)
        tip = _COMPRESSION_TIP if several else _NO_COMPRESSION_TIP.format(chosen.label)
        self.compression.native.setToolTip(plain_tip(tip))
        self.format.native.setToolTip(plain_tip(_TIPS[chosen]))

    def _on_format(self) -> None:
        self._show_format()
        self.format_chosen.emit()
        self.changed.emit()

    def _on_other(self) -> None:
        self.changed.emit()
