"""What a tile costs a model, in memory and multiplications: measured once, and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_tessera.models.cache import Facts
from napari_tessera.models.memory import UNSEEN, Held, memory_of
from napari_tessera.models.work import UNSEEN_WORK, measure_work

if TYPE_CHECKING:
    from napari_tessera.models.model import Model


def held_by(model: Model, facts: Facts) -> Held:
    """What a run of a model holds; taken for granted where its network fails on that.

    Raises
    ------
    ModelError
        As `Model.geometry`.
    """
    name = f"held {model.device.type} {model.precision}{' prepared' * model.prepared}"
    known = Held.from_json(facts.get(name))
    if known is None:
        geometry = model.geometry
        try:
            if geometry.keeps_size:
                # once and for all, before anything is counted
                model.get_ready()
            known = memory_of(model, geometry, model.in_channels or 1, model.device)
        except Exception:
            # any exception: the network is somebody's code. Only a figure was wanted, and
            # a run tells what is wrong; the next demand may have more memory.
            return Held(UNSEEN)
        facts.put(name, known.to_json())
    return known


def work_of(model: Model, facts: Facts) -> float:
    """Multiplications for each pixel; taken for granted where the network fails on a tile.

    Raises
    ------
    ModelError
        As `Model.geometry`.
    """
    known = facts.get("work")
    if not isinstance(known, float) or not known > 0:
        fitting, channels = model.geometry.sizes.rounded_up, model.in_channels or 1
        try:
            known = measure_work(model.loaded.network, fitting, model.spatial_dims, channels)
        except Exception:
            # as in `held_by`
            return UNSEEN_WORK
        facts.put("work", known)
    return known
