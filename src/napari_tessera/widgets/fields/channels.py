"""Which channels of an image are denoised."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from magicgui.widgets import ComboBox, LineEdit
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLineEdit, QWidget

from napari_tessera.widgets.fields.form import Form, narrow
from napari_tessera.widgets.fields.look import set_property
from napari_tessera.widgets.fields.typing_rest import TypingRest

ALL, SHOWN, PICK = "All channels", "Channel shown", "Pick channels"


class ChannelsRow(QWidget):
    """Chooser of channels: all, the one on display, or some by their numbers.

    Takes no room where the image has one channel.

    Parameters
    ----------
    shown : callable
        Gives the channel on display; None where there is none.

    Attributes
    ----------
    changed : Signal()
        Other channels were chosen.
    """

    changed = Signal()

    def __init__(self, shown: Callable[[], int | None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown = shown
        self._n_channels = 1
        self.chooser = ComboBox(
            name="channels",
            choices=[ALL, SHOWN, PICK],
            value=ALL,
            tooltip="All channels: those that the area has; What I see has the one on display.\n"
            "Channel shown: the one on display. Pick channels: by number, from 0.\n"
            "Channels that are left out are copied where the result is saved.",
        )
        self.chooser.changed.connect(self._on_chosen)
        self.entry = LineEdit(name="picked", tooltip="Numbers from 0 between commas, like 0,2.")
        self._edit.setAccessibleName("Channels picked")
        self._rest = TypingRest(self)
        self._rest.watch(self._edit)
        self._rest.settled.connect(self._on_typed)
        self.chooser.native.setAccessibleName("Channels")
        # no label: the entries say what they are of, and the column of fields stays straight
        Form(self).add_row("", narrow(self.chooser.native), self._edit, stretch=None)
        self._edit.hide()
        self.hide()

    @property
    def _edit(self) -> QLineEdit:
        native: QLineEdit = self.entry.native
        return native

    @property
    def value(self) -> tuple[int, ...] | None:
        """Channels in ascending order; None for all.

        Raises
        ------
        ValueError
            If what was typed are no channels of the image.
        """
        if self.isHidden() or self.chooser.value == ALL:
            return None
        if self.chooser.value == SHOWN:
            shown = self._shown()
            return None if shown is None else (shown,)
        picked = self._picked()
        return None if len(picked) == self._n_channels else picked

    @property
    def problem(self) -> str:
        """Why what was typed cannot be; empty where it can."""
        try:
            self.value  # noqa: B018
        except ValueError as error:
            return str(error)
        return ""

    @property
    def follows_view(self) -> bool:
        """Whether the value is that of a slider."""
        return not self.isHidden() and self.chooser.value == SHOWN

    def set_count(self, n_channels: int) -> None:
        """Offer so many channels; with one the row goes away."""
        if n_channels == self._n_channels:
            return
        self._n_channels = n_channels
        self.setVisible(n_channels > 1)
        if n_channels == 1 or self.problem:
            self.reset()
        self._edit.setPlaceholderText(f"0…{n_channels - 1}, like 0,{n_channels - 1}")

    def choose(self, channels: Sequence[int] | None) -> bool:
        """Choose channels by number, None for all; gives whether the images have them."""
        if channels is None:
            self.reset()
            return True
        if self.isHidden() or not channels or max(channels) >= self._n_channels:
            return False
        self.entry.value = ",".join(map(str, channels))
        self.chooser.value = PICK
        self._rest.finish()
        return True

    def reset(self) -> None:
        """Take all channels."""
        self.chooser.value = ALL
        self._edit.clear()

    def _picked(self) -> tuple[int, ...]:
        text = str(self.entry.value).strip()
        last = self._n_channels - 1
        way_out = f"give numbers from 0 to {last}, like 0,{last}"
        if not text:
            raise ValueError(f"no channel is picked: {way_out}")
        picked = set()
        for part in text.split(","):
            number = part.strip()
            if not (number.isascii() and number.isdigit()):
                raise ValueError(f"{number or text!r} is no channel: {way_out}")
            if int(number) > last:
                raise ValueError(f"there is no channel {int(number)}: {way_out}")
            picked.add(int(number))
        return tuple(sorted(picked))

    def _on_chosen(self) -> None:
        self._edit.setVisible(self.chooser.value == PICK)
        if self.chooser.value == PICK and not self._edit.text():
            shown = self._shown()
            self._edit.setText(str(shown or 0))
        self._on_typed()

    def _on_typed(self) -> None:
        set_property(self._edit, "wrong", "true" if self.problem else "false")
        self.changed.emit()
