from __future__ import annotations

import pytest

from napari_tessera.models.bioimageio.fields import DescriptionError, Field
from napari_tessera.models.bioimageio.sources import is_inside, read_source

NOTHING = Field("sha256", None)


@pytest.mark.parametrize("name", ["w.pt", "./w.pt", "sub/w.pt", "sub folder/ü.pt", "a..b/c"])
def test_files_of_the_package(name: str) -> None:
    source = read_source(Field("source", name), NOTHING)
    assert not source.is_remote
    assert source.name == name.removeprefix("./")


@pytest.mark.parametrize("name", ["http://x.org/w.pt", "HTTPS://zenodo.org/w.pt?download=1"])
def test_addresses(name: str) -> None:
    assert read_source(Field("source", name), NOTHING).is_remote


@pytest.mark.parametrize(
    "name",
    [
        "../w.pt",
        "sub/../../w.pt",
        "/etc/passwd",
        "..\\w.pt",
        "sub\\w.pt",
        "C:/w.pt",
        "C:\\w.pt",
        "\\\\server\\share",
        "file:///etc/passwd",
        "ftp://x.org/w.pt",
        "a\0b",
        "a\nb",
        "",
    ],
)
def test_paths_that_lead_out(name: str) -> None:
    assert not is_inside(name)
    with pytest.raises(DescriptionError, match=r"^its weights\.onnx\.source is .*") as raised:
        read_source(Field("weights.onnx.source", name), NOTHING)
    assert "\n" not in str(raised.value)


def test_hashes() -> None:
    digest = "AB" * 32
    assert read_source(Field("source", "w"), Field("sha256", digest)).sha256 == digest.lower()
    with pytest.raises(DescriptionError, match="not 64 hexadecimal digits"):
        read_source(Field("source", "w"), Field("sha256", "abc"))
