"""Images that are held in memory and written into a file each, whatever their axes."""

from __future__ import annotations

from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tifffile

from napari_tessera.metadata import ImageMetadata
from napari_tessera.patching import WholeSamplePatching
from napari_tessera.writing import CachedTiles, ImageRegionData, WriteImage, WriteStrategy
from napari_tessera.writing.strategies.image_files import ImageFiles

SIZES = {"S": 2, "T": 3, "C": 2, "Z": 4, "Y": 33, "X": 21}
ORDERS = ["YX", "XY", "ZXY", "CSYX", "YXC", "ZTCYX", "TSZYX", "XCTYSZ", "SYCX", "CTZXY"]


def save(file_path: Path, img: np.ndarray) -> None:
    """A person's own function."""
    with file_path.open("xb") as file:
        np.save(file, img)


def tiled(tiled_image: Any, axes: str, **options: Any) -> Any:
    """An image of odd sizes; of its axes Z is tiled along where the seed says so."""
    n = 3 if "Z" in axes and "Z" not in options.get("fold", "") else 2
    return tiled_image(axes, [SIZES[a] for a in axes], (16,) * n, (4,) * n, **options)


def mixed(*images: Any) -> list[ImageRegionData]:
    """The tiles of several images in turn."""
    tiles = chain.from_iterable(zip_longest(*(image.tiles() for image in images)))
    return [tile for tile in tiles if tile is not None]


def samples(image: Any) -> list[ImageRegionData]:
    """Predictions of whole samples, as patches of `WholeSamplePatching`."""
    patching = WholeSamplePatching([image.layout.view_shape])
    template = image.tile(0)
    return [
        template._replace(
            data=image.view[number],
            region_spec={**patching.get_patch_spec(number), "data_idx": image.data_idx},
        )
        for number in range(patching.n_patches)
    ]


@pytest.mark.parametrize("fold", ["", "Z", "C", "ZC"])
@pytest.mark.parametrize("axes", ORDERS)
def test_interleaved_images_of_any_axes(
    tmp_path: Path, tiled_image: Any, axes: str, fold: str
) -> None:
    images = [
        tiled(tiled_image, axes, fold=fold, source=f"/data/{name}.tif", data_idx=i, seed=i)
        for i, name in enumerate("ab")
    ]
    strategy = CachedTiles(save, ".npy", {})
    tiles = mixed(*images)
    order = np.random.default_rng(0).permutation(len(tiles))
    for start in range(0, len(tiles), 7):
        strategy.write_batch(tmp_path / "new", [tiles[i] for i in order[start : start + 7]])
    for image, name in zip(images, "ab", strict=True):
        np.testing.assert_array_equal(np.load(tmp_path / "new" / f"{name}.npy"), image.expected)
    assert len(list((tmp_path / "new").iterdir())) == 2


@pytest.mark.parametrize("whole_tiles", [True, False], ids=["tiles", "samples"])
@pytest.mark.parametrize("axes", ORDERS)
def test_whole_samples_of_any_axes(
    tmp_path: Path, tiled_image: Any, axes: str, whole_tiles: bool
) -> None:
    n = 3 if "Z" in axes else 2
    images = [
        tiled_image(
            axes,
            [SIZES[a] for a in axes],
            (64,) * n,
            (8,) * n,
            source=f"/data/{name}.tif",
            data_idx=i,
            seed=i,
        )
        for i, name in enumerate("ab")
    ]
    strategy = WriteImage(save, ".npy", {})
    given = [image.tiles() if whole_tiles else samples(image) for image in images]
    predictions = [one for pair in zip(*given, strict=True) for one in pair]
    for prediction in predictions[:-1]:
        strategy.write_batch(tmp_path, [prediction])
    assert not (tmp_path / "b.npy").exists()
    strategy.write_batch(tmp_path, predictions[-1:])
    for image, name in zip(images, "ab", strict=True):
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), image.expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_model_that_makes_other_channels(tmp_path: Path, tiled_image: Any, channels: int) -> None:
    image = tiled(tiled_image, "TSZYX", fold="Z", channels=channels, source="a.tif")
    CachedTiles(save, ".npy", {}).write_batch(tmp_path, image.tiles())
    found = np.load(tmp_path / "a.npy")
    assert found.shape == image.layout.output_shape
    np.testing.assert_array_equal(found, image.expected)


