"""A mix: what there is, and how often. `normal=80,quits=5` are weights, not percent."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mix(Generic[T]):
    """Items with weights, at least one of them above 0."""

    weights: tuple[tuple[T, float], ...]

    def __post_init__(self) -> None:
        if not sum(weight for _, weight in self.weights) > 0:
            raise ValueError("A mix needs at least one weight above 0")

    def picker(self, rng: random.Random) -> Callable[[], T]:
        """Picks one of the items, by its weight, each time it is called."""
        sums = list(accumulate(weight for _, weight in self.weights))
        last = max(n for n, (_, weight) in enumerate(self.weights) if weight > 0)

        def pick() -> T:
            place = bisect_right(sums, rng.random() * sums[-1])
            return self.weights[min(place, last)][0]

        return pick

    def spread(self, count: int) -> list[T]:
        """`count` items in the proportions of the mix, as evenly as whole numbers allow."""
        total = sum(weight for _, weight in self.weights)
        exact = [count * weight / total for _, weight in self.weights]
        shares = [int(each) for each in exact]
        by_rest = sorted(range(len(exact)), key=lambda n: (shares[n] - exact[n], n))
        for n in by_rest[: count - sum(shares)]:
            shares[n] += 1
        pairs = zip(self.weights, shares, strict=True)
        return [item for (item, _), share in pairs for _ in range(share)]

    def __str__(self) -> str:
        return ",".join(f"{item}={weight:g}" for item, weight in self.weights)
