"""A cache that drops what has not been used for longest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Values that were used last, up to a total weight; the last one always stays."""

    def __init__(self, limit: int, weigh: Callable[[V], int] = lambda value: 1) -> None:
        """Start without values.

        Args:
            limit: Maximum of the sum of the weights.
            weigh: Function from a value to its weight.
        """
        self._limit, self._weigh, self._weight = limit, weigh, 0
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return the value of a key, which is then the last one used; None without one."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        """Set the value of a new key, and drop those that have not been used for longest."""
        self._values[key] = value
        self._weight += self._weigh(value)
        while self._weight > self._limit and len(self._values) > 1:
            self._weight -= self._weigh(self._values.popitem(last=False)[1])

    def pop(self, key: K) -> V | None:
        """Remove and return the value of a key; None without one."""
        value = self._values.pop(key, None)
        self._weight -= 0 if value is None else self._weigh(value)
        return value
