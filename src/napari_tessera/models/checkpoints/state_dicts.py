"""Finding the weights in what people save."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

PLACES = (
    "params_ema",
    "ema_state_dict",
    "model_ema",
    "ema",
    "state_dict",
    "model_state_dict",
    "stateDict",
    "checkpoint",
    "params",
    "model",
    "net",
    "network",
    "weights",
    "generator",
    "module",
)
"""Where a checkpoint keeps its weights, the better ones first (an average over the training)."""


def find_weights(content: object, depth: int = 3) -> dict[str, Tensor] | None:
    """Find weights by name.

    Parameters
    ----------
    content : object
        What was read: weights, or a dictionary that has them under one of the usual names.
    depth : int
        How many dictionaries within one another are looked into.

    Returns
    -------
    dict of str to Tensor or None
        Less the prefixes of ``DataParallel`` and ``torch.compile``; None where there are none.
    """
    if not isinstance(content, Mapping):
        return None
    weights = {
        key: value
        for key, value in content.items()
        if isinstance(key, str) and isinstance(value, Tensor)
    }
    # anything but weights beside them means that this is the checkpoint around them
    if weights and len(weights) == len(content):
        return _renamed(weights)
    for place in PLACES if depth else ():
        found = find_weights(content.get(place), depth - 1)
        if found is not None:
            return found
    return _renamed(weights) if weights else None


def _renamed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    # AveragedModel counts the averages in it beside the weights
    count = weights.get("n_averaged")
    if count is not None and not count.ndim and len(weights) > 1:
        weights = {key: value for key, value in weights.items() if key != "n_averaged"}
    plain = {_plain(key): value for key, value in weights.items()}
    return plain if len(plain) == len(weights) else weights


def _plain(key: str) -> str:
    """A weight's name less what ``DataParallel`` and ``torch.compile`` put before it."""
    name = key.replace("_orig_mod.", "")
    while name.startswith("module."):
        name = name.removeprefix("module.")
    return name
