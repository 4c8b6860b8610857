"""Seeing every operation that a network runs, whatever kind of program it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class Watching(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Context in which `see` is told of each operation of this thread."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def see(self, name: str, args: Sequence[Any], made: list[Tensor]) -> None:
        """Look at one operation.

        Parameters
        ----------
        name : str
            Its name without overload: ``"convolution"``.
        args : sequence
            Its positional arguments.
        made : list of Tensor
            The tensors that it returned.
        """
        raise NotImplementedError

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise PyTorch's compiler, of no use here, is imported first: two seconds.
        return False

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        answer = func(*args, **(kwargs or {}))
        several = answer if isinstance(answer, tuple | list) else (answer,)
        name = getattr(getattr(func, "overloadpacket", None), "__name__", "")
        self.see(name, args, [one for one in several if isinstance(one, Tensor)])
        return answer
