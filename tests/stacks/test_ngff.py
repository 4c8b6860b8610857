"""OME-Zarr metadata that are incomplete, wrong or worse."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tessera.stacks import ZarrStack, open_stack
from napari_tessera.stacks.zarr.ngff import read_multiscale

from .zarr_files import TCYX, axis, check_pixels, ome_image, random_image

DATASETS = [{"path": "0"}]


def image(path: Path, described: Any, shape: tuple[int, ...] = (9, 3, 20, 24), **ome: Any) -> Path:
    group = zarr.open_group(path / "a.zarr", mode="w")
    array = random_image(*shape)
    group.create_array("0", shape=shape, dtype="u2", chunks=shape)[...] = array
    group.attrs["ome"] = {"version": "0.5", "multiscales": described, **ome}
    return path / "a.zarr"


@pytest.mark.parametrize(
    "described",
    [
        "an image",
        {"datasets": DATASETS},
        [None],
        ["0"],
        [{}],
        [{"datasets": None}],
        [{"datasets": []}],
        [{"datasets": {"path": "0"}}],
    ],
)
def test_an_image_without_datasets(described: Any, tmp_path: Path) -> None:
    path = image(tmp_path, described)
    with pytest.raises(ValueError) as error:
        open_stack(path)
    assert str(error.value) == (
        f"{path} cannot be opened as an image, its OME-Zarr metadata names no datasets: name one "
        f"of its images, e.g. {path}/0; it holds 0"
    )
    with open_stack(path / "0") as stack:
        assert stack.original_axes == "ZCYX", "guessed"


@pytest.mark.parametrize("dataset", [None, "0", {}, {"path": None}, {"path": ["0"]}, {"path": "/"}])
def test_a_dataset_without_a_path(dataset: Any, tmp_path: Path) -> None:
    path = image(tmp_path, [{"datasets": [{"path": "0"}, dataset]}])
    with pytest.raises(ValueError, match=r"names no path of dataset 1: .*holds 0"):
        open_stack(path)


@pytest.mark.parametrize("outside", ["../b.zarr/0", "0/../../b.zarr/0", "..\\b.zarr\\0", "./0"])
def test_a_path_never_leads_out_of_the_image(outside: str, tmp_path: Path) -> None:
    ome_image(tmp_path / "b.zarr", random_image(2, 3, 20, 24), "0.5")
    path = image(tmp_path, [{"datasets": [{"path": outside}]}])
    with pytest.raises(ValueError, match=r"names dataset 0 '.*', which does not lead into it"):
        open_stack(path)


def test_a_dataset_that_is_not_there(tmp_path: Path) -> None:
    path = image(tmp_path, [{"datasets": [{"path": "0"}, {"path": "/etc/passwd"}, {"path": "1"}]}])
    for level, name in ((1, "etc/passwd"), (2, "1")):
        with pytest.raises(ValueError, match=f"names an array '{name}' that it does not hold"):
            open_stack(path, level=level)
    with open_stack(path) as stack:
        assert stack.original_axes == "ZCYX", "guessed"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codecs": [{"name": "mine"}]}, r"/0 is compressed by a codec that is not installed"),
        ({"shape": [-9, 3, 20, 24]}, r"/0 cannot be opened as Zarr: .*metadata is damaged, .*copy"),
        ({"zarr_format": 9}, r"/0 cannot be opened as Zarr: .*metadata is damaged, .*copy"),
    ],
)
def test_an_array_of_an_image_that_zarr_refuses_is_named(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = image(tmp_path, [{"axes": TCYX, "datasets": DATASETS}])
    file = path / "0" / "zarr.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ValueError, match=message):
        open_stack(path)


def test_a_dataset_that_is_a_group(tmp_path: Path) -> None:
    path = image(tmp_path, [{"datasets": [{"path": "0"}, {"path": "g"}]}])
    zarr.open_group(path / "g", mode="w")
    with pytest.raises(ValueError, match="names an array 'g' that it does not hold"):
        open_stack(path, level=1)


@pytest.mark.parametrize(
    "axes", [None, 3, "tcyx", {"t": 1}, [], TCYX[1:], [*TCYX, axis("z", "space")], [None] * 4]
)
def test_axes_that_do_not_fit_are_guessed(axes: Any, tmp_path: Path) -> None:
    path = image(tmp_path, [{"axes": axes, "datasets": DATASETS}])
    with open_stack(path) as stack:
        check_pixels(stack, random_image(9, 3, 20, 24), "ZCYX")
        assert not any(stack.metadata.units or ())
    with open_stack(path, "CTYX") as stack:
        assert stack.original_axes == "CTYX"


def test_axes_in_part(tmp_path: Path) -> None:
    strange = [{"name": "z", "type": ["space"], "unit": 4}, {"type": "channel"}, {"name": 7}, {}]
    path = image(tmp_path, [{"axes": strange, "datasets": DATASETS}])
    with open_stack(path) as stack:
        assert stack.original_axes == "ZCYX"
        assert stack.metadata.units == (None,) * 4


def test_more_axes_than_there_are_letters(tmp_path: Path) -> None:
    path = image(tmp_path, [{"axes": TCYX, "datasets": DATASETS}], shape=(1, 1, 1, 1, 1, 4, 4))
    with pytest.raises(ValueError, match=r"a\.zarr/0: an image of shape 1×1×.* has 7 axes"):
        open_stack(path)


@pytest.mark.parametrize(
    ("transforms", "scale"),
    [
        (None, (1, 1, 1, 1)),
        ("scale", (1, 1, 1, 1)),
        ([None, 3, {}], (1, 1, 1, 1)),
        ([{"type": "scale"}], (1, 1, 1, 1)),
        ([{"type": "scale", "scale": [2, 2]}], (1, 1, 1, 1)),
        ([{"type": "scale", "path": "elsewhere"}], (1, 1, 1, 1)),
        ([{"type": "scale", "scale": ["2", None, 0, [1]]}], (2, 1, 1, 1)),
        ([{"type": "scale", "scale": [2, 1, 10**400, -0.5]}], (2, 1, 1, -0.5)),
        ([{"type": "identity"}, {"type": "scale", "scale": [2, 1, 3, 4]}], (2, 1, 3, 4)),
        ({"type": "scale", "scale": [2, 1, 3, 4]}, (1, 1, 1, 1)),
    ],
)
def test_transforms_that_make_no_sense_are_left_out(
    transforms: Any, scale: tuple[float, ...], tmp_path: Path
) -> None:
    datasets = [{"path": "0", "coordinateTransformations": transforms}]
    path = image(tmp_path, [{"axes": TCYX, "datasets": datasets}])
    with warnings.catch_warnings():
        # the next test looks at them
        warnings.simplefilter("ignore")
        stack = open_stack(path)
    with stack:
        assert stack.metadata.scale == scale
        assert stack.metadata.units == ("second", None, "micrometer", "micrometer")


@pytest.mark.parametrize(
    "transform",
    [
        {"type": "scale", "scale": [2, 2]},
        {"type": "scale", "scale": [2, 2, "a", 1]},
        {"type": "scale", "scale": [2, 2, 0, 1]},
        {"type": "translation", "translation": 5},
    ],
)
def test_a_size_that_is_not_used_is_told_once(transform: dict[str, Any], tmp_path: Path) -> None:
    datasets = [{"path": "0", "coordinateTransformations": [transform]}]
    path = image(tmp_path, [{"axes": TCYX, "datasets": datasets}])
    given = re.escape(f"a.zarr/0: {transform['type']} {transform[transform['type']]} in its OME-Z")
    with pytest.warns(UserWarning, match=given.replace("/", r"[/\\]")) as told:
        open_stack(path).close()
    assert len(told) == 1
    with ZarrStack(path) as stack:
        assert len(stack.unused_metadata) == 1, "whoever opens it anew is not told again"


@pytest.mark.parametrize(
    ("names", "axes"), [("xx", "YX"), ("wx", "YX"), ("yxq", "YX"), ("zyy", "ZYX"), ("qyx", "ZYX")]
)
def test_axes_that_are_not_ours_or_come_twice_are_guessed(
    names: str, axes: str, tmp_path: Path
) -> None:
    described = [{"axes": [axis(name, "space") for name in names], "datasets": DATASETS}]
    shape = (9, 20, 24)[-len(axes) :]
    with open_stack(image(tmp_path, described, shape)) as stack:
        assert stack.original_axes == axes
        assert stack.axes_guessed
    with open_stack(image(tmp_path, [{"axes": TCYX, "datasets": DATASETS}])) as stack:
        assert not stack.axes_guessed


@pytest.mark.parametrize(
    ("omero", "names"),
    [
        (None, None),
        ("DAPI", None),
        ({"channels": None}, None),
        ({"channels": {"label": "DAPI"}}, None),
        ({"channels": ["DAPI", "GFP", "RFP"]}, None),
        ({"channels": [{"label": "DAPI"}]}, None),
        ({"channels": [{}, {}, {}]}, None),
        ({"channels": [{"label": "DAPI"}, {}, {"label": 488}]}, ("DAPI", "", "488")),
        ({"channels": [{"label": None}, {"label": "GFP"}, {}]}, ("", "GFP", "")),
    ],
)
def test_channel_names(omero: Any, names: Any, tmp_path: Path) -> None:
    path = image(tmp_path, [{"axes": TCYX, "datasets": DATASETS}], omero=omero)
    with open_stack(path) as stack:
        assert stack.metadata.channel_names == names


@pytest.mark.parametrize("attributes", [[], "x", 3])
def test_attributes_that_are_no_object(attributes: Any, tmp_path: Path) -> None:
    path = image(tmp_path, [{"axes": TCYX, "datasets": DATASETS}])
    zarr.open_group(path, mode="a").attrs["ome"] = attributes
    with open_stack(path) as stack:
        assert stack.original_axes == "ZCYX", "guessed"
        assert stack.metadata.scale is None


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3) | st.sampled_from(["0", "scale"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["path", "axes", "datasets", "coordinateTransformations", "scale", "type", "name",
                 "unit", "translation", "label", "channels"]
            ),
            inner, max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=25)
@given(described=JSON, omero=JSON, axes=JSON, transforms=JSON)
def test_whatever_is_said_reads_or_is_refused(
    described: Any, omero: Any, axes: Any, transforms: Any
) -> None:
    dataset = {"path": "0", "coordinateTransformations": transforms}
    for images in (described, [described], [{"axes": axes, "datasets": [dataset]}]):
        try:
            found = read_multiscale({"multiscales": images, "omero": omero})
        except ValueError:
            continue
        if found is not None:
            assert len(found.metadata(0, (3, 20, 24)).axes) == 3
            assert all(text.startswith(("scale ", "tran")) for text in found.unused(0, 3))


@pytest.mark.parametrize(
    ("colors", "expected"),
    [
        (["ff0000", "#00FF00"], ("FF0000", "00FF00")),
        (["FF0000", None], None),
        (["red", "00FF00"], None),
        (["FF000", "00FF00"], None),
    ],
)
def test_colours_of_channels_are_taken_where_all_have_one(
    colors: list[str | None], expected: tuple[str, ...] | None
) -> None:
    omero = {"channels": [{} if color is None else {"color": color} for color in colors]}
    image = read_multiscale({"multiscales": [{"datasets": [{"path": "0"}]}], "omero": omero})
    assert image is not None
    assert image.channel_colors == expected
