from functools import partial
from typing import Any

from napari import layers
from napari._app_model import get_app_model
from napari.components import ViewerModel
from napari.settings import get_settings
from napari.utils.key_bindings import coerce_keybinding

from napari_tessera.widgets.fields.main_key import KEY, WHAT_KEYS_DO, MainKey, key_text


def test_the_key_works_until_it_is_released() -> None:
    viewer, pressed = ViewerModel(), []
    key = MainKey(viewer, lambda: pressed.append(True))
    viewer.keymap[coerce_keybinding(KEY)](viewer)
    assert pressed == [True]
    key.release()
    key.release()
    assert coerce_keybinding(KEY) not in viewer.keymap


def test_a_key_that_is_somebodys_stays_theirs() -> None:
    viewer, pressed = ViewerModel(), []
    theirs = viewer.bind_key(KEY, lambda viewer: None)
    theirs = viewer.keymap[coerce_keybinding(KEY)]
    key = MainKey(viewer, lambda: pressed.append(True))
    assert not key.is_bound
    key.release()
    assert viewer.keymap[coerce_keybinding(KEY)] is theirs


def test_a_key_that_was_taken_over_since_stays_with_the_new_owner() -> None:
    viewer = ViewerModel()
    key = MainKey(viewer, lambda: None)

    def theirs(viewer: ViewerModel) -> None:
        pass

    viewer.bind_key(KEY, theirs, overwrite=True)
    key.release()
    assert viewer.keymap[coerce_keybinding(KEY)] is theirs


def test_several_keys_are_bound_and_released_each_for_itself() -> None:
    viewer, pressed = ViewerModel(), []
    keys = [MainKey(viewer, partial(pressed.append, key), key) for key, _ in WHAT_KEYS_DO]
    for key, _ in WHAT_KEYS_DO:
        viewer.keymap[coerce_keybinding(key)](viewer)
    assert pressed == [key for key, _ in WHAT_KEYS_DO]
    for key in keys:
        key.release()
    assert not {coerce_keybinding(key) for key, _ in WHAT_KEYS_DO} & set(viewer.keymap)


def test_napari_itself_uses_none_of_the_keys(make_napari_viewer: Any) -> None:
    """Neither for actions that people can set, nor in menus, nor of any sort of layer."""
    make_napari_viewer()
    found = {
        binding for bindings in get_settings().shortcuts.shortcuts.values() for binding in bindings
    }
    for kind in (ViewerModel, *all_layer_kinds()):
        found |= {key for key in kind.class_keymap if key is not Ellipsis}
    found |= {coerce_keybinding(binding.keybinding) for binding in get_app_model().keybindings}
    taken = {str(key) for key in found}
    assert len(taken) > 60
    assert taken & {str(coerce_keybinding(key)) for key, _ in WHAT_KEYS_DO} == set()
    assert "D" in key_text()


def all_layer_kinds() -> list[Any]:
    kinds = [getattr(layers, name) for name in layers.__all__]
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, layers.Layer)]