def test_whole_tiles_are_cropped_and_not_kept(tmp_path: Path, tiled_image: Any) -> None:
    image = tiled(tiled_image, "CSYX", source="a.tif")
    strategy = CachedTiles(save, ".npy", {})
    for number in range(image.n_tiles):
        tile = image.tile(number, whole=True)
        strategy.write_batch(tmp_path, [tile])
        tile.data[:] = 4711
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), image.expected)


def test_memory_is_one_image(
    tmp_path: Path, tiled_image: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tiled_image("YX", (600, 500), (64, 64), (32, 32))
    held: list[np.ndarray] = []
    strategy = CachedTiles(lambda file_path, img: held.append(img), ".npy", {})
    free = psutil.virtual_memory()
    nbytes = 600 * 500 * 4
    with monkeypatch.context() as patch:
        patch.setattr(psutil, "virtual_memory", lambda: free._replace(available=nbytes - 1))
        with pytest.raises(MemoryError, match="predict a region, or write Zarr") as caught:
            strategy.write_batch(tmp_path, image.tiles([0]))
    assert "\n" not in str(caught.value)
    strategy.write_batch(tmp_path, image.tiles())
    assert held[0].nbytes == nbytes


@pytest.mark.parametrize("strategy_type", [CachedTiles, WriteImage])
def test_more_than_expected_is_an_error(
    tmp_path: Path, tiled_image: Any, strategy_type: type[ImageFiles]
) -> None:
    image = tiled_image("TYX", (3, 20, 20), (20, 20), (4, 4), source="a.tif")
    tiles = image.tiles()
    with pytest.raises(ValueError, match="came twice") as caught:
        strategy_type(save, ".npy", {}).write_batch(tmp_path, [*tiles, tiles[0]])
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="came twice"):
        strategy_type(save, ".npy", {}).write_batch(tmp_path, [tiles[1], tiles[1]])
    few = [tile._replace(region_spec={**tile.region_spec, "total_tiles": 2}) for tile in tiles]
    with pytest.raises(ValueError, match="more tiles came than the 2 expected"):
        strategy_type(save, ".npy", {}).write_batch(tmp_path, few)
    assert not list(tmp_path.iterdir())
    strategy = strategy_type(save, ".npy", {})
    strategy.write_batch(tmp_path, tiles)
    with pytest.raises(ValueError, match="its file is written"):
        strategy.write_batch(tmp_path, tiles[:1])


def test_tiles_that_do_not_belong_together(tmp_path: Path, tiled_image: Any) -> None:
    one = tiled(tiled_image, "TYX", source="a.tif")
    other = tiled(tiled_image, "TCYX", source="a.tif")
    with pytest.raises(ValueError, match="do not belong together"):
        CachedTiles(save, ".npy", {}).write_batch(tmp_path, [one.tile(0), other.tile(1)])
    less = one.tile(1)
    less = less._replace(region_spec={**less.region_spec, "total_tiles": 5})
    with pytest.raises(ValueError, match=f"of 5 tiles came after .* of {one.n_tiles}"):
        CachedTiles(save, ".npy", {}).write_batch(tmp_path, [one.tile(0), less])


def test_what_a_strategy_does_not_take(tmp_path: Path, tiled_image: Any) -> None:
    image = tiled(tiled_image, "TYX", source="a.tif")
    with pytest.raises(ValueError, match="use WriteImage for whole samples"):
        CachedTiles(save, ".npy", {}).write_batch(tmp_path, samples(image))
    with pytest.raises(ValueError, match="use CachedTiles for tiles"):
        WriteImage(save, ".npy", {}).write_batch(tmp_path, image.tiles())
    part = samples(image)[0]
    part = part._replace(data=part.data[:, :5])
    with pytest.raises(ValueError, match="covers a part of its sample"):
        WriteImage(save, ".npy", {}).write_batch(tmp_path, [part])
    assert not list(tmp_path.iterdir())


