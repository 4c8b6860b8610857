"""A store that fails now and then, as a network does."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from threading import Lock
from typing import Any

from zarr.abc.store import Store
from zarr.core.buffer import Buffer
from zarr.storage import WrapperStore


def passing() -> BaseException:
    return ConnectionResetError("connection reset by peer")


class FailingStore(WrapperStore[Store]):
    """Each operation out of ``every`` fails; or as many as ``fails`` says, for keys it names.

    With ``after`` the operation is done before it fails: its answer was lost.
    """

    def __init__(
        self,
        store: Store,
        *,
        every: int | None = None,
        error: Callable[[], BaseException] = passing,
        fails: Callable[[str, str], bool] = lambda operation, key: False,
        after: bool = False,
    ) -> None:
        super().__init__(store)
        self.settings: dict[str, Any] = {
            "every": every,
            "error": error,
            "fails": fails,
            "after": after,
        }
        self.done: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.count = 0
        self.guard = Lock()

    def _with_store(self, store: Store) -> FailingStore:
        return FailingStore(store, **self.settings)

    def _due(self, operation: str, key: str) -> bool:
        with self.guard:
            self.count += 1
            every = self.settings["every"]
            due = (every is not None and self.count % every == 0) or self.settings["fails"](
                operation, key
            )
            (self.failed if due else self.done)[f"{operation} {key}"] += 1
        return due

    async def _do(self, operation: str, key: str, call: Callable[[], Any]) -> Any:
        due = self._due(operation, key)
        if due and not self.settings["after"]:
            raise self.settings["error"]()
        answer = await call()
        if due:
            raise self.settings["error"]()
        return answer

    async def get(self, key: str, *args: Any, **kwargs: Any) -> Buffer | None:
        return await self._do("get", key, lambda: self._store.get(key, *args, **kwargs))

    async def get_partial_values(self, prototype: Any, key_ranges: Any) -> list[Buffer | None]:
        return await self._do(
            "get", "parts", lambda: self._store.get_partial_values(prototype, key_ranges)
        )

    async def exists(self, key: str) -> bool:
        return await self._do("exists", key, lambda: self._store.exists(key))

    async def set(self, key: str, value: Buffer) -> None:
        await self._do("set", key, lambda: self._store.set(key, value))

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        await self._do("set", key, lambda: self._store.set_if_not_exists(key, value))

    async def delete(self, key: str) -> None:
        await self._do("delete", key, lambda: self._store.delete(key))

    async def delete_dir(self, prefix: str) -> None:
        await self._do("delete", prefix, lambda: self._store.delete_dir(prefix))

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        return self._half_of(self._store.list_dir(prefix), prefix)

    def list(self) -> AsyncIterator[str]:
        return self._half_of(self._store.list(), "")

    async def _half_of(self, names: AsyncIterator[str], prefix: str) -> AsyncIterator[str]:
        due = self._due("list", prefix)
        n_given = 0
        async for name in names:
            if due and n_given:
                break
            yield name
            n_given += 1
        if due:
            raise self.settings["error"]()

    async def getsize(self, key: str) -> int:
        return await self._do("get", key, lambda: self._store.getsize(key))
