"""Zarr that is read from a web server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import FsspecStore

from napari_tessera.stacks import StackReadError, open_stack, read_metadata, read_origins
from napari_tessera.stacks.zarr import http as zarr_http
from napari_tessera.stacks.zarr import presence as zarr_presence
from napari_tessera.stacks.zarr.nodes import quiet_zarr
from napari_tessera.testing import check_image_stack

from .web_server import HANG_UP, WebServer, serving
from .zarr_files import check_pixels, ome_image, random_image, read_whole, remove_chunk, store_array

pytestmark = pytest.mark.usefixtures("at_once")


@pytest.mark.parametrize(
    "layout",
    [{}, {"zarr_format": 2}, {"chunks": (4, 4), "shards": (8, 16)}],
    ids=["3", "2", "shards"],
)
def test_an_array_on_a_server(layout: dict[str, Any], server: WebServer, folder: Path) -> None:
    array = store_array(folder / "a.zarr", random_image(16, 32), **layout)
    with open_stack(f"{server.url}/a.zarr") as stack:
        check_image_stack(stack, array)
        assert stack.source == f"{server.url}/a.zarr"
        assert read_origins(stack) == ()
        assert stack.absent_chunks == 0
        assert stack.waits, "requests are answered late"
        assert stack.count_absent() is None, "would take a request a chunk"


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_image_on_a_server_that_lists_nothing(
    version: str, server: WebServer, folder: Path
) -> None:
    array = random_image(2, 3, 20, 24)
    ome_image(folder / "b" / "a.ome.zarr", array, version)
    server.lists = False
    url = f"{server.url}/b/a.ome.zarr"
    with open_stack(url) as stack:
        assert stack.original_axes == "TCYX"
        assert stack.source == f"{url}/0"
        np.testing.assert_array_equal(read_whole(stack, 1), array[1])
    for source, level in ((f"{url}/1", 0), (f"{url}/1/", 0), (url, 1)):
        with open_stack(source, level=level) as stack:
            assert read_metadata(stack).scale == (30.0, 1.0, 2.0, 0.5)
            assert stack.source == f"{url}/1"
            np.testing.assert_array_equal(read_whole(stack, 1), array[1, :, ::2, ::2])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_level_at_a_url_without_zarr_has_the_axes_of_its_image(
    version: str, server: WebServer, folder: Path
) -> None:
    array = random_image(2, 3, 20, 24)
    ome_image(folder / "data" / "image", array, version)
    store_array(folder / "data" / "image" / "other", random_image(4, 4))
    url = f"{server.url}/data/image"
    for source in (f"{url}/1", f"{url}/1/"):
        with open_stack(source) as stack:
            assert read_metadata(stack).axes == "TCYX"
            assert read_metadata(stack).scale == (30.0, 1.0, 2.0, 0.5)
            assert stack.source == f"{url}/1"
            np.testing.assert_array_equal(read_whole(stack, 1), array[1, :, ::2, ::2])
    with open_stack(f"{url}/other", "YX") as stack:
        assert stack.source == f"{url}/other"
        assert stack.metadata.along("X") == (1.0, None, 0.0)


@pytest.mark.parametrize("status", [403, 404, 500, HANG_UP])
def test_a_group_that_is_not_shown_is_not_needed(
    status: int, server: WebServer, folder: Path
) -> None:
    """Beside the array itself one document is asked for."""
    array = store_array(folder / "data" / "cells", random_image(8, 8))
    server.answer = lambda path: status if path == "/data/zarr.json" else None
    with open_stack(f"{server.url}/data/cells") as stack:
        assert server.asked.count("/data/zarr.json") in (1, 2), "a client may try again"
        assert not any(path.count("/") < 2 for path in server.asked)
        np.testing.assert_array_equal(read_whole(stack)[0], array)


def test_the_name_of_a_server_is_no_store(
    server: WebServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = server.server_address[1]
    array = random_image(1, 1, 8, 8)
    ome_image(folder / "data" / "a.zarr", array, "0.5")
    seen: list[str] = []
    from_url = FsspecStore.from_url

    def noted(url: str, **settings: Any) -> FsspecStore:
        seen.append(url)
        return from_url(url.replace("my.zarr", f"127.0.0.1:{port}"), **settings)

    monkeypatch.setattr(FsspecStore, "from_url", noted)
    for inner, root in (("data/a.zarr/0", "data/a.zarr"), ("data/a.zarr", "data/a.zarr")):
        with open_stack(f"http://my.zarr/{inner}") as stack:
            assert stack.source == "http://my.zarr/data/a.zarr/0"
            assert stack.original_axes == "TCYX"
            np.testing.assert_array_equal(read_whole(stack), array[0])
        assert seen.pop() == f"http://my.zarr/{root}"
    with pytest.raises(FileNotFoundError):
        open_stack("http://my.zarr/data")
    assert seen == ["http://my.zarr/data"]


def test_what_a_server_has_not_is_the_fill_value(server: WebServer, folder: Path) -> None:
    path, array = folder / "a.zarr", random_image(16, 16)
    store_array(path, array, fill_value=7)
    remove_chunk(path, "c/1/0")
    array[8:, :8] = 7
    with open_stack(f"{server.url}/a.zarr") as stack:
        check_pixels(stack, array, "YX")
        assert stack.absent_chunks == 1


@pytest.mark.parametrize("layout", [{}, {"chunks": (4, 4), "shards": (8, 8)}])
@pytest.mark.parametrize("status", [401, 403, 429, 500, 503, HANG_UP])
def test_what_a_server_refuses_is_no_fill_value(
    status: int, layout: dict[str, Any], server: WebServer, folder: Path
) -> None:
    store_array(folder / "a.zarr", random_image(16, 16), **layout)
    with open_stack(f"{server.url}/a.zarr") as stack:
        server.answer = lambda path: status if path.endswith("c/1/0") else None
        with pytest.raises(StackReadError) as error:
            stack.extract_patch(0, None, (6, 2), (6, 9))
        assert stack.absent_chunks == 0
        server.answer = lambda path: None
        read_whole(stack)
    kind = "shard" if layout else "chunk"
    message = str(error.value)
    assert message.startswith(
        f"{server.url}/a.zarr cannot be read at Y=6…11 X=2…10: {kind} c/1/0 at Y=8…15 X=0…7: "
    )
    assert ("Disconnected" if status == HANG_UP else str(status)) in message
    assert "\n" not in message


def test_a_server_that_falls_silent(
    server: WebServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zarr_http, "SILENT_SECONDS", 0.2)
    store_array(folder / "a.zarr", random_image(16, 16))
    awake = Event()
    with open_stack(f"{server.url}/a.zarr") as stack:
        server.answer = lambda path: None if awake.wait(30) else 500
        try:
            with pytest.raises(StackReadError, match=r"chunk c/0/1 at Y=0…7 X=8…15: .*[Tt]imeout"):
                stack.extract_patch(0, None, (0, 8), (8, 8))
        finally:
            awake.set()


def test_whether_a_chunk_is_absent_cannot_be_told_of_a_server_that_fails(
    server: WebServer, folder: Path
) -> None:
    """Somebody may have taken all away: only the array's own metadata can tell."""
    store_array(folder / "a.zarr", random_image(8, 8))
    remove_chunk(folder / "a.zarr", "c/0/0")
    with open_stack(f"{server.url}/a.zarr") as stack:
        server.answer = lambda path: 500 if path.endswith("zarr.json") else None
        with pytest.raises(StackReadError, match=r"X=0…7: .*500"):
            read_whole(stack)
        server.answer = lambda path: 404
        with pytest.raises(StackReadError, match="the array was removed while it was open"):
            read_whole(stack)
        assert stack.absent_chunks == 0
        server.answer = lambda path: None
        assert (read_whole(stack) == 0).all()
        assert stack.absent_chunks == 1


