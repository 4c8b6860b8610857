"""One network over one image: bare loops, the peers, and the engine, all with the same tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_tessera import load_model, plan_prediction, predict
from napari_tessera.models import Model

PATCH, OVERLAP = 256, 48
STEP = PATCH - OVERLAP

Way = Callable[[], NDArray[np.float32]]
Network = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Grey:
    """Grey levels as CAREamics takes them off and puts them back.

    Parameters
    ----------
    mean, std : float
        Of the checkpoint.
    """

    mean: float
    std: float

    @classmethod
    def of(cls, checkpoint: Path) -> Grey:
        """Those that a checkpoint of CAREamics brings."""
        content = torch.load(checkpoint, map_location="cpu", weights_only=False)
        data = content["datamodule_hyper_parameters"]["data_config"]
        data = data if isinstance(data, dict) else data.model_dump(mode="json")
        found = data["normalization"]
        return cls(float(found["input_means"][0]), float(found["input_stds"][0]))

    def off(self, pixels: Any) -> Any:
        return (pixels - self.mean) / (self.std + 1e-6)

    def on(self, pixels: Any) -> Any:
        return pixels * (self.std + 1e-6) + self.mean


@dataclass(frozen=True)
class Tile:
    """Where a tile is read, what of it is kept, and where that goes."""

    read: tuple[slice, slice]
    crop: tuple[slice, slice]
    place: tuple[slice, slice]


def tiles_of(size: int) -> list[Tile]:
    """The tiles that the engine plans for a square image, which are CAREamics' as well."""

    def along(start: int) -> tuple[slice, slice, slice]:
        # the last tile is moved inward; cores join in the middle of each overlap
        begin = min(start, size - PATCH)
        kept = 0 if start == 0 else start + OVERLAP // 2
        end = size if begin + PATCH == size else begin + PATCH - OVERLAP // 2
        return slice(begin, begin + PATCH), slice(kept - begin, end - begin), slice(kept, end)

    starts = range(0, size - OVERLAP, STEP)
    return [
        Tile(*((a, b) for a, b in zip(along(y), along(x), strict=True)))  # type: ignore[arg-type]
        for y in starts
        for x in starts
    ]


def network_of(model: Model) -> Network:
    """What the engine calls with a batch: the model's network, prepared or not."""
    tile = torch.empty(1, model.in_channels or 1, PATCH, PATCH, device=model.device)
    network = model._placement.network_for(tile, model.geometry)

    def run(batch: torch.Tensor) -> torch.Tensor:
        with model._placement.casting():
            return network(batch)

    return run


def groups(tiles: Sequence[Tile], batch: int) -> Iterator[Sequence[Tile]]:
    for at in range(0, len(tiles), batch):
        yield tiles[at : at + batch]


def bare_loop(network: Network, image: NDArray[Any], grey: Grey, batch: int = 1) -> Way:
    """Slice, normalize, run, cut, store: nothing else, in one thread."""
    tiles = tiles_of(image.shape[0])

    def run() -> NDArray[np.float32]:
        out = np.empty(image.shape, np.float32)
        with torch.inference_mode():
            for group in groups(tiles, batch):
                read = np.stack([image[tile.read] for tile in group])[:, None]
                given = grey.off(torch.from_numpy(read.astype(np.float32)))
                made = grey.on(network(given))[:, 0].numpy()
                for tile, pixels in zip(group, made, strict=True):
                    out[tile.place] = pixels[tile.crop]
        return out

    return run


def whole_image(network: Network, image: NDArray[Any], grey: Grey) -> Way:
    def run() -> NDArray[np.float32]:
        with torch.inference_mode():
            given = grey.off(torch.from_numpy(image.astype(np.float32))[None, None])
            return grey.on(network(given))[0, 0].numpy()

    return run


def monai(network: Network, image: NDArray[Any], grey: Grey, batch: int = 4) -> Way:
    from monai.inferers import sliding_window_inference

    def run() -> NDArray[np.float32]:
        with torch.inference_mode():
            given = grey.off(torch.from_numpy(image.astype(np.float32))[None, None])
            made = sliding_window_inference(
                given, (PATCH, PATCH), batch, network, overlap=OVERLAP / PATCH, mode="constant"
            )
            return grey.on(made)[0, 0].numpy()

    return run


class _Named(torch.nn.Module):
    """A network as torch-em wants it: it asks where parameters are, and how many channels come."""

    out_channels = 1

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.here = torch.nn.Parameter(torch.zeros(1), requires_grad=False)
        self.network = network

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.network(batch)


def torch_em(network: Network, image: NDArray[Any], grey: Grey) -> Way:
    from torch_em.util.prediction import predict_with_halo_pipelined

    named = _Named(network)

    def run() -> NDArray[np.float32]:
        made = predict_with_halo_pipelined(
            image,
            named,
            ["cpu"],
            (STEP, STEP),
            (OVERLAP // 2, OVERLAP // 2),
            preprocess=lambda block: grey.off(block.astype(np.float32)).astype(np.float32),
            postprocess=grey.on,
            disable_tqdm=True,
        )
        return np.asarray(made)[0]

    return run


def careamics(
    checkpoint: Path, folder: Path, image: NDArray[Any], batch: int, workers: int | None = None
) -> Way:
    """CAREamics' `predict`; without workers given, with those of its own choice."""
    from careamics import CAREamist

    careamist = CAREamist(checkpoint_path=checkpoint, work_dir=folder, enable_progress_bar=False)

    def run() -> NDArray[np.float32]:
        made, _ = careamist.predict(
            image,
            batch_size=batch,
            tile_size=(PATCH, PATCH),
            tile_overlap=(OVERLAP, OVERLAP),
            axes="YX",
            data_type="array",
            num_workers=workers,
            checkpoint=checkpoint,
        )
        return np.squeeze(made[0])

    return run


def ours(model: Model, image: NDArray[Any], *, plan_each_time: bool = False) -> Way:
    """`predict` of this package, of a plan made before, or with its planning each time."""
    settings = {"patch_size": PATCH, "overlaps": OVERLAP, "batch_size": 1}
    plan = plan_prediction(image, model, **settings)
    assert plan.total_tiles == len(tiles_of(image.shape[0])), plan.total_tiles
    if plan_each_time:
        return lambda: predict(image, model, **settings)
    return lambda: predict(image, model, plan=plan)


def loaded(checkpoint: Path, *, prepare: bool) -> Model:
    return load_model(checkpoint, device="cpu", precision="float32", prepare=prepare)


def inner(size: int) -> NDArray[np.bool_]:
    """Pixels that one window alone covers, further than the network's reach from all ends of tiles.

    MONAI averages where windows meet, torch-em pads the image's borders by reflection and has its
    tiles elsewhere: this is where both must give what CAREamics gives.
    """
    starts = [min(start, size - PATCH) for start in range(0, size - OVERLAP, STEP)]
    times = np.zeros(size, int)
    for start in starts:
        times[start : start + PATCH] += 1
    alone = times == 1
    alone[:OVERLAP] = alone[-OVERLAP:] = False
    # torch-em's halo is two pixels shorter than the network reaches
    alone &= np.minimum(np.arange(size) % STEP, -np.arange(size) % STEP) >= 4
    return alone[:, None] & alone


def flops_per_pixel(network: torch.nn.Module) -> float:
    """Operations of the network for one pixel of a tile, counted by PyTorch."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 1, PATCH, PATCH))
    return counter.get_total_flops() / PATCH**2
