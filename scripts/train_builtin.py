"""Train a denoiser that comes with the package and write its weights.

    python scripts/train_builtin.py denoise2d --state FOLDER
    python scripts/train_builtin.py denoise2d --state FOLDER --cool-down 4000

Needs the packages of the group ``train`` (some of their pictures). Nothing is downloaded. The first
form trains at a constant rate until it is ended (Ctrl+C or SIGTERM), and goes on from where it was
when called again: the state is kept every few minutes, figures go to ``log.jsonl``, both in FOLDER.
A network for volumes starts from that for planes (of the package, or ``--planes``).
The second form branches off: from the state as it is, the rate falls to zero over so many steps,
then the weights are written (to ``--output``, or the package). The trunk stays as it is and may
go on. ``--cool-down 0`` writes the averaged weights as they are.

Seeds are fixed. Another processor, thread count or precision rounds differently: expect equal
quality, not equal bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from builtin_images import PACKAGED, photographs
from builtin_noise import degrade
from builtin_optimizer import Muon
from builtin_pool import Make, PatchSampler, Pool
from builtin_structures import structure
from builtin_volumes import volume
from napari_tessera.models.builtin import read_builtin
from napari_tessera.models.networks_unet import BiasFreeUNet

WEIGHTS = Path(__file__).parents[1] / "src/napari_tessera/models/weights"
PLANES = WEIGHTS / "denoise2d.safetensors"
SEED = 20240
PEAK_RATE = 1e-3
WARM_UP = 400
AVERAGING = 0.999
SUM_WEIGHT = 1.0
REPORT_EVERY = 200
SAVE_EVERY = 180.0


@dataclass(frozen=True)
class Recipe:
    """What one of the built-in denoisers is made of, and from what.

    Parameters
    ----------
    network : dict
        Keywords of `BiasFreeUNet`.
    patch : tuple of int
        ((Z,) Y, X).
    batch : int
        Patches a step.
    make : callable
        Gives the generated image of an index.
    image : tuple of int
        Shape of generated images.
    pool : int
        How many of them are drawn from at a time.
    renewal : int
        Steps after which one of them is replaced.
    photo_share : float
        How many patches come from photographs.
    """

    network: dict[str, int]
    patch: tuple[int, ...]
    batch: int
    make: Make
    image: tuple[int, ...]
    pool: int
    renewal: int
    photo_share: float


RECIPES = {
    "denoise2d": Recipe(
        {"dims": 2, "features": 48, "deep_features": 96, "blocks": 1, "deep_blocks": 3},
        (96, 96),
        8,
        partial(structure, SEED, size=256),
        (256, 256),
        600,
        6,
        0.5,
    ),
    "denoise3d": Recipe(
        {
            "dims": 3,
            "features": 48,
            "deep_features": 96,
            "blocks": 1,
            "deep_blocks": 3,
            "plane_blocks": 2,
        },
        (8, 64, 64),
        3,
        partial(volume, SEED, shape=(24, 128, 128)),
        (24, 128, 128),
        150,
        15,
        0.3,
    ),
}


def remaining_error(output: Tensor, noisy: Tensor, target: Tensor, level: Tensor) -> Tensor:
    """Return the mean share of the noise left over, with a term that keeps the sum of intensities.

    Relative to each patch's own noise, so that faint noise counts as much as strong noise.
    """
    axes = tuple(range(1, output.ndim))
    floor = 1e-6
    noise = (noisy - target).square().mean(axes) + floor
    error = (output - target).square().mean(axes)
    drift = (output.mean(axes, keepdim=True) - level).square().mean(axes)
    return ((error + SUM_WEIGHT * drift) / noise + 1e-4).sqrt().mean()


def _grown(recipe: Recipe, planes: Path) -> BiasFreeUNet:
    """Return a network for volumes that does to each plane what one for planes does.

    Its filters are zero on the planes before and after.
    """
    flat, _ = read_builtin(planes)
    weights = flat.state_dict()
    network = BiasFreeUNet(**recipe.network)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            weight.zero_()
            weight[:, :, weight.shape[2] // 2] = weights[name]
    return network


def _new_network(recipe: Recipe) -> BiasFreeUNet:
    network = BiasFreeUNet(**recipe.network)
    with torch.no_grad():
        for blocks in (network.enter, network.deep, network.leave):
            for block in blocks:
                block.second.weight *= 0.3
        network.up.weight *= 0.5
        network.tail.weight *= 0.3
    network.blind_to_level()
    return network.to(memory_format=torch.channels_last) if network.dims == 2 else network


class Training:
    """A network on its way: weights, their average, optimizer, random numbers, steps done."""

    def __init__(self, recipe: Recipe, folder: Path, *, half: bool, planes: Path = PLANES) -> None:
        self.recipe, self.half = recipe, half
        torch.manual_seed(SEED)
        volumes = recipe.network["dims"] == 3
        self.network = _grown(recipe, planes) if volumes else _new_network(recipe)
        self.average = deepcopy(self.network)
        self.optimizer = Muon(self.network)
        self.step = 0
        self.cooled = 0
        self.seconds = 0.0
        self.pool = Pool(recipe.make, recipe.image, recipe.pool, folder / "pool.npy")
        photos = [[torch.from_numpy(version) for version in photo] for photo in photographs()]
        self.sampler = PatchSampler(
            photos, self.pool, recipe.patch, recipe.batch, recipe.photo_share
        )

    def load(self, file: Path) -> None:
        """Go on from a file."""
        saved = torch.load(file, weights_only=True)
        self.network.load_state_dict(saved["network"])
        self.average.load_state_dict(saved["average"])
        self.optimizer.load_state_dict(saved["optimizer"])
        torch.set_rng_state(saved["random"])
        self.step, self.cooled = saved["step"], saved["cooled"]
        self.seconds = saved["seconds"]

    def save(self, file: Path) -> None:
        """Write a file that `load` goes on from; there is always a whole one."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "step": self.step,
            "cooled": self.cooled,
            "seconds": self.seconds,
        }
        partial_file = file.with_suffix(".partial")
        torch.save(state, partial_file)
        os.replace(partial_file, file)

    def advance(self, rate: float) -> float:
        """Do one step, and return the share of the noise left over."""
        self.pool.advance(self.step // self.recipe.renewal)
        clean = self.sampler.draw()
        noisy, target, level = degrade(clean)
        # The network is blind to the grey level; half precision is finest around zero.
        centre = level + 0.02 * torch.randn_like(level)
        noisy, target, level = noisy - centre, target - centre, level - centre
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            output = self.network(noisy)
        loss = remaining_error(output.float(), noisy, target, level)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step(rate)
        self.network.blind_to_level()
        self.step += 1
        with torch.no_grad():
            keep = min(AVERAGING, self.step / (self.step + 10))
            pairs = zip(self.average.parameters(), self.network.parameters(), strict=True)
            for slow, fast in pairs:
                slow.lerp_(fast, 1 - keep)
        return loss.item()


def run(
    training: Training, file: Path, log: Path, rate: Callable[[Training], float | None]
) -> bool:
    """Train until `rate` gives none, or the process is asked to end.

    Returns
    -------
    bool
        Whether it went on to its end.
    """
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda given, _: asked.append(given))
    losses: list[float] = []
    spent, saved, started = time.process_time(), time.monotonic(), time.monotonic()
    with log.open("a") as lines:
        while not asked and (wanted := rate(training)) is not None:
            losses.append(training.advance(wanted))
            if training.step % REPORT_EVERY == 0:
                now = time.process_time()
                training.seconds += now - spent
                spent = now
                entry = {
                    "step": training.step,
                    "cooled": training.cooled,
                    "rate": wanted,
                    "noise_left": round(sum(losses) / len(losses), 5),
                    "core_seconds": round(training.seconds),
                    "seconds_per_step": round((time.monotonic() - started) / len(losses), 4),
                }
                lines.write(json.dumps(entry) + "\n")
                lines.flush()
                losses, started = [], time.monotonic()
            if time.monotonic() - saved > SAVE_EVERY:
                training.save(file)
                saved = time.monotonic()
    training.seconds += time.process_time() - spent
    training.save(file)
    return not asked


