"""The actions of ``planes.py`` and ``scroll.py`` in our viewer and in napari, side by side.

Run as ``python tests/benchmarks/beside_napari.py [PYTHON WITH NAPARI]``, or with its path in
``NAPARI_PYTHON``. Processes of the two take turns, each on an X screen of its own: the same volume
(512×512×300 of int16), map, colours, window, interpolation and millimetres to a pixel, in views of
the same size. One view has the map blended over it; in the other layout there are four, the axial
plane with and without map, coronal and sagittal, which is four linked viewers in napari. A step
ends when the X server has drawn it, and each is checked to have painted. In doubt napari is let
off: no crosshair, text, panels or mouse event for window and crosshair, all of which ours has.

Both are given an array in memory, since napari does not read DICOM (``open_series.py`` times that
beside SimpleITK); with an array, its first slice and the whole series are ready at once. napari
draws with OpenGL, without a GPU in software, so its steps are also timed with drawing switched off:
what no GPU could make faster. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import planes, scroll
from tumorviewer.imaging.colormap import COLOURS, OPAQUE_FROM
from tumorviewer.imaging.display import choose_default_window

ROUNDS, OPACITY = 3, 0.6
ROOT = Path(__file__).parents[2]
HOW = (
    "left out; it needs xvfb-run and: .venv/bin/uv venv NEW && .venv/bin/uv pip install "
    "--python NEW/bin/python napari==0.9.2 PySide6==6.11.3 && export NAPARI_PYTHON=NEW/bin/python"
)


def save(folder: Path) -> None:
    """What napari is to show."""
    made, saliency = planes.volume(), scroll.finding().saliency
    assert saliency is not None
    window = choose_default_window(made)
    alpha = np.minimum(np.arange(256) / (255 * OPAQUE_FROM), 1) * OPACITY
    np.savez(
        folder / "data.npz",
        image=made.array,
        spacing=np.linalg.norm(made.affine[:3, :3], axis=0),
        window=[window.centre - window.width / 2, window.centre + window.width / 2],
        maps=saliency.maps,
        colours=np.column_stack([COLOURS / 255, alpha]),
    )


def run(python: str, module: str, home: str) -> dict[str, Any]:
    """What one side prints, in a process on an X screen of its own."""
    own = {"QT_QPA_PLATFORM": "xcb", "TUMORVIEWER_HOME": home, "NAPARI_CONFIG": f"{home}/napari"}
    screen = ["xvfb-run", "-a", "-s", "-screen 0 1920x1200x24"]
    ended = subprocess.run(
        [*screen, python, "-m", f"tests.benchmarks.beside.{module}", home],
        stdout=subprocess.PIPE, check=True, env={**os.environ, **own}, cwd=ROOT,
    )  # fmt: skip
    return json.loads(ended.stdout)


def turn(python: str, home: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ours, then napari with views of the same size."""
    ours = run(sys.executable, "ours", home)
    more = {"steps": planes.STEPS, "place": planes.MAPPED}
    views = {layout: {**ours[layout]["view"], **more} for layout in ("flat", "planes")}
    (Path(home) / "views.json").write_text(json.dumps(views))
    return ours, run(python, "in_napari", home)


def compared(rounds: list[tuple[list[float], list[float]]]) -> dict[str, Any]:
    """Percentiles of all rounds, and how many times as long napari takes, with the least and the
    most of any round."""
    ours, theirs = (np.concatenate(each) for each in zip(*rounds, strict=True))
    times = [np.median(there) / np.median(here) for here, there in rounds]
    result = {
        name: {f"p{at}": round(float(np.percentile(values, at)), 1) for at in (50, 95)}
        for name, values in (("ours", ours), ("napari", theirs))
    }
    result["times"] = {
        "p50": round(float(np.median(theirs) / np.median(ours)), 2),
        "p95": round(float(np.percentile(theirs, 95) / np.percentile(ours, 95)), 2),
        "p50_of_rounds": [round(float(end(times)), 2) for end in (min, max)],
    }
    return result


def summary(rounds: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for layout in ("flat", "planes"):
        pairs = [(ours[layout], theirs[layout]) for ours, theirs in rounds]
        for action in pairs[0][0]["ms"]:
            both = [(ours["ms"][action], theirs["ms"][action]) for ours, theirs in pairs]
            result[f"{layout}_{action}_ms"] = compared(both)
        for action in pairs[0][1]["undrawn_ms"]:
            undrawn = [theirs["undrawn_ms"][action] for _, theirs in pairs]
            p50 = round(float(np.median(undrawn)), 1)
            result[f"{layout}_{action}_ms"]["napari_undrawn_p50"] = p50
    result["mb_beyond_the_array"] = {
        name: {
            what: round(float(np.median([each[at]["planes"]["mb"][what] for each in rounds])), 1)
            for what in rounds[0][at]["planes"]["mb"]
        }
        for at, name in enumerate(("ours", "napari"))
    }
    return result


def main() -> None:
    python = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("NAPARI_PYTHON")
    if python is None or shutil.which("xvfb-run") is None:
        print(HOW)
        return
    with tempfile.TemporaryDirectory() as home:
        save(Path(home))
        rounds = [turn(str(Path(python).absolute()), home) for _ in range(ROUNDS)]
    theirs = rounds[0][1]
    about = {
        "napari": theirs["napari"],
        "its_renderer": theirs["planes"]["renderer"],
        "note": "llvmpipe is OpenGL in software; with a GPU napari draws faster",
        "rounds": ROUNDS,
    }
    print(json.dumps({**about, **summary(rounds)}, indent=2))


if __name__ == "__main__":
    main()
