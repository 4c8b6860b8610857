from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.layers import Image

from napari_tessera.cli import run as command_line
from napari_tessera.widgets.fields.as_code import LayerToCode, as_command, as_python, file_of
from napari_tessera.widgets.request import EVERYTHING, VIEW, RunRequest, SaveTarget

REQUEST = RunRequest((Image(np.zeros((4, 4))),), device="cpu")
LAYER = LayerToCode("cells", None, "TYX", None)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "noisy cells.tif"
    pixels = np.random.default_rng(1).poisson(100, (2, 70, 80)).astype(np.uint16)
    tifffile.imwrite(path, pixels, metadata={"axes": "TYX"})
    return path


@pytest.fixture
def layer(picture: Path, make_napari_viewer: Any) -> Any:
    """The picture, opened as napari opens it: with a window come napari's own readers."""
    (opened,) = make_napari_viewer().open(str(picture), plugin="napari")
    return opened


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(code, "copied", "exec"), names)
    return names


def test_defaults_are_left_out() -> None:
    code = as_python(REQUEST, [LAYER])
    assert "napari.current_viewer().layers['cells']" in code
    assert "load_model('builtin:denoise2d', device='cpu', precision='float32')" in code
    assert "patch_size" not in code
    assert "region" not in code


def test_what_was_chosen_is_written_out() -> None:
    request = replace(REQUEST, patch_size=(64, 32), overlaps=(8, 8), normalization="series")
    layer = replace(LAYER, region={"T": 3, "Y": slice(0, 20)}, rgb_as_input=True)
    code = as_python(request, [layer])
    for line in (
        "patch_size=(64, 32),",
        "overlaps=(8, 8),",
        "normalization='series',",
        "region={'T': 3, 'Y': slice(0, 20)},",
        "output_dtype='input',",
    ):
        assert line in code


def test_a_file_that_the_layer_shows_as_it_is_is_found(picture: Path, layer: Any) -> None:
    assert file_of(layer, "TYX") == str(picture)


def test_a_layer_that_shows_something_else_is_no_file(layer: Any) -> None:
    layer.data = layer.data[:1]
    assert file_of(layer, "TYX") is None


def test_a_file_that_is_gone_is_no_file(picture: Path, layer: Any) -> None:
    picture.unlink()
    assert file_of(layer, "TYX") is None
    assert file_of(Image(np.zeros((4, 4))), "YX") is None


def test_python_from_a_file_does_what_the_settings_say(picture: Path, tmp_path: Path) -> None:
    layer = LayerToCode("cells", str(picture), "TYX", {"T": 1, "Y": slice(5, 45)})
    request = replace(REQUEST, patch_size=(84, 84))
    names = run(as_python(request, [layer]))
    assert names["denoised"].shape == (1, 40, 80)
    saved = replace(request, save=SaveTarget(tmp_path / "out.zarr", same_dtype=True))
    code = as_python(saved, [layer])
    assert "napari.current_viewer" not in code
    names = run(code)
    with names["napari_tessera"].open_stack(names["denoised"]) as stack:
        assert stack.data_dtype == np.uint16
        assert stack.original_data_shape == (1, 40, 80)


def test_the_command_does_the_same_as_python(picture: Path, tmp_path: Path) -> None:
    layer = LayerToCode("cells", str(picture), "TYX", {"T": 1, "Y": slice(5, 45)})
    request = replace(REQUEST, patch_size=(84, 84), overlaps=(48, 48), batch_size=2)
    from_python = run(as_python(request, [layer]))["denoised"]
    saved = replace(request, save=SaveTarget(tmp_path / "from command.zarr"))
    words = shlex.split(as_command(saved, [layer]))
    assert words[:4] == ["napari-tessera", "predict", str(picture), str(saved.save.path)]
    assert command_line(words[1:]) == 0
    import napari_tessera

    with napari_tessera.open_stack(saved.save.path) as stack:
        written = stack.extract_patch(0, None, (0, 0), (40, 80))
    np.testing.assert_array_equal(written[0], from_python[0])


def test_every_setting_is_the_same_in_both(picture: Path, tmp_path: Path) -> None:
    layer = LayerToCode("cells", str(picture), "TYX", {"T": 1})
    request = replace(
        REQUEST,
        patch_size=(84, 84),
        normalization="series",
        statistics="exact",
        blending="linear",
        tta="median",
        hot_pixels="replace",
        camera_offset=-12.5,
        camera_gain=0.46,
    )
    from_python = run(as_python(request, [layer]))["denoised"]
    saved = replace(request, save=SaveTarget(tmp_path / "out.zarr"))
    assert command_line(shlex.split(as_command(saved, [layer]))[1:]) == 0
    import napari_tessera

    with napari_tessera.open_stack(saved.save.path) as stack:
        written = stack.extract_patch(0, None, (0, 0), (70, 80))
    np.testing.assert_array_equal(written[0], from_python[0])


