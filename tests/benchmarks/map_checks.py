"""Time to check the saliency map of one slice, by every quick method of a model; at most 2 s on two
cores is promised. The classes' probabilities are there already, as they are in the window.

Wall time and processor time are given, as other jobs change the first only.

Run as ``python tests/benchmarks/map_checks.py [bundle folder]``.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as in the worker

import numpy as np
import torch

from tumorviewer.analysis import device, predict
from tumorviewer.analysis.examination import Examination
from tumorviewer.analysis.methods import METHODS
from tumorviewer.analysis.slices import prepare_volume
from tumorviewer.analysis.trust import map_checks, map_verdict
from tumorviewer.models.catalogue import Catalogue
from tumorviewer.study import Placement, Volume

LIMIT_S = 2.0


def main() -> int:
    """Print a small table; 1 if a check takes too long."""
    catalogue = Catalogue()
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else catalogue.folder(catalogue.default())
    device.use_threads()
    model = predict.load_model(folder, "cpu")
    card = model.card
    examination = Examination(prepare_volume(head(), card.preprocessing), model)
    said = examination.probabilities()[0]
    tumours = [name for name in card.classes if name != card.no_tumour]
    target = max(tumours, key=lambda name: said[card.classes.index(name)])
    print(f"{card.name} at {card.preprocessing.size}, {torch.get_num_threads()} threads")
    print(f"{'':18}{'wall':>9}{'processor':>11}")
    slowest = 0.0
    for method in METHODS.values():
        if method.suits(card) and not method.is_slow:
            wall, processor = timed(examination, map_checks.CheckedMap(method.key, target, "", 0))
            slowest = max(slowest, wall)
            print(f"{method.key:18}{wall:7.2f} s{processor:9.2f} s")
    return int(slowest > LIMIT_S)


def timed(
    examination: Examination, asked: map_checks.CheckedMap, repeats: int = 5
) -> tuple[float, float]:
    """Least wall and processor time of one check, s."""
    times = []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        check = map_checks.check_map(examination, asked)
        times.append((time.perf_counter() - wall, time.process_time() - processor))
    if check.nothing:
        print(f"{asked.method}: {map_verdict.describe_check(check)}")
    best = np.min(times, axis=0)
    return float(best[0]), float(best[1])


def head() -> Volume:
    """One slice: a textured ellipse with a bright spot, which most models call a tumour."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    inside = (x / 0.7) ** 2 + (y / 0.9) ** 2 < 1
    picture = inside * (90 + 20 * np.sin(9 * x + 7 * y) + rng.normal(0, 8, x.shape))
    picture[(x - 0.25) ** 2 + (y + 0.2) ** 2 < 0.02] = 235
    array = picture.clip(0, 255).astype(np.uint8)[None]
    return Volume(array, np.eye(4), Placement.PATIENT, "ellipse")


if __name__ == "__main__":
    sys.exit(main())