def test_a_run_says_part_type_and_what_is_known(tmp_path: Path, tiled_image: Any) -> None:
    metadata = ImageMetadata(
        "TCYX",
        scale=(2.0, 1.0, 0.5, 0.25),
        units=("second", None, "micrometer", "micrometer"),
        translation=(1.0, 0.0, 3.0, 0.0),
        channel_names=("DAPI", "GFP"),
    )
    image = tiled(
        tiled_image,
        "TCYX",
        fold="C",
        source="/data/a.tif",
        metadata=metadata,
        selection={"T": [0, 2], "C": 1, "Y": slice(4, 30)},
    )
    calls: list[dict[str, Any]] = []

    def own(
        file_path: Path,
        img: np.ndarray,
        level: int,
        *,
        axes: str,
        metadata: ImageMetadata,
        made_by: dict[str, Any],
    ) -> None:
        calls.append({**locals()})

    strategy = CachedTiles(own, ".own", {"level": 3})
    strategy.open(image.run(output_dtype=np.dtype("uint8"), dirpath=tmp_path))
    strategy.write_batch(tmp_path, image.tiles())
    strategy.close(completed=True)
    (call,) = calls
    np.testing.assert_array_equal(call["img"], np.clip(np.rint(image.expected), 0, 255))
    assert (call["img"].dtype, call["axes"], call["level"]) == (np.uint8, "TCYX", 3)
    assert call["file_path"] == tmp_path / "a.own"
    known = call["metadata"]
    assert (known.scale, known.translation) == ((4.0, 1.0, 0.5, 0.25), (1.0, 0.0, 5.0, 0.0))
    assert known.channel_names == ("GFP",)
    rounded = np.rint(image.expected)
    clipped = int(((rounded < 0) | (rounded > 255)).sum())
    assert clipped > 0
    assert call["made_by"]["fingerprint"] == "f00d"
    assert call["made_by"]["finished"].endswith("+00:00")
    assert call["made_by"]["clipped_pixels"] == strategy.clipped_pixels == clipped


def test_metadata_comes_with_the_tiles_where_no_run_is_open(
    tmp_path: Path, tiled_image: Any
) -> None:
    metadata = ImageMetadata("YX", scale=(0.5, 0.25), units=("micrometer", "micrometer"))
    image = tiled(tiled_image, "YX", source="a.tif")
    tiles = [
        tile._replace(additional_metadata={**tile.additional_metadata, "metadata": metadata})
        for tile in image.tiles()
    ]
    found: list[Any] = []
    strategy = CachedTiles(
        lambda file_path, img, metadata, made_by: found.append((metadata, made_by)), ".x", {}
    )
    strategy.write_batch(tmp_path, tiles)
    assert found[0][0].scale == (0.5, 0.25)
    assert found[0][1] is None


@pytest.mark.parametrize(
    ("dtype", "expected"), [(None, "float32"), ("same", "uint16"), ("float64", "float64")]
)
def test_the_type_that_is_asked_for(
    tmp_path: Path, tiled_image: Any, dtype: str | None, expected: str
) -> None:
    image = tiled(tiled_image, "YX", source="a.tif")
    CachedTiles(save, ".npy", {}, dtype=dtype).write_batch(tmp_path, image.tiles())
    assert np.load(tmp_path / "a.npy").dtype == expected


def test_nothing_is_overwritten_unasked(tmp_path: Path, tiled_image: Any) -> None:
    image = tiled(tiled_image, "YX", source="/data/a.tif")
    target = tmp_path / "a.tif"
    target.write_bytes(b"mine")
    write = partial(tifffile.imwrite, photometric="minisblack")

    def imwrite(file_path: Path, img: np.ndarray) -> None:
        write(file_path, img)

    strategy = CachedTiles(imwrite, ".tif", {})
    with pytest.raises(FileExistsError, match="give overwrite=True") as caught:
        strategy.open(image.run(dirpath=tmp_path))
    assert "\n" not in str(caught.value)
    with pytest.raises(FileExistsError):
        strategy.write_batch(tmp_path, image.tiles([0]))
    assert target.read_bytes() == b"mine"
    CachedTiles(imwrite, ".tif", {}, overwrite=True).write_batch(tmp_path, image.tiles())
    np.testing.assert_array_equal(tifffile.imread(target), image.expected)


def test_a_file_that_came_meanwhile_is_kept(tmp_path: Path, tiled_image: Any) -> None:
    image = tiled(tiled_image, "YX", source="a.tif")
    strategy = CachedTiles(save, ".npy", {})
    strategy.write_batch(tmp_path, image.tiles()[:-1])
    (tmp_path / "a.npy").write_bytes(b"theirs")
    with pytest.raises(FileExistsError):
        strategy.write_batch(tmp_path, image.tiles()[-1:])
    assert (tmp_path / "a.npy").read_bytes() == b"theirs"
    (tmp_path / "a.npy").unlink()
    strategy.flush()
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), image.expected)


