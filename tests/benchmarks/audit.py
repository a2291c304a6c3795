"""Seconds of an audit of ten thousand pictures.

Run as ``python tests/benchmarks/audit.py``. The pictures are 12,036 of the three public sets in
``shared/data`` beside the checkout, where that is, else 10,000 JPEGs of 256×256 pixels that are
drawn first. Nothing is cached before. Prints one JSON object: the wall clock, the processor seconds
of all processes (which tell more on a busy machine), and the largest memory of one process.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
DRAWN = 10_000
SETS = {
    "no tumour": ("nickparvar_training/notumor", "sartaj/*/no_tumor", "br35h/no"),
    "tumour": (
        "nickparvar_training/[gmp]*",
        "sartaj/*/[gmp]*",
        "br35h/yes",
        "br35h/pred",
    ),
}


def link(root: Path) -> None:
    """The folders of three sets as links, so that they are one set of two classes."""
    for kind, patterns in SETS.items():
        (root / kind).mkdir(parents=True)
        for folder in (found for pattern in patterns for found in SHARED.glob(pattern)):
            (root / kind / "-".join(folder.relative_to(SHARED).parts)).symlink_to(folder)


def draw(root: Path) -> None:
    """Blurred noise within an ellipse; every tenth picture is the mirror image of the last."""
    generator = np.random.default_rng(0)
    rows, columns = np.indices((256, 256))
    inside = ((rows - 128) / 110) ** 2 + ((columns - 120) / 90) ** 2 < 1
    head = Image.fromarray(inside.astype(np.uint8) * 255)
    picture = Image.new("L", (256, 256))
    for number in range(DRAWN):
        (root / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        if number % 10 == 9:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        else:
            noise = Image.fromarray(generator.integers(0, 256, (24, 24), dtype=np.uint8))
            picture = Image.new("L", (256, 256))
            picture.paste(
                noise.resize((256, 256), Image.Resampling.BICUBIC), mask=head.convert("L")
            )
        blurred = picture.filter(ImageFilter.GaussianBlur(1))
        blurred.save(root / "ab"[number % 2] / f"{number:05d}.jpg", quality=80)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        (link if SHARED.is_dir() else draw)(data)
        command = [sys.executable, "-m", "trainer", "audit", str(data), f"--out={folder}/report"]
        command += [f"--cache={folder}/cache", "--progress=none"]
        started = time.monotonic()
        ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        wall = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = json.loads(ended.stdout)
    print(
        json.dumps(
            {
                "pictures": found["items"],
                "near_duplicate_pairs": found["near_duplicate_pairs"],
                "wall_s": round(wall, 1),
                "processor_s": round(used.ru_utime + used.ru_stime, 1),
                "largest_process_mb": round(used.ru_maxrss / 1024),
                "cores": len(os.sched_getaffinity(0)),
                "load_average": round(os.getloadavg()[0], 1),
            }
        )
    )


if __name__ == "__main__":
    main()
