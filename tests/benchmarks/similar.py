"""Milliseconds to find the most similar of 100,000 training cases; the promise is 50.

Run as ``python tests/benchmarks/similar.py [items]``.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np

from tumorviewer.analysis.trust.similar_cases import SimilarCaseIndex

WIDTH, DIMENSIONS, ROUNDS = 640, 64, 30


def main() -> None:
    """Print two lines: a group for each item, and groups of a thousand twins."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the worker has it
    items = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for name, groups in (("own groups", items), ("groups of 1,000", max(1, items // 1000))):
        wall, processor = measure(index(items, groups))
        print(f"{items:,} items, {name}: {wall:.1f} ms, of the processor {processor:.1f} ms")


def index(items: int, groups: int) -> SimilarCaseIndex:
    """Embeddings of twins that lie close together."""
    draw = np.random.default_rng(0)
    of_group = np.sort(draw.integers(0, groups, items))
    centres = draw.normal(size=(groups, DIMENSIONS)).astype(np.float32)
    embeddings = centres[of_group] + 0.05 * draw.normal(size=(items, DIMENSIONS)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    arrays = {
        "mean": np.zeros(WIDTH, np.float32),
        "components": draw.normal(size=(DIMENSIONS, WIDTH)).astype(np.float32),
        "embeddings": embeddings.astype(np.float16),
        "labels": draw.integers(0, 4, items).astype(np.uint8),
        "sources": np.zeros(items, np.uint16),
        "groups": of_group.astype(np.int32),
        "slices": np.full(items, -1, np.int32),
        "digests": draw.integers(0, 256, (items, 8)).astype(np.uint8),
    }
    return SimilarCaseIndex(arrays, ("a", "b", "c", "d"), ("set",))


def measure(made: SimilarCaseIndex) -> tuple[float, float]:
    """Medians of wall clock and processor time of a search, ms."""
    draw = np.random.default_rng(1)
    made.search(draw.normal(size=WIDTH))
    times = []
    for _ in range(ROUNDS):
        query = draw.normal(size=WIDTH)
        before = time.perf_counter(), time.process_time()
        made.search(query)
        times.append((time.perf_counter() - before[0], time.process_time() - before[1]))
    wall, processor = np.median(times, axis=0) * 1000
    return float(wall), float(processor)


if __name__ == "__main__":
    main()
