"""Whether a cluster that is asked for will do, found before an image is opened."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from napari_tessera.writing import FileFormat
from napari_tessera.writing.files.formats import OME_ZARR

if TYPE_CHECKING:
    from distributed import Client


def check_cluster(client: Client, form: FileFormat) -> None:
    """Raise unless a client can be worked with, and workers can share a result of that format.

    Raises
    ------
    ValueError
        If it is no client, an asynchronous one, or workers would write to one file.
    ClusterError
        If the client is closed, or Dask distributed is not installed.

    Warns
    -----
    UserWarning
        If the scheduler is spoken with in the clear over a public network.
    """
    from napari_tessera.prediction.cluster.connecting import check_client, warning_of

    check_client(client)
    if form is not OME_ZARR:
        raise ValueError(
            f"workers of a cluster write OME-Zarr, and {form.label} is one file: use .ome.zarr, or "
            "leave the cluster out"
        )
    if (line := warning_of(client)) is not None:
        warnings.warn(line, UserWarning, stacklevel=3)
