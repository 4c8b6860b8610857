"""Packages that try to run something, or to read what is not theirs."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_tessera.models import ModelError, load_model

Make = dict[str, Callable[..., Any]]

UNET = {
    "import_from": "careamics.models.unet",
    "callable": "UNet",
    "kwargs": {"conv_dims": 2, "depth": 2, "num_channels_init": 4},
}


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.mark}'",)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "mark"


def refused(path: Path, says: str, mark: Path) -> None:
    with pytest.raises(ModelError, match=says) as raised:
        load_model(path)
    assert "\n" not in str(raised.value)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 1000
    assert ". " in str(raised.value)
    assert not mark.exists()


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def test_the_attack_works_where_nothing_guards(mark: Path) -> None:
    torch.load(io.BytesIO(saved({"weight": Touch(mark)})), weights_only=False)
    assert mark.exists()


def test_weights_that_are_pickled_objects(package: Any, make: Make, mark: Path) -> None:
    entry = {"source": "w.pth", "architecture": UNET}
    for content in (saved({"weight": Touch(mark)}), pickle.dumps(Touch(mark))):
        path = package(
            make["description_05"](weights={"pytorch_state_dict": entry}), {"w.pth": content}
        )
        refused(path, "it holds a pickled Python object .*(posix|nt).system", mark)
        for kind in ("torchscript", "onnx"):
            path = package(
                make["description_05"](weights={kind: {"source": "w.pth"}}), {"w.pth": content}
            )
            refused(path, "none of its weights can be loaded", mark)


def test_source_code_of_its_own(package: Any, make: Make, mark: Path) -> None:
    code = f"open({str(mark)!r}, 'w')\nclass UNet: pass\n".encode()
    architectures: list[Any] = [
        {"source": "careamics.py", "callable": "UNet", "kwargs": {}},
        {"import_from": "careamics", "callable": "__init__", "kwargs": {}},
        {"import_from": "evil", "callable": "UNet", "kwargs": {}},
        "careamics.py:UNet",
        "evil.UNet",
    ]
    for architecture in architectures:
        entry = {"source": "w.pth", "architecture": architecture}
        whole = make["description_04"](weights={"pytorch_state_dict": entry})
        files = {"w.pth": saved({"a": torch.zeros(1)}), "careamics.py": code, "evil.py": code}
        refused(package(whole, files, as_zip=False), "never run|not used|none that is known", mark)


def test_processing_of_its_own(package: Any, make: Make, mark: Path) -> None:
    step = {"id": "custom", "source": "step.py", "callable": "run", "kwargs": {}}
    whole = make["description_05"]([], [step])
    code = f"open({str(mark)!r}, 'w')".encode()
    refused(package(whole, {"step.py": code}), "Python code of its own.*never run", mark)


def test_yaml_that_calls(package: Any, mark: Path) -> None:
    attack = f"!!python/object/apply:os.system ['touch {mark}']"
    for text in (f"format_version: {attack}", attack, f"type: model\nname: {attack}"):
        for as_zip in (True, False):
            refused(package(text, as_zip=as_zip), "only plain values are read", mark)


def test_yaml_that_blows_up(package: Any, mark: Path) -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [" + ",".join([f"*a{i - 1}"] * 10) + "]" for i in range(1, 10)]
    refused(package("\n".join(lines)), "more than 20,000 values", mark)
    refused(package("[" * 10_000), "nested deeper than 40", mark)
    refused(package("a: " + "x" * 2**20), "bytes, more than 262,144", mark)


@pytest.mark.parametrize("as_zip", [True, False])
@pytest.mark.parametrize(
    "source", ["/etc/passwd", "../../../etc/passwd", "file:///etc/passwd", "..\\secret", "C:/a"]
)
def test_sources_outside(package: Any, make: Make, mark: Path, source: str, as_zip: bool) -> None:
    whole = make["description_05"](weights={"torchscript": {"source": source}})
    refused(package(whole, as_zip=as_zip), r"weights\.torchscript\.source is ", mark)
    whole = make["description_05"]()
    whole["inputs"][0]["test_tensor"] = {"source": source}
    refused(package(whole, as_zip=as_zip), r"test_tensor\.source is ", mark)


def test_links_outside(package: Any, make: Make, mark: Path, same: bytes, tmp_path: Path) -> None:
    outside = tmp_path / "outside.pt"
    outside.write_bytes(same)
    path = package(make["description_05"](), as_zip=False)
    load_model(path)
    (path / "weights.pt").unlink()
    (path / "weights.pt").symlink_to(outside)
    refused(path, "'weights.pt' is a link that leads out of the package", mark)
    (path / "rdf.yaml").rename(tmp_path / "real.yaml")
    (path / "rdf.yaml").symlink_to(tmp_path / "real.yaml")
    refused(path, "'rdf.yaml' is a link that leads out of the package", mark)


def test_test_tensors_that_are_pickles(package: Any, make: Make, mark: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([Touch(mark)], dtype=object), allow_pickle=True)
    whole = make["description_05"]()
    for key, name in (("inputs", "in.npy"), ("outputs", "out.npy")):
        whole[key][0]["test_tensor"] = {"source": name}
    for content in (buffer.getvalue(), pickle.dumps(Touch(mark))):
        model = load_model(package(whole, {"in.npy": content, "out.npy": content}))
        assert model.loaded.own_test is None
        assert "own test cannot be run" in model.loaded.warnings[0]
        assert not mark.exists()


def test_network_sizes_that_no_machine_has(package: Any, make: Make, mark: Path) -> None:
    for changes in ({"num_channels_init": 10**9}, {"depth": 10**9}, {"in_channels": 10**15}):
        architecture = UNET | {"kwargs": UNET["kwargs"] | changes}
        entry = {"source": "w.pth", "architecture": architecture}
        whole = make["description_05"](weights={"pytorch_state_dict": entry})
        refused(package(whole, {"w.pth": saved({"a": torch.zeros(1)})}), "is outside 1…", mark)


def test_descriptions_of_something_else(package: Any, make: Make, mark: Path) -> None:
    refused(package("just text"), "no BioImage.IO description", mark)
    refused(package(make["description_05"](type="dataset")), "only models can be loaded", mark)
    path = mark.parent / "settings.yaml"
    path.write_text("a: 1\n")
    refused(path, "no BioImage.IO description.*Choose the package", mark)


def test_names_that_would_fill_the_screen(package: Any, make: Make, mark: Path) -> None:
    whole = make["description_05"](name="a\x1b[2Jb\nc", license="x" * 10_000)
    about = load_model(package(whole)).loaded.about
    assert about.title == "a [2Jb c"
    assert len(about.licence) == 2000
    for name in ("a\nb\x1b[2J", "long" * 10_000):
        whole["inputs"] = [{**whole["inputs"][0], "id": f"{i}{name}"} for i in range(3)]
        refused(package(whole), "takes 3 tensors", mark)
