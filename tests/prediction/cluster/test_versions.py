"""Which workers are refused for what they run."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest

from napari_tessera.prediction.cluster.versions import difference, own_versions, resource_name

OWN = own_versions()
PACKAGE, TORCH = OWN["napari-tessera"], OWN["torch"]


@pytest.mark.parametrize("torch", [TORCH, f"{TORCH}+cpu", f"{TORCH}+cu130"])
def test_builds_of_one_version_go_together(torch: str) -> None:
    assert difference("tcp://a:1", PACKAGE, torch) is None


@pytest.mark.parametrize(
    ("package", "torch", "says"),
    [
        ("9.9", TORCH, f"worker tcp://a:1 has napari-tessera 9.9, this computer {PACKAGE}:"),
        (PACKAGE, "2.0.0+cpu", f"worker tcp://a:1 has torch 2.0.0, this computer {TORCH}:"),
        (ModuleNotFoundError("napari_tessera"), TORCH, "has no napari-tessera: install"),
        (PACKAGE, PackageNotFoundError("torch"), "has no torch: install"),
        (OSError("gone"), TORCH, r"does not say which napari-tessera it has (gone)"),
    ],
)
def test_others_are_named_with_the_way_out(package: object, torch: object, says: str) -> None:
    line = difference("tcp://a:1", package, torch)
    assert line is not None
    assert says in line
    assert "\n" not in line


def test_runs_of_other_versions_never_meet() -> None:
    assert resource_name() == f"napari-tessera-{PACKAGE}-torch-{TORCH}"
