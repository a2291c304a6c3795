"""Seconds from the start of a process to the first picture of the window.

Run as ``python tests/benchmarks/startup.py``: the window as ``tumorviewer`` opens it, and beside it
the same window in a process that imports torch and torchvision first, as a program without a worker
process would. One run of each warms the file cache; of the others, the best and the median count.
Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 5
WINDOW = """
import sys, time
from tumorviewer.desktop.shell import app, screen
assert screen.find_display_problem() is None
application = app.make_application()
window = app.make_window()
def painted():
    print(time.monotonic(), "torch" in sys.modules, flush=True)
    window.close()
window.painted.connect(painted)
window.show()
application.exec()
"""
TORCH_FIRST = "import torch, torchvision\n"


def seconds_to_paint(program: str) -> float:
    """Seconds from just before the process is made to its window's first picture."""
    environment = {"QT_QPA_PLATFORM": "offscreen", **os.environ}
    start = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    painted, has_torch = ended.stdout.split()
    assert has_torch == str(program.startswith(TORCH_FIRST))
    return float(painted) - start


def main() -> None:
    programs = {"window": WINDOW, "torch_first": TORCH_FIRST + WINDOW}
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    with tempfile.TemporaryDirectory() as home:
        os.environ["TUMORVIEWER_HOME"] = home
        for run in range(RUNS + 1):
            for name, program in programs.items():
                taken = seconds_to_paint(program)
                if run:
                    seconds[name].append(taken)
    best = {name: min(taken) for name, taken in seconds.items()}
    median = {name: statistics.median(taken) for name, taken in seconds.items()}
    print(
        json.dumps(
            {
                "first_paint_s": {"best": best["window"], "median": median["window"]},
                "torch_first_s": {"best": best["torch_first"], "median": median["torch_first"]},
                "ratio_of_medians": median["torch_first"] / median["window"],
                "runs": RUNS,
            }
        )
    )


if __name__ == "__main__":
    main()
