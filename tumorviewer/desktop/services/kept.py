"""The latest things, kept as long as they stay within a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """A cache that forgets what was not asked for the longest.

    Parameters
    ----------
    limit
        Bytes; the latest thing stays even if it alone has more.
    size
        How many bytes a thing has.
    """

    def __init__(self, limit: int, size: Callable[[T], int]) -> None:
        self._limit = limit
        self._size = size
        self._things: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable) -> T | None:
        if key in self._things:
            self._things.move_to_end(key)
        return self._things.get(key)

    def put(self, key: Hashable, thing: T) -> None:
        self._things[key] = thing
        self._things.move_to_end(key)
        while len(self._things) > 1 and self._bytes() > self._limit:
            self._things.popitem(last=False)

    def drop(self, key: Hashable) -> None:
        self._things.pop(key, None)

    def clear(self) -> None:
        self._things.clear()

    def _bytes(self) -> int:
        return sum(self._size(thing) for thing in self._things.values())