def _trunk_rate(training: Training) -> float:
    return PEAK_RATE * min(1.0, (training.step + 1) / WARM_UP)


def _falling_rate(training: Training, steps: int) -> float | None:
    if training.cooled >= steps:
        return None
    training.cooled += 1
    return PEAK_RATE * (1 - (training.cooled - 1) / steps)


def write_weights(training: Training, path: Path) -> None:
    """Write the averaged weights as float16 safetensors, with what loaders and readers need."""
    recipe, network = training.recipe, training.average
    tensors = {name: t.half().contiguous() for name, t in network.state_dict().items()}
    size = " x ".join(map(str, recipe.patch))
    sources = ", ".join(PACKAGED)
    start = "grown from builtin:denoise2d, then " if network.dims == 3 else ""
    words = (
        f"scripts/train_builtin.py: {start}{training.step} steps (the last {training.cooled} at a"
        f" falling rate) of {recipe.batch} patches of {size} px,"
        f" {training.seconds / 3600:.1f} core-hours,"
        f" from {sum(map(len, PACKAGED.values()))} pictures packaged with {sources}, and"
        f" {recipe.pool + training.step // recipe.renewal} generated images; Gaussian and"
        " Poisson-Gaussian noise of random strength"
    )
    metadata: dict[str, Any] = {
        "architecture": type(network).__name__,
        **recipe.network,
        "reach": ",".join(map(str, network.reach)),
        "period": ",".join(map(str, network.period)),
        "normalization": "subtract the mean of the image",
        "noise": "Gaussian sigma 1.5 to 75 of 255, or 1 to 400 photons at full brightness",
        "training": words,
        "seed": SEED,
        "licence": "BSD-3-Clause",
    }
    written = save(tensors, metadata={key: str(value) for key, value in metadata.items()})
    path.write_bytes(written)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--state", type=Path, required=True, help="folder of state and log")
    parser.add_argument("--steps", type=int, help="end the trunk there")
    parser.add_argument("--cool-down", type=int, metavar="STEPS", help="branch off, write weights")
    parser.add_argument("--output", type=Path, help="weights; default: those of the package")
    parser.add_argument("--planes", type=Path, default=PLANES, help="weights to grow volumes from")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=("bfloat16", "float32"), default="bfloat16")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    chosen.state.mkdir(parents=True, exist_ok=True)
    trunk, log = chosen.state / "trunk.pt", chosen.state / "log.jsonl"
    # A branch has a pool of its own, which moves on while the trunk's does not.
    branched = chosen.cool_down is not None
    folder = chosen.state / "branch" if branched else chosen.state
    folder.mkdir(exist_ok=True)
    training = Training(
        RECIPES[chosen.name], folder, half=chosen.precision == "bfloat16", planes=chosen.planes
    )
    if not branched:
        if trunk.exists():
            training.load(trunk)
        limit = chosen.steps
        run(
            training,
            trunk,
            log,
            lambda now: None if limit is not None and now.step >= limit else _trunk_rate(now),
        )
        return
    branch = folder / f"cooling-{chosen.cool_down}.pt"
    training.load(branch if branch.exists() else trunk)
    if run(training, branch, log, partial(_falling_rate, steps=chosen.cool_down)):
        write_weights(training, chosen.output or WEIGHTS / f"{chosen.name}.safetensors")
        branch.unlink()


if __name__ == "__main__":
    main()
