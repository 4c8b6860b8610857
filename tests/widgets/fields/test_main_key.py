from napari.components import ViewerModel
from napari.utils.key_bindings import coerce_keybinding

from napari_tessera.widgets.fields.main_key import KEY, MainKey, key_text


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


def test_napari_itself_does_not_use_the_key() -> None:
    from napari.settings import get_settings

    taken = {
        str(binding)
        for bindings in get_settings().shortcuts.shortcuts.values()
        for binding in bindings
    }
    assert str(coerce_keybinding(KEY)) not in taken
    assert "D" in key_text()
