"""``classify`` as its user waits for it, beside commit 062b057: whole processes that take turns.

A picture without a map, and a volume: 062b057 gives it a class and Grad-CAM, ours outlines it as
well, without maps and with Grad-CAM. A volume that is unlike the training data gets no maps from
ours, which the made one is: then only the first row of it is printed.

Run as ``python tests/benchmarks/beside_062b057.py [VOLUME]``; without one it is made.
The commit is checked out beside the tree the first time.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
BASE = ROOT.parent / "tumorviewer-062b057"
ROUNDS = 5
SLICES = 155


def main() -> None:
    """Print a table of medians and ratios."""
    with tempfile.TemporaryDirectory() as folder:
        volume, picture = make_inputs(Path(folder))
        given = sys.argv[1:]
        if given:
            volume = Path(given[0])
        if not BASE.is_dir():
            checkout = ["git", "worktree", "add", "--detach", str(BASE), "062b057"]
            subprocess.run(checkout, cwd=ROOT, check=True, capture_output=True)
        print(f"{'':34}{'062b057':>20}{'ours':>20}{'ratio':>8}")
        compare("picture, no map", picture, "none", "none")
        compare("volume: class and map / no map", volume, "gradcam", "none")
        if given:
            compare("volume: class and map, both", volume, "gradcam", "gradcam")


def compare(name: str, path: Path, before: str, now: str) -> None:
    """Both in turns, and their medians."""
    runs = [(measure(BASE, path, before), measure(ROOT, path, now)) for _ in range(ROUNDS)]
    old, new = (
        [statistics.median(values) for values in zip(*side, strict=True)]
        for side in zip(*runs, strict=True)
    )
    cells = "".join(f"{one[0]:9.1f} s {one[1]:6.0f} MB" for one in (old, new))
    print(f"{name:34}{cells}{old[0] / new[0]:8.2f}")


def measure(tree: Path, path: Path, method: str) -> tuple[float, float]:
    """Seconds and peak memory, MB, of one process."""
    command = [sys.executable, "-m", "tumorviewer", "classify", str(path), "--explain", method]
    environment = os.environ | {"PYTHONPATH": str(tree)}
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--json"], cwd=tree, env=environment, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{tree}: exit status {process.returncode}"
    assert isinstance(used, resource.struct_rusage)
    return time.perf_counter() - began, used.ru_maxrss / 1024


def make_inputs(folder: Path) -> tuple[Path, Path]:
    """A stack of textured ellipses, as large as a 1 mm head, and its middle."""
    z, y, x = np.ogrid[-0.9 : 0.9 : SLICES * 1j, -1:1:240j, -1:1:240j]
    inside = (x / 0.7) ** 2 + (y / 0.9) ** 2 + z**2 < 1
    texture = 120 + 60 * np.cos(9 * x) * np.cos(7 * y + 3 * z)
    array = np.where(inside, texture, 0).astype(np.uint8)
    image = nibabel.Nifti1Image(array.transpose(2, 1, 0), np.eye(4))
    image.to_filename(folder / "head_t1c.nii.gz")
    Image.fromarray(array[SLICES // 2]).save(folder / "head.png")
    return folder / "head_t1c.nii.gz", folder / "head.png"


if __name__ == "__main__":
    main()
