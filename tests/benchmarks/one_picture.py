"""Seconds from a picture to its class and saliency map, through the client of a warm worker.

Run as ``python tests/benchmarks/one_picture.py [bundle folder]``.
"""

from __future__ import annotations

import queue
import sys
import time
from pathlib import Path

import numpy as np

from tumorviewer.analysis.client import WorkerClient
from tumorviewer.analysis.messages import Analyse, Done, Event, Failed
from tumorviewer.models.catalogue import Catalogue
from tumorviewer.study import Placement, Volume

ROUNDS = 20


def main() -> None:
    """Print one line."""
    catalogue = Catalogue()
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else catalogue.folder(catalogue.default())
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    client = WorkerClient(events.put)
    try:
        ask(client, events, folder)
        times = [ask(client, events, folder) for _ in range(ROUNDS)]
    finally:
        client.close()
    median, worst = np.median(times), max(times)
    print(f"one 512×512 picture: median {median:.3f} s, worst of {ROUNDS} {worst:.3f} s")


def picture() -> Volume:
    """A textured ellipse."""
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    inside = (x / 0.7) ** 2 + (y / 0.9) ** 2 < 1
    array = (inside * (120 + 60 * np.sin(9 * x + 5 * y))).astype(np.uint8)
    return Volume(array[None], np.eye(4), Placement.NONE, "ellipse")


def ask(client: WorkerClient, events: queue.SimpleQueue[Event], folder: Path) -> float:
    """How long the answer to a picture never seen before takes, s."""
    new = picture()
    start = time.perf_counter()
    client.submit(Analyse(new, folder))
    while not isinstance(event := events.get(), (Done, Failed)):
        pass
    if isinstance(event, Failed):
        sys.exit(event.message)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
