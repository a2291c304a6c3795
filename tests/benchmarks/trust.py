"""What trust flags and prediction sets add to a study's analysis, per cent; the promise is 10.

Run as ``python tests/benchmarks/trust.py [BUNDLE]``; without one, of the default model. A bundle
without measures of trust adds nothing.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from tumorviewer.analysis import predict
from tumorviewer.analysis.methods import DEFAULT_METHOD
from tumorviewer.analysis.pipeline import analyse_volume
from tumorviewer.analysis.predict import TorchModel
from tumorviewer.models.catalogue import Catalogue
from tumorviewer.study import Placement, Volume

SLICES, SIDE, ROUNDS = 40, 256, 5


def main() -> None:
    """Print two lines: with saliency maps, as the window asks, and without."""
    torch.set_num_threads(1)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Catalogue().find(None)
    model = predict.load_model(folder, "cpu")
    plain = TorchModel(replace(model.card, trust=None), model.network, model.device)
    volume = head()
    for name, method in (("with maps", DEFAULT_METHOD), ("without", None)):
        once(plain, volume, method), once(model, volume, method)
        each = [(once(plain, volume, method), once(model, volume, method)) for _ in range(ROUNDS)]
        without, trusted = np.median(each, axis=0) * 1000
        added = 100 * (trusted / without - 1)
        print(f"{SLICES} slices {name}: {without:.0f} ms, with trust {trusted:.0f}: {added:+.1f} %")


def once(model: TorchModel, volume: Volume, method: str | None) -> float:
    """Processor seconds of an analysis."""
    before = time.process_time()
    analyse_volume(volume, model, method=method)
    return time.process_time() - before


def head() -> Volume:
    """Textured ellipses, each slice different."""
    draw = np.random.default_rng(0)
    down, across = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    inside = (down / 0.9) ** 2 + (across / 0.7) ** 2 < 1
    array = (inside * draw.normal(600, 120, (SLICES, SIDE, SIDE))).astype(np.int16)
    return Volume(array, np.diag([3.0, 1.0, 1.0, 1.0]), Placement.PATIENT, "head")


if __name__ == "__main__":
    main()