def test_the_input_is_never_replaced(tmp_path: Path, tiled_image: Any) -> None:
    source = tmp_path / "a.npy"
    np.save(source, np.ones((33, 21)))
    before = source.read_bytes()
    image = tiled(tiled_image, "YX", source=str(source))
    strategy = CachedTiles(save, ".npy", {}, overwrite=True)
    with pytest.raises(ValueError, match="holds the input, which is never changed"):
        strategy.open(image.run(dirpath=tmp_path, origins=(source,)))
    with pytest.raises(ValueError, match="holds the input, which is never changed"):
        CachedTiles(save, ".npy", {}, overwrite=True).write_batch(tmp_path, image.tiles())
    assert source.read_bytes() == before


def test_a_failed_file_leaves_nothing_and_can_be_tried_again(
    tmp_path: Path, tiled_image: Any
) -> None:
    image = tiled(tiled_image, "YX", source="a.tif")
    full = [True]

    def failing(file_path: Path, img: np.ndarray) -> None:
        file_path.write_bytes(b"begun")
        if full[0]:
            raise OSError(28, "No space left on device")
        file_path.unlink()
        save(file_path, img)

    strategy = CachedTiles(failing, ".npy", {})
    with pytest.raises(OSError, match="No space left"):
        strategy.write_batch(tmp_path, image.tiles())
    assert not list(tmp_path.iterdir())
    full[0] = False
    strategy.flush()
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), image.expected)


def test_a_run_that_is_stopped_leaves_nothing(tmp_path: Path, tiled_image: Any) -> None:
    image = tiled(tiled_image, "YX", source="a.tif")
    strategy = CachedTiles(save, ".npy", {})
    strategy.open(image.run(dirpath=tmp_path))
    strategy.write_batch(tmp_path, image.tiles([0, 1]))
    strategy.close(completed=False)
    assert not list(tmp_path.iterdir())
    strategy.open(image.run(dirpath=tmp_path))
    strategy.write_batch(tmp_path, image.tiles([0, 1]))
    with pytest.raises(ValueError, match=f"{image.n_tiles - 2} tiles of a.tif did not come"):
        strategy.close(completed=True)
    strategy.open(image.run(dirpath=tmp_path))
    strategy.write_batch(tmp_path, image.tiles())
    strategy.close(completed=True)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), image.expected)


def test_a_run_that_goes_on_cannot_be_held(tmp_path: Path, tiled_image: Any) -> None:
    image = tiled(tiled_image, "YX", source="a.tif")
    done = bytearray(image.n_tiles)
    done[:2] = b"\1\1"
    with pytest.raises(ValueError, match="2 tiles of it are in another place already"):
        CachedTiles(save, ".npy", {}).open(image.run(done=done, resume=True))
    CachedTiles(save, ".npy", {}).open(image.run(done=bytearray(image.n_tiles)))


@pytest.mark.parametrize("extension", ["tif", "", "a/b.tif"])
def test_an_ending_needs_its_dot(extension: str) -> None:
    with pytest.raises(ValueError, match="give it with its dot"):
        CachedTiles(save, extension, {})


def test_a_type_that_is_none() -> None:
    with pytest.raises(ValueError, match="is no data type"):
        CachedTiles(save, ".npy", {}, dtype="grey")


def test_folders_below_the_common_parent_are_kept(tmp_path: Path, tiled_image: Any) -> None:
    images = [
        tiled(tiled_image, "YX", source=f"/data/{name}/a.tif", data_idx=i, seed=i)
        for i, name in enumerate(["x", "y/z"])
    ]
    strategy = CachedTiles(save, ".npy", {})
    strategy.set_source_base("/data")
    assert strategy.source_base == Path("/data")
    strategy.write_batch(tmp_path, mixed(*images))
    for image, name in zip(images, ["x", "y/z"], strict=True):
        np.testing.assert_array_equal(np.load(tmp_path / name / "a.npy"), image.expected)


def test_they_are_write_strategies() -> None:
    assert isinstance(CachedTiles(save, ".npy", {}), WriteStrategy)
    assert isinstance(WriteImage(save, ".npy", {}), WriteStrategy)
