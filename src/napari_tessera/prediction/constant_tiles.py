"""Tiles of one grey level all over, of which the network's answer is known from the one before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from napari_tessera.prediction.tile_io import Tile

if TYPE_CHECKING:
    from torch import Tensor

    from napari_tessera.models import Model
    from napari_tessera.models.processing import Resolved

KEPT_BYTES = 32 * 2**20
"""Bytes that the answers which are kept may take, on the model's device."""

Key = tuple[Any, ...]


@dataclass(frozen=True)
class _Answer:
    """What a network made of a tile, and what the key names by its address alone."""

    made: Tensor
    processing: Resolved


class ConstantTiles:
    """Keeps what networks make of tiles that are one value per channel, halo included.

    All such tiles of one value are the same input, wherever they lie: beyond the far edges the
    reflection is of the same value, and beyond the near ones the network's own padding is that of
    every tile. So the answer is the same to the last bit, and what comes after the network
    (cropping, blending, grey levels, what is not finite) is done to it as to any other.

    Only of networks that are local, and of modules and files: a Python function may do otherwise
    each time. Used in one thread.

    Parameters
    ----------
    limit : int
        Bytes of answers to keep; those used longest ago go first.
    """

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self._limit = limit
        self._answers: OrderedDict[Key, _Answer] = OrderedDict()
        self._bytes = 0
        self._suited: dict[Model, bool] = {}

    @property
    def nbytes(self) -> int:
        """Bytes that the answers take."""
        return self._bytes

    def answers(
        self,
        model: Model,
        tiles: Sequence[Tile],
        shape: Sequence[int],
        compute: Callable[[Sequence[Tile]], Tensor],
    ) -> list[Tensor]:
        """What a network makes of tiles; those that are known are not computed.

        Parameters
        ----------
        model : Model
            The network.
        tiles : sequence of Tile
            The tiles.
        shape : sequence of int
            (Z)YX shape in which the network gets them: they may be turned.
        compute : callable
            Runs the network on some of the tiles, and gives at least as many answers.

        Returns
        -------
        list of Tensor
            ``C(Z)YX`` for each tile, on the model's device; may be changed in place.
        """
        keys = [self._key(model, tile, shape) for tile in tiles]
        found = [self._known(key) for key in keys]
        unknown = [at for at, answer in enumerate(found) if answer is None]
        if unknown:
            made = compute([tiles[at] for at in unknown])
            for at, answer in zip(unknown, made, strict=False):
                found[at] = answer
                self._keep(keys[at], answer, tiles[at].processing)
        return [answer for answer in found if answer is not None]

    def _key(self, model: Model, tile: Tile, shape: Sequence[int]) -> Key | None:
        """What decides the answer; None of a tile that has to be computed."""
        values = constant_values(tile.pixels) if self._suits(model) else None
        if values is None:
            return None
        numbers = id(tile.processing), tile.scaled, tile.pixels.dtype
        return model, numbers, values, len(tile.pixels), tuple(shape)

    def _suits(self, model: Model) -> bool:
        suited = self._suited.get(model)
        if suited is None:
            suited = self._suited[model] = model.can_move and model.geometry.reach is not None
        return suited

    def _known(self, key: Key | None) -> Tensor | None:
        answer = None if key is None else self._answers.get(key)
        if key is None or answer is None:
            return None
        self._answers.move_to_end(key)
        # what comes next may write into it
        return answer.made.clone()

    def _keep(self, key: Key | None, made: Tensor, processing: Resolved) -> None:
        size = made.numel() * made.element_size()
        if key is None or key in self._answers or size > self._limit:
            return
        # of its own: a network may answer with what it was given
        self._answers[key] = _Answer(made.clone(), processing)
        self._bytes += size
        while self._bytes > self._limit:
            _, gone = self._answers.popitem(last=False)
            self._bytes -= gone.made.numel() * gone.made.element_size()


def constant_values(pixels: NDArray[Any]) -> bytes | None:
    """The value of each channel of a tile where it is one all over; None where it is not.

    Compared bit by bit: -0.0 is no 0.0, and NaN is itself.

    Parameters
    ----------
    pixels : numpy.ndarray
        ``C(Z)YX`` in C order.
    """
    bits = pixels.reshape(len(pixels), -1).view(f"u{pixels.dtype.itemsize}")
    first = bits[:, :1]
    # few tiles come as far as to be compared as a whole
    for at in (-1, bits.shape[1] // 2):
        if (bits[:, at] != first[:, 0]).any():
            return None
    return first.tobytes() if (bits == first).all() else None
