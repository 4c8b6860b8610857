"""Finding weights in what people save."""

from __future__ import annotations

import torch

from napari_tessera.models.checkpoints.state_dicts import find_weights

ONE = torch.zeros(1)
TWO = torch.ones(1)


def test_by_the_usual_names() -> None:
    for place in ("state_dict", "model_state_dict", "params", "model", "net", "generator"):
        assert find_weights({place: {"w": ONE}, "epoch": 3}) == {"w": ONE}


def test_averaged_weights_come_first() -> None:
    found = find_weights({"params": {"w": ONE}, "params_ema": {"w": TWO}})
    assert found == {"w": TWO}


def test_one_within_another() -> None:
    assert find_weights({"model": {"state_dict": {"w": ONE}, "args": 3}}) == {"w": ONE}
    deep: object = {"w": ONE}
    for _ in range(10):
        deep = {"model": deep}
    assert find_weights(deep) is None


def test_a_dictionary_within_itself() -> None:
    loop: dict[str, object] = {}
    loop["model"] = loop
    assert find_weights(loop) is None


def test_weights_beside_other_things() -> None:
    assert find_weights({"w": ONE, "epoch": 3}) == {"w": ONE}
    assert find_weights({"state_dict": {"w": ONE, "_extra_state": {}}}) == {"w": ONE}
    assert find_weights({"w": ONE, 3: ONE}) == {"w": ONE}


def test_prefixes_that_wrappers_leave() -> None:
    state = {"module.a.w": ONE, "_orig_mod.module.b.w": ONE, "model._orig_mod.c.w": ONE}
    found = find_weights(state)
    assert found is not None
    assert found.keys() == {"a.w", "b.w", "model.c.w"}


def test_prefixes_stay_where_names_would_collide() -> None:
    state = {"module.w": ONE, "w": TWO}
    assert find_weights(state) == state


def test_no_weights() -> None:
    for content in (None, 3, [], {}, {"a": 1}, {"state_dict": {"a": 1}}):
        assert find_weights(content) is None


def test_names_of_other_programs() -> None:
    for place in ("ema", "checkpoint", "stateDict"):
        assert find_weights({place: {"w": ONE}, "epoch": 3}) == {"w": ONE}


def test_an_averaged_model() -> None:
    network = torch.nn.Conv2d(1, 1, 3)
    averaged = torch.optim.swa_utils.AveragedModel(network)
    found = find_weights(averaged.state_dict())
    assert found is not None
    assert found.keys() == network.state_dict().keys()
