"""Parts of whole groups: of each collection and label about the same number of images."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.segmentation.table import Outlined


def fold_of_items(items: Sequence[Outlined], folds: int) -> NDArray[np.int64]:
    """``(N,)`` fold of each row of the table; a group is in one fold.

    The largest groups are dealt first, each to the fold that has least of its collection and label.
    """
    sizes = Counter(item.group for item in items)
    strata = {item.group: (item.collection, item.label) for item in items}
    held: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * folds)
    total = [0] * folds
    chosen: dict[str, int] = {}
    for group in sorted(sizes, key=lambda one: (-sizes[one], one)):
        mine = held[strata[group]]
        fold = min(range(folds), key=lambda one: (mine[one], total[one], one))
        chosen[group] = fold
        mine[fold] += sizes[group]
        total[fold] += sizes[group]
    return np.array([chosen[item.group] for item in items])
