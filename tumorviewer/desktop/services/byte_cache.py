"""The latest things, kept as long as they stay within a number of bytes."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

from cachetools import LRUCache

T = TypeVar("T")


def make_byte_cache(limit: int, measure: Callable[[T], int]) -> LRUCache[Hashable, T]:
    """A cache that forgets what was not asked for the longest.

    Parameters
    ----------
    limit
        Bytes; the latest thing stays even if it alone has more.
    measure
        How many bytes a thing has.
    """
    return LRUCache(limit, lambda thing: min(measure(thing), limit))
