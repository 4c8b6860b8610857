from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from napari_tessera.models.about import Citation
from napari_tessera.models.bioimageio.axes import AxisSize
from napari_tessera.models.bioimageio.description import PackageDescription, read_description
from napari_tessera.models.bioimageio.fields import DescriptionError

Make = dict[str, Callable[..., Any]]
Yaml = dict[str, Any]


def read(whole: Yaml) -> PackageDescription:
    return read_description(yaml.safe_dump(whole).encode())


def test_who_made_it(make: Make) -> None:
    about = read(make["description_05"]()).about
    assert about.title == "a small model"
    assert about.version == "1.2.0"
    assert about.licence == "CC-BY-4.0"
    assert about.documentation == "README.md"
    assert about.authors == ("Ada L.", "Grace H.")
    assert about.citations == (
        Citation("A paper", "https://doi.org/10.1000/182"),
        Citation("B", "https://b.org"),
    )
    older = read(make["description_04"]()).about
    assert older.citations == (Citation("A paper", "https://doi.org/10.1000/182"),)
    assert older.version is None


def test_what_people_read_never_fails(make: Make) -> None:
    odd = make["description_05"](
        authors=["Ada", {"orcid": "1"}, 3],
        cite=["free text", {"doi": "10.1/2"}, {}],
        license=["MIT"],
        documentation={"source": "doc.md"},
        version=2,
        name="two\nlines",
    )
    about = read(odd).about
    assert about.authors == ("Ada", "3")
    assert about.citations == (
        Citation("free text"),
        Citation("https://doi.org/10.1/2", "https://doi.org/10.1/2"),
    )
    assert about.licence is None
    assert about.documentation == "doc.md"
    assert about.title == "two lines"


@pytest.mark.parametrize(
    ("version", "kind"),
    [("0.4.0", "0.4"), ("0.4.10", "0.4"), (0.4, "0.4"), ("0.5.0", "0.5"), ("0.5.12.1", "0.5")],
)
def test_versions(make: Make, version: Any, kind: str) -> None:
    parts = make["description_04" if kind == "0.4" else "description_05"]
    assert read(parts(format_version=version)).version == kind


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format_version": "0.3.6"}, "'0.3.6', and the oldest format that is read is 0.4"),
        ({"format_version": "0.6.0"}, "'0.6.0', and the newest format that is known is 0.5"),
        ({"format_version": "new"}, "'new', no version"),
        ({"format_version": None}, "no BioImage.IO description: it has no format_version"),
        ({"type": "dataset"}, "type is 'dataset', and only models"),
        ({"type": None}, "type is None, and only models"),
        ({"inputs": None}, "it has no inputs"),
        ({"outputs": {}}, "outputs is {}, not a list"),
        ({"weights": {}}, "it has no weights"),
        ({"weights": None}, "it has no weights"),
        ({"config": "none"}, "config is 'none', not a mapping"),
    ],
)
def test_descriptions_that_cannot_be_followed(make: Make, changes: Yaml, says: str) -> None:
    with pytest.raises(DescriptionError, match=says):
        read(make["description_05"](**changes))
    with pytest.raises(DescriptionError, match="no BioImage"):
        read_description(b"- a list")


def test_one_image_in_and_one_out(make: Make) -> None:
    whole = make["description_05"]()
    second = {**whole["inputs"][0], "id": "mask"}
    with pytest.raises(DescriptionError, match=r"takes 2 tensors \(raw, mask\), not one image"):
        read(whole | {"inputs": [*whole["inputs"], second]})
    with pytest.raises(DescriptionError, match=r"returns 2 tensors \(clean, more\)"):
        read(whole | {"outputs": [*whole["outputs"], {**whole["outputs"][0], "id": "more"}]})
    with pytest.raises(DescriptionError, match=r"takes 0 tensors \(none\)"):
        read(whole | {"inputs": []})
    optional = {**second, "optional": True}
    assert read(whole | {"inputs": [*whole["inputs"], optional]}).position == 0
    assert read(whole | {"inputs": [optional, *whole["inputs"]]}).position == 1


def test_sizes_may_only_follow_what_there_is(make: Make) -> None:
    whole = make["description_05"]()
    whole["outputs"][0]["axes"][2]["size"]["axis_id"] = "q"
    with pytest.raises(DescriptionError, match=r"axis 'y' of 'clean' follows raw\.q, which"):
        read(whole)


def test_a_volume_does_not_become_a_plane(make: Make) -> None:
    whole = make["description_05"](axes="bczyx")
    whole["outputs"][0]["axes"] = make["output_axes_05"]("bcyx")
    with pytest.raises(DescriptionError, match="makes 2D images of 3D ones"):
        read(whole)


