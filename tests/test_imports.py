"""What each room may load when it is imported; start-up and the process border depend on it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tumorviewer.analysis.engines import choice

_SCRIPT = """
import importlib, pkgutil, sys
room = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
    importlib.import_module(module.name)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def _loaded(room: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, room], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("tumorviewer.study", {"torch", "torchvision", "PySide6"}),
        ("tumorviewer.imaging", {"torch", "torchvision", "PySide6"}),
        ("tumorviewer.desktop", {"torch", "torchvision", "pytorch_grad_cam"}),
    ],
)
def test_every_module_of_a_room_loads_without(room: str, forbidden: set[str]) -> None:
    loaded = _loaded(room)
    assert "numpy" in loaded
    assert not loaded & forbidden


def test_opening_the_window_needs_no_reader_yet() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, tumorviewer.study; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"nibabel", "pydicom", "PIL"} & set(done.stdout.split())


_CLASSIFY = """
import contextlib, io, sys
from tumorviewer import cli
with contextlib.redirect_stdout(io.StringIO()):
    cli.main(["classify", sys.argv[1], "--explain", "none"])
print(*sys.modules)
"""


def test_the_class_of_a_picture_needs_neither_torch_nor_a_reader_of_other_files(tmp_path) -> None:
    picture = tmp_path / "noise.png"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    Image.fromarray(noise).save(picture)
    done = subprocess.run(
        [sys.executable, "-c", _CLASSIFY, str(picture)], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    if choice.has_gpu():
        pytest.skip("torch is used on a GPU")
    assert "onnxruntime" in loaded
    for name in ("torch", "sklearn", "matplotlib", "scipy", "pydicom", "nibabel", "PySide6"):
        assert name not in loaded
