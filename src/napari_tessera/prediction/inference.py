"""A batch of tiles through the model."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_tessera.prediction.plan import PredictionPlan
from napari_tessera.prediction.tile_io import Tile, crop

if TYPE_CHECKING:
    import torch

    from napari_tessera.models import Model


class TileModel:
    """Normalizes, runs the model, undoes the normalization and crops.

    A context manager to be used in one thread: torch's number of threads binds to the thread
    that runs the model, and is put back at the end.

    Parameters
    ----------
    plan : PredictionPlan
        The plan.
    model : Model
        The model.
    """

    def __init__(self, plan: PredictionPlan, model: Model) -> None:
        self._plan = plan
        self._model = model
        self._threads: int | None = None

    def __enter__(self) -> Self:
        import torch

        wanted = self._plan.settings.torch_threads
        if wanted is not None and wanted != torch.get_num_threads():
            self._threads = torch.get_num_threads()
            torch.set_num_threads(wanted)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        import torch

        if self._threads is not None:
            torch.set_num_threads(self._threads)

    def __call__(self, tiles: Sequence[Tile]) -> list[NDArray[np.float32]]:
        """Predict tiles.

        Parameters
        ----------
        tiles : sequence of Tile
            At most ``batch_size``; fewer are filled up, so that the model always sees one shape.

        Returns
        -------
        list of numpy.ndarray
            Core of each tile, ``C(Z)YX`` float32, in grey levels.
        """
        import torch

        missing = self._plan.settings.batch_size - len(tiles)
        filled = [*tiles, *[tiles[-1]] * missing]
        device = self._model.device
        with torch.inference_mode():
            pixels = torch.from_numpy(np.stack([tile.pixels for tile in filled])).to(device)
            mean = self._per_channel([tile.mean for tile in filled], pixels)
            std = self._per_channel([tile.std for tile in filled], pixels)
            out = self._model((pixels - mean) / std)
            if out.shape[1] != pixels.shape[1]:
                # Other channels than went in: they share the grey levels of all.
                mean, std = mean.mean(dim=1, keepdim=True), std.mean(dim=1, keepdim=True)
            out = out * std + mean
            return [
                np.ascontiguousarray(crop(tile.specs, predicted).cpu().numpy())
                for tile, predicted in zip(tiles, out, strict=False)
            ]

    @staticmethod
    def _per_channel(values: Sequence[NDArray[np.float32]], like: torch.Tensor) -> Any:
        import torch

        stacked = torch.from_numpy(np.stack(values)).to(like.device)
        return stacked.reshape(*stacked.shape, *(1,) * (like.ndim - 2))
