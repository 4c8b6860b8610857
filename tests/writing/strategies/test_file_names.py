from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.writing import common_source_base
from napari_tessera.writing.strategies.array_places import ArrayPlaces
from napari_tessera.writing.strategies.file_names import LONGEST_STEM, FileNames
from napari_tessera.writing.strategies.source_names import parse_source

OUT = Path("out")

FOLDERS = st.lists(st.sampled_from(["a", "A", "b c", "x.zarr", "..", "ü"]), max_size=3)
SOURCES = st.one_of(
    st.sampled_from(["array", "layer:cells", "layer:a/b", "", "s3://b/in.zarr/g/a"]),
    st.builds(
        lambda folders, name: "/".join(["/data", *folders, name]),
        FOLDERS,
        st.sampled_from(["c.tif", "C.TIF", "c.ome.tif", "in.zarr/g/a", "f.h5#/a", "c_1.tif", "0"]),
    ),
)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/data/cells.tif", "cells.npy"),
        (Path("/data/cells.ome.tiff"), "cells.npy"),
        ("/data/cells.v2.TIFF", "cells.v2.npy"),
        ("C:\\data\\cells.tif", "cells.npy"),
        ("file:///data/cells.tif", "cells.npy"),
        ("/data/in.zarr/group/array", "in_group_array.npy"),
        ("s3://bucket/in.zarr/group/array", "in_group_array.npy"),
        ("/data/in.ome.zarr", "in.npy"),
        ("/data/in.ome.zarr/0", "in.npy"),
        ("/data/in.zarr.zip#g/a", "in_g_a.npy"),
        ("/data/f.h5#/exp/raw", "f_exp_raw.npy"),
        ("/data/f.czi#P1/2", "f_P1_2.npy"),
        ("/data/cells.tif, level 1", "cells_level1.npy"),
        ("array", "array_0.npy"),
        ("layer:my.cells", "layer_my.cells.npy"),
        ("layer:a/b", "layer_a_b.npy"),
        ("", "array.npy"),
        ("/data/.tif", "tif.npy"),
        ("/data/…", "array.npy"),
        ("/data/..", "array.npy"),
        (f"/data/{'x' * 300}.tif", f"{'x' * LONGEST_STEM}.npy"),
        ("/run/t0.tif…t9.tif (10 files, 0a1b2c3d)", "t0.tif_t9.tif _10 files_ 0a1b2c3d.npy"),
    ],
)
def test_names_come_from_the_source(source: str | Path, name: str) -> None:
    assert FileNames(".npy").path_of(OUT, source, 0) == OUT / name


