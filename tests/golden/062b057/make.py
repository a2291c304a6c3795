"""Makes these golden files with the code of commit 062b057, from painted data.

It is kept as it was, to say how they were made; renamings of today do not concern it. In a checkout
of that commit:

    PYTHONPATH=CHECKOUT PYTHON make.py EMPTY_FOLDER

The folder's own name stands in the records, so choose one that says nothing of the machine.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import socket
import sys
from dataclasses import asdict
from enum import Enum
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

OUT = Path(sys.argv[1]).absolute()
HOME = OUT / "home"
os.environ |= {"TUMORVIEWER_HOME": str(HOME), "TUMORVIEWER_LANGUAGE": "en", "USER": "golden"}
os.environ |= {"LOGNAME": "golden", "QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1"}
socket.gethostname = lambda: "golden-host"

from tumorviewer.desktop.recent import Recent  # noqa: E402
from tumorviewer.desktop.settings import Settings  # noqa: E402
from tumorviewer.desktop.training.shelf import Shelf  # noqa: E402

from trainer import cli as trainer_cli  # noqa: E402
from tumorviewer import cli  # noqa: E402
from tumorviewer.records import Mark, Records  # noqa: E402
from tumorviewer.records.training import export  # noqa: E402

SHAPES = {"glioma": "ellipse", "notumor": "line", "pituitary": "rectangle"}
SMALL = (
    "--progress=none", "--set=preprocessing.size=32", "--set=model.architecture=light",
    "--set=model.options.width=4", "--set=training.batch=8", "--set=training.epochs=30",
    "--set=training.lr=0.02", "--set=split.folds=4", "--set=card.name=golden",
    "--set=card.title=Painted shapes",
    "--set=card.no_tumour=notumor", "--set=data.name=shapes", "--set=data.licence=CC0-1.0",
)  # fmt: skip


def paint(kind: str, drawn: np.random.Generator) -> Image.Image:
    picture = Image.fromarray(drawn.integers(0, 50, (40, 40), dtype=np.uint8))
    x, y, radius = (int(value) for value in drawn.integers((12, 12, 5), (28, 28, 9)))
    box = (x - radius, y - radius, x + radius, y + radius)
    getattr(ImageDraw.Draw(picture), kind)(box, fill=int(drawn.integers(150, 255)))
    return picture


def paint_shapes() -> None:
    drawn = np.random.default_rng(62)
    for name, kind in SHAPES.items():
        (OUT / "shapes" / name).mkdir(parents=True)
        for number in range(8):
            paint(kind, drawn).save(OUT / "shapes" / name / f"{number}.png")


def paint_series(folder: Path, patient: int, study: int) -> None:
    """Four axial MR slices with a bright disc."""
    folder.mkdir(parents=True)
    for index in range(4):
        uid = f"2.25.62.{patient}.{study}"
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, f"{uid}.1.{index}"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uid, f"{uid}.1"
        dataset.PatientName, dataset.PatientID = f"Painted^{patient}", f"P{patient}"
        dataset.PatientSex, dataset.PatientAge = "F", "061Y"
        dataset.Manufacturer, dataset.ManufacturerModelName = "Painter", "Brush"
        dataset.MagneticFieldStrength = 3
        dataset.StudyDate, dataset.StudyDescription = f"2024010{study}", "Brain"
        dataset.SeriesDescription, dataset.SeriesNumber, dataset.Modality = "T1", 1, "MR"
        dataset.BodyPartExamined, dataset.InstanceNumber = "HEAD", index + 1
        dataset.FrameOfReferenceUID = f"{uid}.9"
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.ImagePositionPatient = [-20, -20, 5.0 * index]
        dataset.PixelSpacing, dataset.SliceThickness = [1, 1], 5
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
        dataset.PixelRepresentation, dataset.SamplesPerPixel = 0, 1
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.Rows = dataset.Columns = 40
        y, x = np.indices((40, 40)) - 20
        head = (np.hypot(y, x) < 18) * (300 + 40 * patient + 5 * x)
        spot = (np.hypot(y - 5, x + 4) < 5) * 200 * (index in (1, 2))
        dataset.PixelData = (head + spot).astype(np.uint16).tobytes()
        dataset.save_as(folder / f"{index}.dcm", enforce_file_format=True)


def run(main: object, *arguments: object) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        code = main([str(argument) for argument in arguments])
    if code:
        raise SystemExit(f"{arguments}: exit code {code}")
    return printed.getvalue()


def train() -> None:
    """A finished run, measured trust, an audit, a comparison and a model in use."""
    data, run_folder = OUT / "shapes", OUT / "run"
    cache = f"--cache={OUT / 'cache'}"
    run(trainer_cli.main, "fit", data, f"--out={run_folder}", cache, *SMALL)
    run(trainer_cli.main, "trust", run_folder, data, cache, "--progress=none")
    run(trainer_cli.main, "audit", data, f"--out={OUT / 'audit'}", "--progress=none")
    judged = ("evaluate", data, f"--model={run_folder / 'bundle'}", "--json", cache)
    said = run(trainer_cli.main, *judged, "--progress=none")
    (OUT / "evaluate.json").write_text(said, "utf-8")
    run(cli.main, "models", "import", run_folder / "bundle")
    run(cli.main, "models", "import", run_folder / "bundle", "--as", "other")
    run(cli.main, "models", "promote", "other", "--override", "A first model.")
    compared = (run_folder / "bundle", HOME / "models" / "other", data)
    more = (f"--out={OUT / 'comparison.json'}", cache, "--progress=none")
    run(trainer_cli.main, "compare", *compared, *more)
    evidence = ("--comparison", OUT / "comparison.json")
    run(cli.main, "models", "promote", "golden", "--override", "Painted data.", *evidence)


def judge() -> None:
    for name, arguments in {
        "one.json": ("shapes/glioma/0.png", "patients/1/1", "--json"),
        "checked.json": ("patients/1/1", "--json", "--check-map", "--vary"),
        "plain.json": ("patients/1/1", "broken.png", "--json", "--explain", "none"),
        "batch.jsonl": ("patients", "shapes/notumor/0.png", "--batch", "--explain", "gradcam"),
    }.items():
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            cli.main(["classify", *arguments])
        (OUT / "classify" / name).write_text(printed.getvalue(), "utf-8")


def read(records: Records) -> None:
    """Verdicts, marks, drafts, a window's state and a queue, after the batch's answers."""
    first, second, third, fourth = sorted(records.worklist.find(), key=lambda entry: entry.id)
    answer = records.findings.of(first.id)[0]
    given = records.verdicts.give(
        first.id, "glioma", before_answer=True, confidence=0.7, comment="Left – süperior"
    )
    corrected = records.verdicts.give(
        first.id, "pituitary", before_answer=False, confidence=0.9, corrects=given.id,
        finding=answer.id, volume=answer.volume, slices=(1, 2),
    )  # fmt: skip
    records.verdicts.sign(corrected)
    records.verdicts.give(second.id, "notumor", before_answer=False)
    records.worklist.prioritise(third.id, 2)
    frame = {"frame_of_reference": "2.25.62.1.1.9", "made": "2026-11-30T10:00:00.000Z"}
    length = {"length": 10.0, "unit": "mm"} | frame
    points = ((-4.0, 5.0, 5.0), (6.0, 5.0, 5.0))
    for mark in (
        Mark("11111111-0000-4000-8000-000000000001", "distance", answer.volume, points, "", length),
        Mark("11111111-0000-4000-8000-000000000002", "text", answer.volume, points[:1], "Note"),
        Mark("11111111-0000-4000-8000-000000000003", "point", answer.volume, points[1:], "Gone"),
    ):
        records.marks.save(first.id, mark)
    records.marks.remove(first.id, "11111111-0000-4000-8000-000000000003")
    draft = {"label": "glioma", "confidence": None, "comment": "Unsure", "corrects": None}
    records.session.keep(f"draft/{third.key}", draft)
    window = records.session.claim()
    window.keep({"studies": [first.key, second.key], "shown": first.key})
    window.release()
    records.trail.note("answer shown", first.id)
    records.trail.note("opened", fourth.id)
    records.queue.add([third.id, fourth.id])
    records.queue.pause(is_paused=True)


def plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    raise TypeError(type(value))


def contents(records: Records) -> dict[str, object]:
    """Everything that the records say, as plain JSON."""
    entries = sorted(records.worklist.find(), key=lambda entry: entry.id)
    wanted = records.queue.wanted()
    return {
        "studies": [asdict(entry) for entry in entries],
        "findings": {one.id: [asdict(f) for f in records.findings.of(one.id)] for one in entries},
        "verdicts": {one.id: [asdict(v) for v in records.verdicts.of(one.id)] for one in entries},
        "marks": {one.id: [asdict(m) for m in records.marks.of(one.id)] for one in entries},
        "session": {name: records.session.kept(name) for name in records.session.names()},
        "queue": {"studies": sorted(wanted.studies), "paused": wanted.is_paused},
        "trail": [asdict(entry) | {"hash": entry.hash} for entry in records.trail.entries()],
    }


def keep() -> None:
    """The records, their training table, the settings and the training folder."""
    with Records(reader="dr. golden") as records:
        read(records)
        export(records, [entry.id for entry in records.worklist.find()], OUT / "training")
    with Records(reader="dr. golden") as records:
        text = json.dumps(contents(records), indent=1, default=plain, ensure_ascii=False)
        (OUT / "records.json").write_text(text + "\n", "utf-8")
    settings = Settings()
    for name, value in {"colours": "light", "scale": 125, "verdict_first": True}.items():
        settings.choose(name, value)
    settings.choose_keys({"next_slice": ("N", "Down"), "verdict": ()})
    settings.remember(Recent("Painted^1", ("painted/1",)))
    settings._store.sync()
    data = Shelf().add("shapes", OUT / "shapes")
    data.new_run().choose({"training.epochs": 3, "card.labels": {"glioma": "Glioma"}})


def tidy() -> None:
    """Nothing that is a copy, a lock, or a page for people."""
    for path in (HOME / "records" / "copies", HOME / "cache", OUT / "cache"):
        shutil.rmtree(path, ignore_errors=True)
    for path in (HOME / "models").iterdir():
        if path.is_dir():  # run/bundle again
            shutil.rmtree(path)
    for path in [*OUT.rglob("*.lock"), *OUT.rglob(".lock"), *OUT.rglob("*.html")]:
        path.unlink(missing_ok=True)


def main() -> None:
    (OUT / "classify").mkdir(parents=True)
    os.chdir(OUT)
    paint_shapes()
    for patient, study in ((1, 1), (1, 2), (2, 1)):
        paint_series(OUT / "patients" / str(patient) / str(study), patient, study)
    (OUT / "broken.png").write_bytes(b"\x89PNG broken")
    train()
    judge()
    keep()
    tidy()


if __name__ == "__main__":
    main()