def test_outputs_take_the_sizes_of_the_axes_that_they_follow(make: Make) -> None:
    newer = make["description_05"]()
    newer["outputs"][0]["axes"][3] |= {"scale": 2.0, "halo": 3}
    y, x = read(newer).prediction.layout.spatial
    assert y.size == AxisSize(4, 4)
    assert (x.size, x.halo) == (AxisSize(2, 2), 3)
    older = make["description_04"](channels=3)
    older["outputs"][0]["shape"] |= {"scale": [1, 1, 2, 2], "offset": [0, 0, -8, 0]}
    layout = read(older).prediction.layout
    assert layout.channels == 3
    assert [axis.size for axis in layout.spatial] == [AxisSize(16, 16), AxisSize(32, 16)]


def test_axes_of_one_entry_that_the_output_follows(make: Make) -> None:
    whole = make["description_05"](axes="btczyx")
    for axis in whole["inputs"][0]["axes"]:
        if axis.get("id") == "z":
            axis["size"] = 1
    whole["outputs"][0]["axes"][1]["size"] = {"tensor_id": "raw", "axis_id": "time"}
    found = read(whole)
    assert found.image.layout.letters == found.prediction.layout.letters == "N1C1YX"


def test_types_that_the_network_takes(make: Make) -> None:
    def cast(dtype: str) -> Yaml:
        return {"id": "ensure_dtype", "kwargs": {"dtype": dtype}}

    assert read(make["description_05"]()).network_dtype == "float32"
    assert read(make["description_05"]([cast("uint8")])).network_dtype == "uint8"
    typed = make["description_05"]()
    typed["inputs"][0]["data"] = {"type": "uint16"}
    assert read(typed).network_dtype == "uint16"
    typed["inputs"][0]["data"] = [{"type": "int16"}]
    assert read(typed).network_dtype == "int16"
    typed["inputs"][0]["data"] = []
    with pytest.raises(DescriptionError, match="not a mapping"):
        read(typed)
    older = make["description_04"]()
    older["inputs"][0]["data_type"] = "uint8"
    assert read(older).network_dtype == "float32"


def test_tolerances(make: Make) -> None:
    def tolerance(whole: Yaml, **config: Any) -> tuple[float, float, float]:
        found = read(whole | {"config": {"bioimageio": config}}).tolerance("torchscript")
        return found.absolute, found.relative, found.mismatched_per_million

    new, old = make["description_05"](), make["description_04"]()
    assert tolerance(new) == (1e-3, 1e-3, 100)
    assert tolerance(old) == (1e-3, 1e-3, 0)
    own = {"torchscript": {"absolute_tolerance": 0.01}}
    assert tolerance(new, test_kwargs=own) == (0.01, 1e-3, 100)
    assert tolerance(new, test_kwargs={"onnx": own["torchscript"]}) == (1e-3, 1e-3, 100)
    assert tolerance(old, test_kwargs={"torchscript": {"decimal": 2}}) == (0.015, 0, 0)
    entries = [
        {"weights_formats": ["onnx"], "absolute_tolerance": 9},
        {"output_ids": ["other"], "absolute_tolerance": 8},
        {"absolute_tolerance": 0.5, "mismatched_elements_per_million": 3},
        {"absolute_tolerance": 7},
    ]
    assert tolerance(new, reproducibility_tolerance=entries) == (0.5, 1e-3, 3)
    with pytest.raises(DescriptionError, match="absolute_tolerance is -1, not within"):
        tolerance(new, test_kwargs={"torchscript": {"absolute_tolerance": -1}})


def test_weights_in_the_order_of_choice(make: Make) -> None:
    weights = {
        "keras_hdf5": {"source": "w.h5"},
        "onnx": {"source": "w.onnx"},
        "torchscript": {"source": "w.pt"},
        "pytorch_state_dict": {
            "source": "w.pth",
            "architecture": {"import_from": "some.where", "callable": "Net", "kwargs": {"n": 1}},
        },
    }
    entries = read(make["description_05"](weights=weights)).weights
    kinds = [entry.kind for entry in entries]
    assert kinds == ["pytorch_state_dict", "torchscript", "onnx", "keras_hdf5"]
    assert (entries[0].module, entries[0].callable) == ("some.where", "Net")
    assert entries[0].kwargs == {"n": 1}


@pytest.mark.parametrize(
    ("architecture", "module", "name"),
    [
        ("careamics.models.unet.UNet", "careamics.models.unet", "UNet"),
        ("network.py:Net", "", "Net"),
        ("https://x.org/network.py:Net", "", "Net"),
        ({"source": "network.py", "callable": "Net"}, "", "Net"),
    ],
)
def test_architectures(make: Make, architecture: Any, module: str, name: str) -> None:
    entry = {"source": "w.pth", "architecture": architecture, "kwargs": {"depth": 2}}
    (found,) = read(make["description_04"](weights={"pytorch_state_dict": entry})).weights
    assert (found.module, found.callable) == (module, name)