def test_models_of_single_channels_go_along(tmp_path: Path) -> None:
    path = tmp_path / "cells.tif"
    pixels = np.random.default_rng(1).poisson(100, (2, 70, 80)).astype(np.uint16)
    tifffile.imwrite(path, pixels, metadata={"axes": "CYX"})
    layer = LayerToCode("cells", str(path), "CYX", None)
    request = replace(REQUEST, channel_models=((1, "builtin:denoise2d"),))
    code = as_python(request, [layer])
    assert "load_model({1: 'builtin:denoise2d'}, device='cpu'" in code
    assert run(code)["denoised"].shape == (1, 70, 80)
    saved = replace(request, save=SaveTarget(tmp_path / "out.zarr"))
    words = shlex.split(as_command(saved, [layer]))
    assert words[words.index("--model") + 1] == "1=builtin:denoise2d"
    assert command_line(words[1:]) == 0


def test_what_to_do_where_the_file_exists_goes_along() -> None:
    for answer, python, command in (
        ("overwrite", "overwrite=True", "--overwrite"),
        ("continue", "resume=True", "--resume"),
    ):
        request = replace(REQUEST, save=SaveTarget(Path("o.zarr"), if_exists=answer))
        assert python in as_python(request, [LAYER])
        assert command in as_command(request, [replace(LAYER, path="in.tif")])


def test_a_cluster_goes_along() -> None:
    save = SaveTarget(Path("o.ome.zarr"))
    request = replace(REQUEST, area=EVERYTHING, save=save, cluster="tcp://host:8786")
    layers = [replace(LAYER, name=name, path=f"{name}.tif") for name in ("a", "b")]
    code = as_python(replace(request, layers=REQUEST.layers * 2), layers)
    compile(code, "copied", "exec")
    assert code.count("client = Client('tcp://host:8786')") == 1
    assert code.count("    client=client,") == 2
    words = shlex.split(as_command(request, layers[:1]))
    assert words[words.index("--cluster") + 1] == "tcp://host:8786"


def test_a_preview_is_none_of_a_cluster() -> None:
    request = replace(REQUEST, area=VIEW, cluster="tcp://host:8786")
    assert "lient" not in as_python(request, [LAYER])
    assert "--cluster" not in as_command(request, [replace(LAYER, path="in.tif")])


def test_several_layers_are_done_one_after_another() -> None:
    layers = [replace(LAYER, name=name, path=f"{name}.tif") for name in ("a", "b")]
    request = replace(REQUEST, layers=REQUEST.layers * 2, save=SaveTarget(Path("o.ome.zarr")))
    code = as_python(request, layers)
    assert "denoised_1 = " in code
    assert "denoised_2 = " in code
    assert code.count("load_model") == 1
    commands = as_command(request, layers).splitlines()
    assert [shlex.split(line)[3] for line in commands] == ["o_a.ome.zarr", "o_b.ome.zarr"]


def test_without_a_place_to_save_the_command_names_one() -> None:
    words = shlex.split(as_command(REQUEST, [replace(LAYER, path="/data/in.ome.tif")]))
    assert words[3] == "in_denoised.ome.zarr"


def test_on_windows_the_command_is_quoted_as_its_shells_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer = replace(LAYER, path="C:\\my data\\in.tif")
    monkeypatch.setattr(sys, "platform", "win32")
    command = as_command(REQUEST, [layer])
    assert command.startswith('napari-tessera predict "C:\\my data\\in.tif" ')
    assert "'" not in command


def test_a_layer_that_is_no_file_has_no_command_but_a_way_out() -> None:
    with pytest.raises(ValueError, match=r"cells is no file .*: save the layer .* copy as Python"):
        as_command(REQUEST, [LAYER])


@pytest.mark.parametrize(
    ("name", "compression"), [("o.zarr", "lz4"), ("o.ome.tif", "lzw"), ("o.tif", None)]
)
def test_how_it_is_saved_is_the_same_in_both(
    tmp_path: Path, name: str, compression: str | None
) -> None:
    import napari_tessera

    path = tmp_path / "cells.tif"
    pixels = np.random.default_rng(1).poisson(100, (2, 70, 80)).astype(np.uint16)
    tifffile.imwrite(path, pixels, metadata={"axes": "CYX"})
    layer = LayerToCode("cells", str(path), "CYX", {"C": 1})
    request = replace(REQUEST, patch_size=(84, 84))
    written = []
    for folder in ("python", "command"):
        (tmp_path / folder).mkdir()
        saved = replace(request, save=SaveTarget(tmp_path / folder / name, compression=compression))
        code, words = as_python(saved, [layer]), shlex.split(as_command(saved, [layer]))
        if folder == "python":
            run(code)
        else:
            assert command_line(words[1:]) == 0
        assert ("compression=" in code) == ("--compression" in words) == bool(compression)
        assert "copy_channels=True" in code
        assert "--copy-channels" in words
        with napari_tessera.open_stack(tmp_path / folder / name) as stack:
            written.append(stack.extract_patch(0, None, (0, 0), (70, 80)))
    np.testing.assert_array_equal(written[0], written[1])
    np.testing.assert_array_equal(written[0][0], pixels[0])
    assert (written[0][1] != pixels[1]).any()
