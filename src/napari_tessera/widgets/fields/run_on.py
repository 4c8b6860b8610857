"""Where a run is computed: on this computer, or on a Dask cluster."""

from __future__ import annotations

from functools import partial

from magicgui.widgets import ComboBox
from qtpy.QtCore import QTimer, Signal
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QWidget

from napari_tessera.widgets.cluster.scheduler_look import (
    EXAMPLE,
    SchedulerError,
    SchedulerLook,
    checked_address,
    look_at_scheduler,
)
from napari_tessera.widgets.fields.form import Form, narrow
from napari_tessera.widgets.fields.line_entry import edit_of, line_entry
from napari_tessera.widgets.fields.look import set_property
from napari_tessera.widgets.fields.message import Message
from napari_tessera.widgets.fields.typing_rest import TypingRest
from napari_tessera.widgets.newest_job import NewestJob
from napari_tessera.widgets.worker import Outcome

HERE, CLUSTER = "this computer", "Dask scheduler at"

ASK_AGAIN_MS = 5000
"""How often a scheduler is asked again while its answer is shown."""

_TIP = (
    "Where full runs are computed: here, or by the workers of a Dask scheduler.\n"
    "A cluster needs Save to OME-Zarr, and image and model in files that its workers can open.\n"
    "Previews stay on this computer."
)
_ADDRESS_TIP = (
    f"Address of the scheduler, like {EXAMPLE}; tls:// where Dask's configuration has\n"
    "certificates. Choose only schedulers that you trust: they can run programs here."
)


