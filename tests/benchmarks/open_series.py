"""Seconds and memory to open a DICOM series of 200 slices of 512×512 in the window.

Run as ``python tests/benchmarks/open_series.py``: makes the series in a temporary folder, drops it
on a window (no worker) until the first slice is painted and until all are there; reads the same
folder without a window, and with SimpleITK. Each run is a process of its own with everything
imported; the file cache is warm. Prints one JSON object with the best and the median of some runs.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

SLICES, SIDE, RUNS = 200, 512, 5
PIXEL_BYTES = SLICES * SIDE * SIDE * 2
WINDOW = """
import json, sys, time
from pathlib import Path
from PySide6.QtCore import QEvent, QObject, QTimer
from tumorviewer.desktop.shell import app

def memory(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))

class Paints(QObject):
    def eventFilter(self, viewport, event):
        if event.type() == QEvent.Type.Paint and window.viewer.state.volume is not None:
            QTimer.singleShot(0, lambda: times.setdefault("first_slice_s", passed()))
        return False

def passed():
    return time.monotonic() - start

def loaded(volume):
    times["whole_series_s"] = passed()
    times["peak_bytes"] = memory("VmHWM") - before
    QTimer.singleShot(200, application.quit)

times, paints = {}, Paints()
application = app.make_application()
window = app.make_window()
window.reading.volume_loaded.connect(loaded)
window.reading.inference.analyse = lambda: None
window.viewer.image.installEventFilter(paints)
window.resize(1440, 900)
window.painted.connect(window.reading.opener.warm_up)
window.show()
while "tumorviewer.study.opening" not in sys.modules or window.reading.opener.is_busy:
    application.processEvents()
Path("/proc/self/clear_refs").write_text("5")
before, start = memory("VmRSS"), time.monotonic()
window.open([Path(sys.argv[1])])
application.exec()
assert window.viewer.state.count == 200
window.close()
print(json.dumps(times))
"""
READING = """
import json, sys, time
from tumorviewer.study.opening import open_paths
start = time.monotonic()
volume = open_paths([sys.argv[1]]).studies[0].series[0].volumes[0].load()
assert volume.array.shape == (200, 512, 512)
print(json.dumps({"whole_series_s": time.monotonic() - start}))
"""
SIMPLE_ITK = """
import json, sys, time
import SimpleITK
start = time.monotonic()
reader = SimpleITK.ImageSeriesReader()
reader.SetFileNames(reader.GetGDCMSeriesFileNames(sys.argv[1]))
assert reader.Execute().GetSize() == (512, 512, 200)
print(json.dumps({"whole_series_s": time.monotonic() - start}))
"""


def write_series(folder: Path, slices: int = SLICES) -> None:
    study, series = generate_uid(), generate_uid()
    pixels = np.random.default_rng(0).integers(0, 2000, (SIDE, SIDE), np.uint16)
    for index in range(slices):
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = MRImageStorage
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        data.StudyInstanceUID, data.SeriesInstanceUID = study, series
        data.PatientName, data.PatientID, data.Modality = "Made^Up", "none", "MR"
        data.SeriesDescription, data.InstanceNumber = "Made series", index + 1
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.ImagePositionPatient = [0, 0, float(index)]
        data.PixelSpacing, data.SliceThickness = [0.5, 0.5], 1
        data.Rows = data.Columns = SIDE
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, 0
        data.PixelData = np.roll(pixels, index, axis=0).tobytes()
        name = folder / f"{(index * 37) % slices:03}.dcm"
        pydicom.dcmwrite(name, data, enforce_file_format=True)


def run(program: str, folder: Path) -> dict[str, float]:
    environment = {"QT_QPA_PLATFORM": "offscreen", **os.environ}
    command = [sys.executable, "-c", program, str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(ended.stdout)


def best_and_median(rounds: list[dict[str, float]], what: str) -> dict[str, float]:
    values = [one[what] for one in rounds]
    return {"best": min(values), "median": statistics.median(values)}


def main() -> None:
    programs = {"window": WINDOW, "reading": READING, "simple_itk": SIMPLE_ITK}
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in programs}
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as folder:
        os.environ["TUMORVIEWER_HOME"] = home
        write_series(Path(folder))
        for _ in range(RUNS):
            for name, program in programs.items():
                rounds[name].append(run(program, Path(folder)))
    whole = {name: best_and_median(each, "whole_series_s") for name, each in rounds.items()}
    peak = max(one["peak_bytes"] for one in rounds["window"])
    result = {
        "first_slice_painted_s": best_and_median(rounds["window"], "first_slice_s"),
        "whole_series_s": whole,
        "window_over_simple_itk": whole["window"]["median"] / whole["simple_itk"]["median"],
        "reading_over_simple_itk": whole["reading"]["median"] / whole["simple_itk"]["median"],
        "peak_memory_over_pixels": peak / PIXEL_BYTES,
        "runs": RUNS,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
