"""A class and a Grad-CAM map for each of 155 slices: ours against a loop with pytorch-grad-cam.

The loop is what its documentation shows: the same network, unchanged, one slice after the other.
Both take turns in one process. Their maps differ by how they are enlarged: ours by cubic
interpolation, pytorch-grad-cam's by bilinear. Wall time and processor time are given, as other jobs
change the first only.

Run as ``python tests/benchmarks/explain.py [bundle folder]``.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as in the worker

import numpy as np
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from tumorviewer.analysis import device, pipeline, predict
from tumorviewer.analysis.examination import Examination
from tumorviewer.analysis.slices import prepare_volume
from tumorviewer.models import weights
from tumorviewer.models.catalogue import Catalogue
from tumorviewer.study import Placement, Volume

SLICES = 155


def main() -> None:
    """Print a small table."""
    catalogue = Catalogue()
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else catalogue.folder(catalogue.default())
    device.use_threads()
    card, plain = weights.load_weights(folder)
    model = predict.load_model(folder, "cpu")
    prepared = prepare_volume(heads(), card.preprocessing)
    pictures = torch.from_numpy(prepared.pictures)[:, None].float() / 255

    def ours() -> Any:
        return pipeline.make_finding(
            Examination(prepared, model), "gradcam", card.classes[0]
        ).saliency.maps

    def loop() -> Any:
        with GradCAM(plain, [plain.trunk]) as cam:
            return np.concatenate([cam(x[None], [ClassifierOutputTarget(0)]) for x in pictures])

    alike = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(ours(), loop(), strict=True)]
    fast, slow = in_turns(ours, loop)
    before = resident()
    ours()
    kept = resident() - before
    wall, processor = slow / fast
    threads = torch.get_num_threads()
    print(f"{card.name}: {len(pictures)} slices at {card.preprocessing.size}, {threads} threads")
    print(f"{'':22}{'wall':>9}{'processor':>11}")
    print(f"{'loop over slices':22}{slow[0]:7.2f} s{slow[1]:9.2f} s")
    print(f"{'all at once':22}{fast[0]:7.2f} s{fast[1]:9.2f} s")
    print(f"{'times faster':22}{wall:9.1f}{processor:11.1f}")
    print(f"correlation of the maps, slice by slice: median {np.median(alike):.4f}", end=", ")
    print(f"least {min(alike):.4f}")
    print(f"memory kept {kept:.1f} MB")


def heads() -> Volume:
    """A stack of textured ellipses, as large as a 1 mm head."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:240j, -1:1:240j]
    array = np.zeros((SLICES, 240, 240), np.uint8)
    for index, z in enumerate(np.linspace(-0.9, 0.9, SLICES)):
        inside = (x / 0.7) ** 2 + (y / 0.9) ** 2 + z**2 < 1
        array[index] = inside * (90 + 40 * np.sin(9 * x + 7 * z) + rng.normal(0, 12, x.shape))
    return Volume(array, np.eye(4), Placement.PATIENT, "ellipses")


def in_turns(*runs: Callable[[], Any], repeats: int = 3) -> list[np.ndarray]:
    """Least wall and processor time of each, s."""
    times = [[_time(run) for run in runs] for _ in range(repeats)]
    return list(np.min(times, axis=0))


def _time(run: Callable[[], Any]) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - processor


def resident() -> float:
    """Memory of this process, MB, after collecting garbage."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


if __name__ == "__main__":
    main()