def test_chunks_that_are_absent_cost_no_second_request(
    server: WebServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the array is there is asked for each that is met first, then once in a while."""
    monkeypatch.setattr(zarr_presence, "TRUSTED_SECONDS", 1e9)
    zarr.create_array(folder / "a.zarr", shape=(16, 64), chunks=(8, 8), dtype="u1")
    with open_stack(f"{server.url}/a.zarr") as stack:
        corners = [(0, x) for x in range(0, 64, 8)]

        def asked(threads: int) -> int:
            before = len(server.asked)
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(lambda at: stack.extract_patch(0, None, at, (8, 8)), corners * 4))
            paths = server.asked[before:]
            assert sum("/c/" in path for path in paths) == 4 * len(corners)
            return sum(path.endswith("zarr.json") for path in paths)

        assert asked(threads=1) == len(corners)
        assert asked(threads=1) == 0
        assert asked(threads=4) == 0
        monkeypatch.setattr(zarr_presence, "TRUSTED_SECONDS", 0)
        assert asked(threads=1) == 4 * len(corners)
        assert stack.absent_chunks == len(corners)


def test_a_server_that_dies_is_named(folder: Path) -> None:
    store_array(folder / "a.zarr", random_image(8, 8))
    with serving(folder) as server:
        url = f"{server.url}/a.zarr"
        stack = open_stack(url)
        read_whole(stack)
        server.answer = lambda path: HANG_UP
        with pytest.raises(StackReadError, match="Disconnected"):
            read_whole(stack)
    with stack, pytest.raises(StackReadError) as error:
        read_whole(stack)
    assert str(error.value).startswith(f"{url} cannot be read at Y=0…7 X=0…7: chunk c/0/0 at ")
    assert "Cannot connect to host 127.0.0.1" in str(error.value)
    with pytest.raises(StackReadError, match=rf"{url} cannot be opened as Zarr: .*Cannot connect"):
        open_stack(url)


def test_opening_what_a_server_refuses(server: WebServer, folder: Path) -> None:
    store_array(folder / "a.zarr", random_image(8, 8))
    url = f"{server.url}/a.zarr"
    with pytest.raises(FileNotFoundError, match=rf"{url}/x holds no Zarr array or group"):
        open_stack(f"{url}/x")
    server.answer = lambda path: 403
    with pytest.raises(StackReadError, match=rf"{url} cannot be opened as Zarr: .*403"):
        open_stack(url)
    (folder / "a.zarr" / "zarr.json").write_text("<html>welcome</html>")
    server.answer = lambda path: None
    with pytest.raises(ValueError, match=rf"{url} cannot be opened as Zarr: JSONDecodeError"):
        open_stack(url)


def test_shards_need_a_server_that_knows_byte_ranges(server: WebServer, folder: Path) -> None:
    array = random_image(16, 16)
    store_array(folder / "a.zarr", array, 4, shards=(8, 8))
    server.ranges = False
    with open_stack(f"{server.url}/a.zarr") as stack:
        np.testing.assert_array_equal(read_whole(stack)[0], array)
        with pytest.raises(StackReadError, match="the server must know byte ranges"):
            stack.extract_patch(0, None, (0, 0), (4, 4))


def test_images_of_a_container_on_a_server(server: WebServer, folder: Path) -> None:
    group = zarr.open_group(folder / "all.zarr", mode="w")
    group.attrs["ome"] = {"bioformats2raw.layout": 3}
    for name in ("0", "1"):
        ome_image(folder / "all.zarr" / name, random_image(1, 1, 8, 8), "0.5")
    url = f"{server.url}/all.zarr"
    for server.lists in (True, False):
        with pytest.raises(ValueError, match=rf"e\.g\. {url}/0; it holds 0, 1$"):
            open_stack(url)
    group.attrs["ome"] = {}
    with pytest.raises(ValueError, match="is a group, not one image; it holds no image"):
        open_stack(url)
    with quiet_zarr():
        zarr.consolidate_metadata(folder / "all.zarr")
    with pytest.raises(ValueError, match=rf"e\.g\. {url}/0; it holds 0, 1$"):
        open_stack(url)
    server.answer = lambda path: 403 if path.endswith("all.zarr") else None
    with pytest.raises(ValueError, match=rf"e\.g\. {url}/0; it holds 0, 1$"):
        open_stack(url)


def test_contents_that_cannot_be_listed_hide_nothing(server: WebServer, folder: Path) -> None:
    plate = zarr.open_group(folder / "a.zarr", mode="w")
    plate.attrs["ome"] = {"plate": {"wells": [{"path": "B/2"}]}}
    server.answer = lambda path: 403 if "/B/" in path else None
    with pytest.raises(ValueError, match=r"is a plate, not one image; .* cannot be listed: .*403"):
        open_stack(f"{server.url}/a.zarr")


def test_readers_in_several_threads(server: WebServer, folder: Path) -> None:
    array = store_array(folder / "a.zarr", random_image(32, 32))
    corners = [(y, x) for y in range(0, 32, 4) for x in range(0, 32, 8)]
    with open_stack(f"{server.url}/a.zarr") as stack, ThreadPoolExecutor(8) as threads:
        found = threads.map(lambda at: stack.extract_patch(0, None, at, (4, 8))[0], corners)
        for (y, x), patch in zip(corners, found, strict=True):
            np.testing.assert_array_equal(patch, array[y : y + 4, x : x + 8])
