"""A model that a client sends to workers without having looked at it: they refuse it themselves."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.models.checkpoints.attacks import zip_checkpoint

from napari_tessera import predict_to_disk
from napari_tessera.prediction.cluster import ClusterError
from napari_tessera.prediction.cluster import run as run_module
from napari_tessera.prediction.cluster.parcels import ModelParcel, parcels_of

from .scenes import SETTINGS


def test_workers_load_by_the_loaders_that_refuse_code(
    client: Any, image: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pickle would make a file; no worker runs it, and nothing is written."""
    ran = tmp_path / "ran"
    zip_checkpoint(tmp_path / "evil.pt", ran)
    content = (tmp_path / "evil.pt").read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()

    def swapped(loaded: Any) -> Any:
        spec, _ = parcels_of(loaded)
        ((channel, _, options),) = spec.parcels
        parcels = ((channel, sha256, options),)
        return replace(spec, parcels=parcels), (ModelParcel("evil.pt", sha256, content),)

    monkeypatch.setattr(run_module, "parcels_of", swapped)
    out = tmp_path / "a.ome.zarr"
    with pytest.raises(ClusterError, match="no worker can take part: worker tcp://") as told:
        predict_to_disk(image, model, out, client=client, **SETTINGS)
    assert "\n" not in str(told.value)
    assert not ran.exists()
    assert not out.exists()
