"""What can be compared with the settings of the dock: other models, and one setting changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QMenu

from napari_tessera.widgets.fields.sizes import AUTO
from napari_tessera.widgets.fields.tips import plain_tip

if TYPE_CHECKING:
    from napari_tessera.widgets.fields.settings import Settings
    from napari_tessera.widgets.request import RunRequest

TILE_SIZES = (64, 128, 256, 512)
OVERLAPS = (0, 32, 64, 128)
MOST_MODELS = 12
"""Models in the menu; any other is chosen as a file."""

Add = Callable[["RunRequest"], None]


def fill_menu(
    menu: QMenu, settings: Settings, base: RunRequest, add: Add, browse: Callable[[], None]
) -> None:
    """Offer what can be compared.

    Parameters
    ----------
    menu : QMenu
        Is emptied first.
    settings : Settings
        The dock's fields: they know the models, and what can be chosen.
    base : RunRequest
        What is varied.
    add : callable
        Called with the request that was chosen.
    browse : callable
        Called where a model file is to be looked for.
    """
    menu.clear()
    menu.setToolTipsVisible(True)
    models = menu.addMenu("Another model")
    assert models is not None
    models.setToolTipsVisible(True)
    for name, model in settings.model.known.choices()[:MOST_MODELS]:
        if model != base.model or base.channel_models:
            action = models.addAction(name, _adding(add, with_model(base, model)))
            if action is not None:
                action.setToolTip(plain_tip(model))
    models.addAction("File…", browse)
    advanced = settings.advanced
    for title, field, chooser in (
        ("Average over flips", "tta", advanced.joining.flips),
        ("Intensity range", "normalization", advanced.intensity.range),
        ("Joining tiles", "blending", advanced.joining.joining),
    ):
        part = menu.addMenu(title)
        assert part is not None
        for i, value in enumerate(chooser.choices):
            changed: Any = {field: value}
            if value != getattr(base, field):
                part.addAction(chooser.native.itemText(i), _adding(add, replace(base, **changed)))
    _offer_sizes(menu, settings, base, add)


def with_model(base: RunRequest, model: str) -> RunRequest:
    """The same settings with another model, for all channels."""
    return replace(base, model=model, channel_models=())


def _offer_sizes(menu: QMenu, settings: Settings, base: RunRequest, add: Add) -> None:
    # Of volumes nobody can say in one number how large tiles are.
    if settings.tiles.size_entry.letters != "YX":
        return
    for title, field, sizes in (
        ("Tile size", "patch_size", TILE_SIZES),
        ("Overlap", "overlaps", OVERLAPS),
    ):
        part = menu.addMenu(title)
        assert part is not None
        offered: list[tuple[str, Any]] = [(AUTO, AUTO)]
        offered += [(f"{n} × {n}" if field == "patch_size" else str(n), (n, n)) for n in sizes]
        for text, value in offered:
            changed: Any = {field: value}
            if value != getattr(base, field):
                part.addAction(text, _adding(add, replace(base, **changed)))


def _adding(add: Add, request: RunRequest) -> Callable[[], None]:
    def chosen() -> None:
        add(request)

    return chosen
