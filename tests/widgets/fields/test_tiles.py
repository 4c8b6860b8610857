import pytest
from pytestqt.qtbot import QtBot

from napari_tessera.prediction.advice import overlap_warnings
from napari_tessera.widgets.fields.tiles import TilesSection, is_about_overlap


@pytest.fixture
def tiles(qtbot: QtBot) -> TilesSection:
    section = TilesSection()
    qtbot.addWidget(section)
    section.show()
    return section


def planned(tiles: TilesSection, patch: tuple[int, ...] = (256, 256), overlap: int = 56) -> None:
    tiles.show_plan(
        "YX",
        patch,
        (overlap, overlap),
        (26, 26),
        auto_size=tiles.patch_size == "auto",
        auto_overlap=tiles.overlaps == "auto",
    )


def test_the_header_tells_what_auto_came_to(tiles: TilesSection) -> None:
    assert tiles.summary == "auto"
    planned(tiles)
    assert tiles.summary == "256×256, overlap 56 (auto)"
    assert tiles.note.message == "28 px each side. The model looks 26 px around each pixel."


def test_the_header_tells_which_of_them_is_auto(tiles: TilesSection) -> None:
    tiles.patch_size = (128, 128)
    planned(tiles, (128, 128))
    assert tiles.summary == "128×128, overlap 56 (auto)"
    tiles.patch_size, tiles.overlaps = "auto", (60, 60)
    planned(tiles, overlap=60)
    assert tiles.summary == "256×256 (auto), overlap 60"


def test_a_model_that_looks_everywhere_says_so(tiles: TilesSection) -> None:
    tiles.show_plan("YX", (256, 256), (64, 64), None, auto_size=True, auto_overlap=True)
    assert "The model looks at the whole tile." in tiles.note.message


@pytest.mark.parametrize(
    ("patch", "overlap", "field", "message"),
    [
        ("auto", (57, 56), "overlap", "57 is odd: use 56 or 58"),
        ((64, 64), (64, 0), "overlap", "64 is not less than the tile size 64"),
        ("auto", (-2, 0), "overlap", "-2 is below 0"),
        ((0, 64), "auto", "size", "0 is below 1"),
        ("auto", (56, 10**12), "overlap", "X: 1000000000000 is above 1000000: use less, or"),
        ((10**12, 64), "auto", "size", "Y: 1000000000000 is above 1000000: use less, or"),
    ],
)
def test_what_numbers_alone_tell_is_told_at_once(
    tiles: TilesSection, patch: object, overlap: object, field: str, message: str
) -> None:
    tiles.patch_size, tiles.overlaps = patch, overlap  # type: ignore[assignment]
    shown, other = tiles.size_message, tiles.overlap_message
    if field == "overlap":
        shown, other = other, shown
    assert message in shown.message
    assert other.message == ""
    assert message in tiles.problem
    assert message in tiles.summary
    assert tiles.note.message == ""


def test_what_planning_found_is_shown_until_something_is_typed(
    tiles: TilesSection, qtbot: QtBot
) -> None:
    planned(tiles)
    tiles.report("patch size Y: 58 is no multiple of the alignment 4: use 56 or 60", "")
    assert tiles.size_message.message.startswith("tile size Y: 58 is no multiple of the model's")
    assert tiles.problem == ""
    with qtbot.waitSignal(tiles.changed):
        qtbot.keyClicks(tiles.size_entry.entries["Y"].edit, "60")
    assert tiles.size_message.message == ""


def test_the_grid_is_shown_while_the_section_is_open(tiles: TilesSection, qtbot: QtBot) -> None:
    with qtbot.waitSignal(tiles.grid_wanted) as told:
        tiles.set_open(True)
    assert told.args == [True]
    with qtbot.waitSignal(tiles.grid_wanted) as told:
        tiles.grid_box.native.click()
    assert told.args == [False]
    tiles.reset()
    assert tiles.grid_is_wanted
    with qtbot.waitSignal(tiles.grid_wanted) as told:
        tiles.set_open(False)
    assert told.args == [False]


def test_a_volume_has_three_numbers(tiles: TilesSection) -> None:
    tiles.set_open(True)
    tiles.show_plan(
        "ZYX", (32, 128, 128), (16, 56, 56), (8, 26, 26), auto_size=True, auto_overlap=True
    )
    assert tiles.size_entry.entries["Z"].edit.isVisible()
    assert tiles.summary == "32×128×128, overlap 16×56×56 (auto)"
    assert tiles.note.message.startswith("8×28×28 px each side.")


def test_where_a_model_needs_other_axes_they_are_asked_for(
    tiles: TilesSection, qtbot: QtBot
) -> None:
    tiles.set_open(True)
    tiles.patch_size = (64, 64)
    planned(tiles, (64, 64))
    with qtbot.waitSignal(tiles.changed):
        tiles.report("patch size 64,64 has 2 numbers, tiles have 3 axes: give ZYX", "")
    assert tiles.size_entry.entries["Z"].edit.isVisible()
    assert tiles.problem == "tile size Z: give it too, or none for auto"
    tiles.size_entry.entries["Z"].value = "16"
    assert tiles.patch_size == (16, 64, 64)
    with qtbot.waitSignal(tiles.changed):
        tiles.report("patch size 16,64,64 has 3 numbers, tiles have 2 axes: give YX", "")
    assert tiles.patch_size == (64, 64)
    assert tiles.problem == ""


@pytest.mark.parametrize("overlaps", [(8, 52, 16), (8, 16, 16), (2, 16, 16)])
def test_warnings_of_overlaps_are_known_as_such(overlaps: tuple[int, ...]) -> None:
    sizes = ((60, 900, 900), (32, 128, 128))
    (line,) = overlap_warnings("ZYX", *sizes, overlaps, "net", (4, 26, 26))
    assert is_about_overlap(line)
    assert not is_about_overlap("12 % of the pixels looked at are 0: cut off below")


def test_as_many_numbers_are_asked_for_as_are_set(tiles: TilesSection) -> None:
    tiles.patch_size, tiles.overlaps = (16, 64, 64), (4, 16, 16)
    assert tiles.size_entry.letters == "ZYX"
    assert (tiles.patch_size, tiles.overlaps) == ((16, 64, 64), (4, 16, 16))
    tiles.overlaps, tiles.patch_size = (8, 8), (32, 32)
    assert tiles.size_entry.letters == "YX"
    assert (tiles.patch_size, tiles.overlaps) == ((32, 32), (8, 8))
    with pytest.raises(ValueError, match="does not go with the axes"):
        tiles.patch_size = (32,)
