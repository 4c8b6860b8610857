from pytestqt.qtbot import QtBot

from napari_tessera.widgets.fields.message import Message, breakable


def test_a_message_takes_no_room_while_it_says_nothing(qtbot: QtBot) -> None:
    message = Message()
    qtbot.addWidget(message)
    assert message.isHidden()
    message.say("57 is odd: use 56 or 58")
    assert not message.isHidden()
    assert (message.message, message.level) == ("57 is odd: use 56 or 58", "error")
    message.say("")
    assert message.isHidden()
    assert (message.message, message.level) == ("", "")


def test_the_level_is_told_without_colour(qtbot: QtBot) -> None:
    message = Message()
    qtbot.addWidget(message)
    starts = set()
    for level in ("error", "warning", "good"):
        message.say("text", level)
        starts.add(message.text()[0])
        assert message.property("level") == level
    assert len(starts) == 3


def test_every_line_of_several_has_its_symbol(qtbot: QtBot) -> None:
    message = Message()
    qtbot.addWidget(message)
    message.say("one\ntwo", "warning")
    assert message.text() == "▲ one\n▲ two"


def test_a_long_path_wraps_instead_of_widening_the_dock(qtbot: QtBot) -> None:
    message = Message()
    qtbot.addWidget(message)
    message.say("/data/" + "very_long_folder_name/" * 20 + "model.pt cannot be loaded")
    assert message.minimumSizeHint().width() < 200
    assert breakable("a/b").replace("\u200b", "") == "a/b"


def test_a_number_stays_in_one_piece() -> None:
    for number in ("0.01", "1e-05", "-3.5", "2024-01-02"):
        assert breakable(f"by {number} px") == f"by {number} px"
    long = "noise_model_a-b_2.5.pt"
    assert breakable(long) == "noise_\u200bmodel_\u200ba-\u200bb_\u200b2.5.pt"


def test_short_names_and_endings_stay_in_one_piece() -> None:
    for text in ("model.pt cannot be loaded", "a checkpoint (.ckpt, .pth)", "read/write"):
        assert breakable(text) == text


def test_the_ending_of_a_file_stays_in_one_piece() -> None:
    for ending in (".ome.zarr", ".ome.tif", ".npy", ".ome.zarr:", ".h5,"):
        assert breakable(f"/data/cells_denoised{ending}") == (
            f"/\u200bdata/\u200bcells_\u200bdenoised{ending}"
        )
    assert breakable("torch.nn.functional.conv2d") == (
        "torch.\u200bnn.\u200bfunctional.\u200bconv2d"
    )


def test_a_name_that_fills_a_line_wraps_before_its_ending() -> None:
    assert breakable(f"/{'a' * 30}.ome.zarr") == f"/\u200b{'a' * 30}\u200b.ome.zarr"
    assert breakable("a" * 30) == "a" * 30