class RunOnFields(QWidget):
    """A chooser, the scheduler's address, and what the scheduler says.

    Parameters
    ----------
    label_width : int
        Width of the column of labels, px.

    Attributes
    ----------
    changed : Signal()
        Another place was chosen, or an address typed to its end.
    missed : Signal(str)
        The scheduler that was expected does not answer; this computer was chosen instead.
    """

    changed = Signal()
    missed = Signal(str)

    def __init__(self, label_width: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._stays_here = ""
        """The area, where it is one that this computer denoises in any case."""
        self._answer: SchedulerLook | SchedulerError | None = None
        """What is known of the scheduler at the address as it is; None while it is asked."""
        self._expected = ""
        self.chooser = ComboBox(name="run on", choices=[HERE, CLUSTER], tooltip=_TIP)
        self.address = line_entry("scheduler", _ADDRESS_TIP, EXAMPLE, "Address of the scheduler")
        self.message = Message()
        form = Form(self, label_width)
        form.add_row("Run on", narrow(self.chooser.native))
        form.add_below(edit_of(self.address))
        form.add_below(self.message)
        self._rest = TypingRest(self)
        self._rest.watch(edit_of(self.address))
        self._rest.settled.connect(self._on_changed)
        edit_of(self.address).returnPressed.connect(self._ask)
        self.chooser.changed.connect(self._on_changed)
        self._asking = NewestJob("asking a Dask scheduler", self)
        self._asking.finished.connect(self._on_answer)
        self._again = QTimer(self)
        self._again.setInterval(ASK_AGAIN_MS)
        self._again.timeout.connect(self._ask)
        self._show()

    @property
    def is_cluster(self) -> bool:
        """Whether a cluster is chosen, be its address any good or not."""
        return bool(self.chooser.value == CLUSTER)

    @property
    def value(self) -> str:
        """Address of the scheduler; empty for this computer.

        Raises
        ------
        SchedulerError
            If what is typed is no address.
        """
        return checked_address(str(self.address.value)) if self.is_cluster else ""

    @value.setter
    def value(self, address: str) -> None:
        self._set(address or str(self.address.value), CLUSTER if address else HERE)

    @property
    def used(self) -> str:
        """The same, for the area that is chosen: previews are computed on this computer."""
        return "" if self._stays_here else self.value

    @property
    def chosen(self) -> str:
        """What is chosen whatever the area is; empty also where what is typed is no address."""
        try:
            return self.value
        except SchedulerError:
            return ""

    @property
    def problem(self) -> str:
        """Why nothing can run where it is to, as far as it is known; else empty."""
        return "" if self._stays_here else self.wrong

    @property
    def wrong(self) -> str:
        """What is wrong with the scheduler, whether or not it is needed now."""
        try:
            address = self.value
        except SchedulerError as error:
            return str(error)
        failed = isinstance(self._answer, SchedulerError)
        return str(self._answer) if address and failed else ""

    def expect(self, address: str) -> None:
        """Choose a scheduler of before; this computer, where it turns out not to answer."""
        self._expected = address
        self.value = address

    def offer(self, address: str) -> None:
        """Put an address there for somebody to choose; nobody is asked at it."""
        self._set(address, HERE)

    def set_area(self, area: str, *, stays_here: bool) -> None:
        """Tell what is to be denoised, and whether this computer does it in any case."""
        self._stays_here = area if stays_here else ""
        self._show()

    def reset(self) -> None:
        """Run on this computer again."""
        self._set("", HERE)

    def close_down(self) -> None:
        """Ask nobody any more."""
        self._asking.forget()
        self._again.stop()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Keep what is told of the cluster true while it is seen."""
        super().showEvent(event)
        self._again.start()
        if self._answer is not None:
            self._ask()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Leave the scheduler alone, unless the button waits for its answer."""
        super().hideEvent(event)
        if not isinstance(self._answer, SchedulerError):
            self._again.stop()

    def _set(self, address: str, where: str) -> None:
        """Set both fields, and tell of it once."""
        with self.chooser.changed.blocked():
            self.chooser.value = where
        if str(self.address.value) == address:
            self._on_changed()
            return
        self.address.value = address
        self._rest.finish()

    def _on_changed(self) -> None:
        self._answer = None
        self._asking.forget()
        self._ask()
        self._show()
        self.changed.emit()

    def _ask(self) -> None:
        """Ask the scheduler in a thread; what is shown stays until it has answered."""
        if address := self.chosen:
            self._asking.ask(address, partial(look_at_scheduler, address))
        else:
            self._again.stop()

    def _on_answer(self, address: str, outcome: Outcome) -> None:
        before = self.wrong
        if outcome.error is None:
            self._answer = outcome.value
        elif isinstance(outcome.error, SchedulerError):
            self._answer = outcome.error
        else:
            self._answer = SchedulerError(f"{address}: {outcome.error}")
        expected, self._expected = self._expected, ""
        if expected == address and outcome.error is not None:
            # the address stays, for another try
            self.chooser.value = HERE
            self.missed.emit(address)
            return
        if isinstance(self._answer, SchedulerError) or self.isVisible():
            self._again.start()
        else:
            self._again.stop()
        self._show()
        if self.wrong != before:
            self.changed.emit()

    def _show(self) -> None:
        edit = edit_of(self.address)
        edit.setVisible(self.is_cluster)
        wrong = self.wrong
        empty = self.is_cluster and not str(self.address.value).strip()
        set_property(edit, "wrong", "true" if wrong and not empty else "false")
        if wrong:
            self.message.say(wrong, "warning" if self._stays_here else "error")
        elif not self.is_cluster:
            self.message.say("")
        else:
            text, level = self._told()
            here = f"{self._stays_here} is computed on this computer all the same."
            self.message.say(f"{text} {here}" if self._stays_here else text, level)

    def _told(self) -> tuple[str, str]:
        """What the scheduler says, and how good that is."""
        if not isinstance(self._answer, SchedulerLook):
            return "Asking the scheduler…", "muted"
        if self._answer.n_workers == 0:
            return f"No workers yet: start some (dask worker {self.value}).", "warning"
        if self._answer.warning:
            return f"{self._answer.text}; {self._answer.warning}.", "warning"
        return f"{self._answer.text}.", "good"
