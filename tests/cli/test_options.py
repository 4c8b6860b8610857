"""What people type after options."""

from __future__ import annotations

import pytest
import typer

from napari_tessera.cli.options import (
    parse_batch_size,
    parse_channels,
    parse_chunks,
    parse_device,
    parse_inside,
    parse_models,
    parse_region,
    parse_sizes,
    parse_threads,
)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [("auto", "auto"), ("256", 256), ("64,256,256", (64, 256, 256)), (" 48, 48 ", (48, 48))],
)
def test_sizes(text: str, sizes: object) -> None:
    assert parse_sizes(text) == sizes


def test_one_chunk_size_is_for_y_and_x() -> None:
    assert parse_chunks("auto") is None
    assert parse_chunks("64") == 64
    assert parse_chunks("16,64,64") == (16, 64, 64)


@pytest.mark.parametrize(
    ("text", "region"),
    [
        (None, None),
        ("Z=5", {"Z": 5}),
        ("T=0:3,Z=5", {"T": slice(0, 3), "Z": 5}),
        ("y=:64, x=32:", {"Y": slice(None, 64), "X": slice(32, None)}),
        ("T=0:9:2", {"T": slice(0, 9, 2)}),
        ("T=0,2,5,Z=1:4", {"T": [0, 2, 5], "Z": slice(1, 4)}),
        ("Z=-1", {"Z": -1}),
    ],
)
def test_regions(text: str | None, region: object) -> None:
    assert parse_region(text) == region


def test_channels_and_batches_and_devices() -> None:
    assert parse_channels(None) is None
    assert parse_channels("0,2") == (0, 2)
    assert parse_batch_size("auto") == "auto"
    assert parse_batch_size("4") == 4
    assert parse_threads("auto") is None
    assert parse_threads("4") == 4
    assert parse_device("CUDA:1") == "cuda:1"
    assert parse_device("cuda:0, cuda:1") == "cuda:0,cuda:1"
    assert parse_device("all") == "all"


@pytest.mark.parametrize(
    ("texts", "models"),
    [
        (["a.ckpt"], "a.ckpt"),
        (["./0=a.ckpt"], "./0=a.ckpt"),
        (["lr=0.001/a.ckpt"], "lr=0.001/a.ckpt"),
        (["1=a.ckpt"], {1: "a.ckpt"}),
        (["0=a.ckpt", "2=C:\\b=c.zip"], {0: "a.ckpt", 2: "C:\\b=c.zip"}),
    ],
)
def test_models(texts: list[str], models: object) -> None:
    assert parse_models(texts) == models


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        (None, None),
        ("mask.tif", "mask.tif"),
        ("labels.zarr/0", "labels.zarr/0"),
        ("[[[0, 0], [0, 9.5], [9, 9]]]", [[[0, 0], [0, 9.5], [9, 9]]]),
        ('[{"points": [[0, 0]]}]', [{"points": [[0, 0]]}]),
        ('{"points": [[0, 0]]}', [{"points": [[0, 0]]}]),
    ],
)
def test_masks_and_shapes(text: str | None, inside: object) -> None:
    assert parse_inside(text) == inside


@pytest.mark.parametrize(
    ("texts", "named"),
    [(["a.pt", "b.pt"], "a.pt"), (["0=a.pt", "b.pt"], "b.pt"), (["1=a.pt", "1=b.pt"], "channel 1")],
)
def test_models_that_do_not_go_together(texts: list[str], named: str) -> None:
    with pytest.raises(typer.BadParameter, match="give") as caught:
        parse_models(texts)
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_sizes, "large"),
        (parse_sizes, "64,,64"),
        (parse_sizes, "64.5"),
        (parse_channels, "red"),
        (parse_batch_size, "4,4"),
        (parse_batch_size, "many"),
        (parse_threads, "4,4"),
        (parse_threads, "many"),
        (parse_threads, "0"),
        (parse_device, "tpu"),
        (parse_inside, "[[1, 2], [3"),
        (parse_inside, '{"points": [[0, 0], [0, 9], [9, 9]]'),
        (parse_region, "5"),
        (parse_region, "Z=five"),
        (parse_region, "Z=1:2:3:4"),
        (parse_region, "Z=1:4,2"),
        (parse_region, "Z=1,Z=2"),
        (parse_region, ""),
    ],
)
def test_what_cannot_be_read_is_named_with_a_way_out(parse: object, text: str) -> None:
    assert callable(parse)
    with pytest.raises(typer.BadParameter) as caught:
        parse(text)
    assert repr(text) in str(caught.value)
    assert "give" in str(caught.value)