def test_a_name_that_is_taken_gets_the_number_of_the_stack() -> None:
    names = FileNames(".npy")
    sources = ["/a/c.tif", "/b/c.tif", "/b/C.tif", "/c/c.tif", "/d/c.tif"]
    found = [names.path_of(OUT, source, i // 2) for i, source in enumerate(sources)]
    assert [path.name for path in found] == [
        "c.npy",
        "c_0.npy",
        "C_1.npy",
        "c_1_2.npy",
        "c_2.npy",
    ]
    assert names.path_of(OUT, "/b/c.tif", 0) == found[1]
    assert names.path_of(Path("other"), "/b/c.tif", 0) == Path("other/c.npy")
    arrays = FileNames(".npy")
    assert [arrays.path_of(OUT, "array", i).name for i in range(3)] == [
        "array_0.npy",
        "array_1.npy",
        "array_2.npy",
    ]


@given(sources=st.lists(st.tuples(st.integers(0, 2), SOURCES), max_size=12), base=st.booleans())
def test_no_two_images_share_a_file_or_an_array_and_none_lies_elsewhere(
    sources: list[tuple[int, str]], base: bool
) -> None:
    names = FileNames(".npy", "/data" if base else None)
    places = ArrayPlaces("/data" if base else None)
    files = {key: names.path_of(OUT, key[1], key[0]) for key in sources}
    arrays = {key: places.place_of(OUT, key[1], key[0]) for key in sources}
    assert len({str(path).casefold() for path in files.values()}) == len(files)
    assert len({str(place).casefold() for place in arrays.values()}) == len(arrays)
    for path in (*files.values(), *(place.store for place in arrays.values())):
        assert path.is_relative_to(OUT)
        assert ".." not in path.parts
    for key, path in files.items():
        assert names.path_of(OUT, key[1], key[0]) == path


def test_folders_below_the_base_are_kept() -> None:
    base = Path("/data/x")
    names = FileNames(".npy", base)
    found = {
        "/data/x/a/b/c.tif": "a/b/c.npy",
        "/data/x/c.tif": "c.npy",
        "/data/x/a/in.zarr/g/a": "a/in_g_a.npy",
        "/data/y/d.tif": "d.npy",
        "/data/x/../y/e.tif": "e.npy",
        "s3://data/x/a/f.zarr": "f.npy",
        "layer:x/a": "layer_x_a.npy",
    }
    for source, expected in found.items():
        assert names.path_of(OUT, source, 0) == OUT / expected


def test_the_common_parent() -> None:
    assert common_source_base(["/data/x/a.tif", "/data/y/in.zarr/g/a"]) == Path("/data")
    assert common_source_base(["/data/x/a.tif", "/data/x/b.tif", "array"]) == Path("/data/x")
    assert common_source_base(["/data/x/a.tif", "array", "s3://b/a.zarr", "layer:a"]) is None
    assert common_source_base([]) is None
    assert common_source_base(["a/c.tif", Path("b/c.tif")]) == Path.cwd()


def test_the_base_may_be_relative(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    names = FileNames(".npy", "data")
    assert names.path_of(OUT, "data/a/c.tif", 0) == OUT / "a/c.npy"
    assert names.path_of(OUT, tmp_path / "data/b/c.tif", 0) == OUT / "b/c.npy"


def test_parts_of_a_source() -> None:
    parsed = parse_source("/data/in.zarr.zip#g/a, level 2")
    assert (parsed.folder, parsed.name, parsed.part) == ("/data", "in.zarr.zip", "g/a")
    assert (parsed.level, parsed.in_store) == ("2", True)
    assert not parse_source("/data/c.tif").in_store


@given(order=st.permutations(["/d/a/c.tif", "/d/a/deep/c.tif", "/d/b/c.tif", "/d/b/c.ome.tif"]))
def test_images_that_are_known_have_their_names_in_any_order(order: list[str]) -> None:
    names = FileNames(".npy", sources=order)
    places = ArrayPlaces(sources=order)
    found = {source: names.path_of(OUT, source, 0) for source in order[:3]}
    stores = {source: str(places.place_of(OUT, source, 0)) for source in order[:3]}
    expected = {
        "/d/a/c.tif": ("a/c.npy", "a/c_output.zarr/0"),
        "/d/a/deep/c.tif": ("a/deep/c.npy", "a/deep/c_output.zarr/0"),
        "/d/b/c.ome.tif": ("b/c.npy", "b/c_output.zarr/0"),
        "/d/b/c.tif": ("b/c_3.npy", "b/c_output.zarr/3"),
    }
    for source in order[:3]:
        assert (found[source], stores[source]) == (
            OUT / expected[source][0],
            str(OUT / expected[source][1]),
        )
    # a second stack of one source, and one that nobody told of, have names of their own
    assert names.path_of(OUT, order[0], 1) not in set(found.values())
    assert names.path_of(OUT, "/d/e.tif", 0) == OUT / "e.npy"


def test_a_known_image_may_be_written_in_another_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    names = FileNames(".npy", sources=["b/c.tif", Path("a") / "c.tif"])
    assert names.path_of(OUT, tmp_path / "b" / "c.tif", 0) == OUT / "b/c.npy"
    assert names.path_of(OUT, "a/../a/c.tif", 0) == OUT / "a/c.npy"
