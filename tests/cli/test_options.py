"""What people type after options."""

from __future__ import annotations

import pytest
import typer

from napari_tessera.cli.options import (
    parse_batch_size,
    parse_channels,
    parse_device,
    parse_region,
    parse_sizes,
)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [("auto", "auto"), ("256", 256), ("64,256,256", (64, 256, 256)), (" 48, 48 ", (48, 48))],
)
def test_sizes(text: str, sizes: object) -> None:
    assert parse_sizes(text) == sizes


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
    assert parse_device("CUDA:1") == "cuda:1"


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_sizes, "large"),
        (parse_sizes, "64,,64"),
        (parse_sizes, "64.5"),
        (parse_channels, "red"),
        (parse_batch_size, "4,4"),
        (parse_batch_size, "many"),
        (parse_device, "tpu"),
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
