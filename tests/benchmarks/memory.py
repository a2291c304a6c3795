"""Memory of ten studies that are open, and what closing them gives back.

Run as ``python tests/benchmarks/memory.py``: makes ten DICOM studies of 100 slices of 512×512 (52
MB of pixels each) in a temporary folder, opens them one after another in a window (no worker), each
until it is shown whole, turns to all of them once more, closes the last, then all. Prints one JSON
object with the resident memory beyond that of the empty window, in MB and in shares of the pixels.
Goals: ten open studies within their pixels and 20 %; a closed study gives its pixels back.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.open_series import SIDE, write_series

STUDIES, SLICES = 10, 100
STUDY_MB = SLICES * SIDE * SIDE * 2 / 1e6
PROGRAM = """
import gc, json, sys, time
from pathlib import Path
from tumorviewer.desktop.shell import app

def memory_mb():
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmRSS"))

def wait(what, seconds=120):
    end = time.monotonic() + seconds
    while not what():
        application.processEvents()
        time.sleep(0.005)
        assert time.monotonic() < end

def settle():
    end = time.monotonic() + 0.5
    wait(lambda: time.monotonic() > end)

def is_shown(count):
    state = window.viewer.state
    return len(reading.library.studies) == count and state.volume is not None and state.is_complete

application = app.make_application()
window = app.make_window()
reading = window.reading
reading.inference.analyse = lambda: None
window.resize(1440, 900)
window.painted.connect(reading.opener.warm_up)
window.show()
wait(lambda: "tumorviewer.study.opening" in sys.modules and not reading.opener.is_busy)
folders = sorted(Path(sys.argv[1]).iterdir())
window.open(folders[:1])
wait(lambda: is_shown(1))
reading.close_all()
settle()
empty = memory_mb()
found = {}
for number, folder in enumerate(folders, 1):
    window.open([folder])
    wait(lambda: is_shown(number))
    settle()
    found.setdefault("one_open", memory_mb() - empty)
found["ten_open"] = memory_mb() - empty
for study in list(reading.library.studies):
    reading.show_series(study.series[0])
    wait(lambda: window.viewer.state.volume is not None and window.viewer.state.is_complete)
settle()
found["ten_turned_through"] = memory_mb() - empty
reading.close_study()
settle()
found["one_closed"] = memory_mb() - empty
reading.close_all()
settle()
found["all_closed"] = memory_mb() - empty
window.close()
print(json.dumps(found))
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as folder:
        for number in range(STUDIES):
            (Path(folder) / str(number)).mkdir()
            write_series(Path(folder) / str(number), SLICES)
        environment = {"QT_QPA_PLATFORM": "offscreen", **os.environ, "TUMORVIEWER_HOME": home}
        command = [sys.executable, "-c", PROGRAM, folder]
        ended = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment)
    found: dict[str, float] = json.loads(ended.stdout)
    pixels = {"one_open": STUDY_MB} | dict.fromkeys(
        ("ten_open", "ten_turned_through"), STUDIES * STUDY_MB
    )
    result = {
        "pixels_of_a_study_mb": round(STUDY_MB, 1),
        "beyond_the_empty_window_mb": {name: round(value, 1) for name, value in found.items()},
        "over_pixels": {name: round(found[name] / of, 2) for name, of in pixels.items()},
        "within_limits": {
            "ten open within pixels and 20 %": max(found["ten_open"], found["ten_turned_through"])
            <= 1.2 * STUDIES * STUDY_MB,
            "closed studies leave less than a fifth of one": found["all_closed"] < STUDY_MB / 5,
        },
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
