"""Worker processes that write to the store in S3 that the client's process holds the lock of."""

from __future__ import annotations

import pytest

from napari_tessera import load_model, predict_to_disk
from napari_tessera.prediction import Progress
from napari_tessera.prediction.cluster.connecting import cluster_client
from napari_tessera.writing.places.lock import StoreBusyError, lock_store

from .buckets import S3Place
from .images import SETTINGS, store_image


@pytest.mark.slow
def test_workers_need_no_lock_and_disturb_none(s3: S3Place, blur: str) -> None:
    store_image(s3.url("in shards.ome.zarr"), "shards")
    source, model = s3.url("in shards.ome.zarr"), load_model(blur, device="cpu")
    predict_to_disk(source, model, s3.url("one.ome.zarr"), **SETTINGS)
    out = s3.url("many.ome.zarr")
    refused: list[str] = []

    def while_it_runs(state: Progress) -> None:
        if state.done and not refused:
            with pytest.raises(StoreBusyError, match="is being written by another run") as caught:
                lock_store(out)
            refused.append(str(caught.value))

    said: list[str] = []
    with cluster_client("local", workers=2, threads_per_worker=1, warn=said.append) as client:
        predict_to_disk(source, model, out, client=client, progress=while_it_runs, **SETTINGS)
    assert refused
    assert s3.hashes("many.ome.zarr") == s3.hashes("one.ome.zarr")
    # the client's process has let go of it
    lock_store(out).release()
