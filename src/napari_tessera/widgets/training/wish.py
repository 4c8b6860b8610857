"""How a training is told to stop, from another thread."""

from __future__ import annotations

import threading

from napari_tessera.training.stop import Stop


class StopWish(threading.Event):
    """What is to become of a training; set by itself, as napari does at its end, it pauses.

    Once something was wished, nothing else can be: the training may be writing by then.
    """

    def __init__(self) -> None:
        super().__init__()
        self._wished: Stop | None = None
        self._choosing = threading.Lock()

    def __call__(self) -> Stop | None:
        """What `train` asks between steps."""
        return self._wished

    def stop(self, wish: Stop) -> None:
        """Stop the training, and say what becomes of it."""
        with self._choosing:
            if self._wished is None:
                self._wished = wish
        super().set()

    def set(self) -> None:
        """Stop it; what was learned is kept, to go on later."""
        self.stop(Stop.PAUSE)
