"""TorchScript that takes grey levels and gives grey levels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from napari_tessera.models.exporting.tracing import probes, traced
from napari_tessera.models.own_format.document import EPSILON
from napari_tessera.models.own_format.history import without_places
from napari_tessera.models.own_format.programs import FORMAT, NOTE
from napari_tessera.models.own_format.reading import Trained, read_trained
from napari_tessera.whole_files import check_place, whole_file


class GreyLevels(nn.Module):
    """A network with its normalization around it: grey levels in, grey levels out.

    Each mean is held as the sum of two float32 numbers, so that a large one is not rounded before
    it meets its pixels.

    Parameters
    ----------
    trained : Trained
        The model.
    """

    mean: Tensor
    mean_rest: Tensor
    std: Tensor
    out_mean: Tensor
    out_mean_rest: Tensor
    out_std: Tensor

    def __init__(self, trained: Trained) -> None:
        super().__init__()
        document = trained.document
        self.network = trained.network
        dims = document.settings.spatial_dims
        pairs = {"": (document.means, document.stds), "out_": document.output_pair}
        for prefix, (means, stds) in pairs.items():
            exact = np.asarray(means, np.float64)
            high = exact.astype(np.float32)
            for name, values in (
                ("mean", high),
                ("mean_rest", (exact - high).astype(np.float32)),
                ("std", (np.asarray(stds, np.float64) + EPSILON).astype(np.float32)),
            ):
                shaped = torch.from_numpy(values).reshape(1, -1, *(1,) * dims)
                self.register_buffer(f"{prefix}{name}", shaped)

    def forward(self, x: Tensor) -> Tensor:
        """Return the prediction in grey levels."""
        answer: Tensor = self.network(((x - self.mean) - self.mean_rest) / self.std)
        return (answer * self.out_std + self.out_mean_rest) + self.out_mean


def export_torchscript(
    model_file: str | Path,
    out: str | Path,
    *,
    overwrite: bool = False,
    authors: Sequence[str] = (),
    licence: str | None = None,
) -> Path:
    """Write a trained model as TorchScript.

    The program takes float32 NC(Z)YX in grey levels and gives the same, with the numbers of the
    training data built in; sizes are multiples of ``2 ** depth``. Beside the program the file
    holds the model's description, by which this package knows what it is.

    Parameters
    ----------
    model_file, out, overwrite, authors, licence
        As `export_model`.

    Raises
    ------
    ModelError
        If the model is of another kind.
    OSError
        If a file cannot be read or written.
    """
    out = Path(out)
    check_place(out, overwrite=overwrite)
    trained = read_trained(Path(model_file))
    document = trained.document.signed(authors, licence)
    described = json.loads(document.to_json())
    described["training"] = without_places(described["training"])
    note = json.dumps(
        {"format": FORMAT, "grey_levels": "built in", "model": described},
        ensure_ascii=False,
    )
    images = probes(document.settings, float(np.mean(document.means)), float(max(document.stds)))
    content = traced(GreyLevels(trained).eval(), images, {NOTE: note})
    with whole_file(out, overwrite=overwrite) as partial:
        partial.write_bytes(content)
    return out
