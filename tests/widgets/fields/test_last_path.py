"""The path of the last run goes with its image."""

from __future__ import annotations

from pathlib import Path

from napari_tessera.widgets.fields.last_path import LastPath

A, B = ("a",), ("b",)
SAVED = Path("/data/a.ome.zarr")


def test_what_was_typed_and_not_run_with_stays() -> None:
    last = LastPath()
    assert last.for_images(A, "/x") == "/x"
    assert not last.of_run(None, Path("/x"))
    assert not last.of_run(SAVED, Path("/x"))
    assert last.for_images(B, "/x") == "/x"


def test_the_path_of_the_last_run_comes_back_with_its_image() -> None:
    last = LastPath()
    last.for_images(A, str(SAVED))
    assert last.of_run(SAVED, SAVED)
    assert last.for_images(A, str(SAVED)) == str(SAVED)
    assert last.for_images(B, str(SAVED)) == ""
    assert not last.of_run(SAVED, None)
    assert last.for_images(A, "") == str(SAVED)


def test_what_was_typed_meanwhile_is_not_replaced() -> None:
    last = LastPath()
    last.for_images(A, str(SAVED))
    last.of_run(SAVED, SAVED)
    last.for_images(B, str(SAVED))
    last.of_run(SAVED, Path("/b"))
    assert last.for_images(A, "/b") == "/b"


def test_of_two_runs_the_first_ones_path_is_forgotten() -> None:
    last = LastPath()
    last.for_images(A, str(SAVED))
    last.of_run(SAVED, SAVED)
    last.for_images(B, str(SAVED))
    last.of_run(Path("/b"), Path("/b"))
    assert last.for_images(A, "/b") == ""
    assert last.for_images(B, "") == "/b"
