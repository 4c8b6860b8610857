"""Input and output under the same contrast limits, whichever of them they are changed on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.experimental import link_layers, unlink_layers

from napari_tessera.widgets.compare.related import related_layers

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

LINKED = ("contrast_limits", "gamma")


class ContrastLink:
    """Links contrast limits and gamma of inputs with those of their denoised layers.

    Linking changes no input: where the two differ when they are linked, the output takes the
    input's. Colours have no such limits, and removed noise and flip disagreement have their own.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._pairs: list[tuple[Image, Image, tuple[str, ...]]] = []
        """Input, output, and what of them was linked here (and not by somebody before)."""
        self._on = False
        events: Any = viewer.layers.events
        events.inserted.connect(self._on_layers)
        events.removed.connect(self._on_layers)

    @property
    def on(self) -> bool:
        """Whether outputs are linked with their inputs."""
        return self._on

    def set_on(self, on: bool) -> None:
        """Link what there is and what comes, or unlink all."""
        if on == self._on:
            return
        self._on = on
        self._on_layers()

    def close(self) -> None:
        """Unlink all and listen to the viewer no more."""
        self.set_on(False)
        events: Any = self._viewer.layers.events
        events.inserted.disconnect(self._on_layers)
        events.removed.disconnect(self._on_layers)

    def _on_layers(self, event: object = None) -> None:
        wanted = (
            [
                (found.source, output)
                for found in related_layers(self._viewer.layers)
                for output in found.outputs
                if not (found.source.rgb or output.rgb)
            ]
            if self._on
            else []
        )
        for source, output, names in self._pairs:
            if (source, output) not in wanted and names:
                unlink_layers([source, output], names)
        linked = {(source, output): names for source, output, names in self._pairs}
        self._pairs = [
            (source, output, linked.get((source, output)) or _link(source, output))
            for source, output in wanted
        ]


def _link(source: Image, output: Image) -> tuple[str, ...]:
    """Link two layers, and give what was not linked before."""
    for name in LINKED:
        value = getattr(source, name)
        if getattr(output, name) != value:
            setattr(output, name, value)
    return tuple({key[2] for key in link_layers([source, output], LINKED)})
