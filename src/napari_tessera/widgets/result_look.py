"""How a result is shown, read off its layer and handed to what is saved of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_tessera.widgets.channel_look import ChannelLook, colour_looks, layer_look, set_looks
from napari_tessera.widgets.output_layer import output_name
from napari_tessera.widgets.rgb import Colours
from napari_tessera.writing.places.lock import lock_store
from napari_tessera.writing.stored.stored_run import read_unfinished

if TYPE_CHECKING:
    from napari.layers import Image

_COLOURS = 3


class ResultLook:
    """Name, colour and contrast limits of the output layer of a run, for what is saved.

    Parameters
    ----------
    source : napari.layers.Image
        The input layer.
    """

    def __init__(self, source: Image) -> None:
        self._source = source
        self._look = ChannelLook()
        self.problem = ""
        """Why a store does not say how its image is shown, in one line."""

    def read(self, output: Image | None) -> None:
        """Take note of how the result is shown now. Belongs into the GUI thread.

        A layer that is hidden, as somebody may do to see its input, is visible in what is saved.

        Parameters
        ----------
        output : napari.layers.Image or None
            The output layer; before there is one, it will look like its input.
        """
        look = layer_look((output or self._source).as_layer_data_tuple()[1])
        name = output_name(self._source) if output is None else look.name
        self._look = replace(look, name=name, shown=True)

    def channels(self, colours: Colours | None) -> tuple[ChannelLook, ...]:
        """Looks of the channels of what is saved; a single one is that of all.

        Parameters
        ----------
        colours : Colours, optional
            How the layer's colours are made, where it is rgb. Saved, they have the range of the
            input's data type, in float32 too: that keeps what rounding would lose.
        """
        return (self._look,) if colours is None else colour_looks(colours.source)[:_COLOURS]

    def enter(self, store: Path, fingerprint: str, colours: Colours | None) -> None:
        """Let an OME-Zarr image say how it is shown. Not for the GUI thread.

        Parameters
        ----------
        store : pathlib.Path
            The image; one that is of another run, or being written again, is left alone.
        fingerprint : str
            Of the run's plan.
        colours : Colours, optional
            As for `channels`.
        """
        self.problem = ""
        try:
            with lock_store(store):
                stored = read_unfinished(store)
                if stored is not None and stored.fingerprint == fingerprint:
                    set_looks(store, self.channels(colours))
        except (OSError, ValueError) as error:
            self.problem = str(error)
