"""The table that the finder is trained from: what may ship of the development data.

Slices of the 233-patient set with their outlines, tumour-free pictures of the 7,023-image set's
Training part, whole heads with a treated glioblastoma, heads with multiple sclerosis. Groups are
patients, for the pictures the published near-duplicate units. Brain outlines are taken from a
folder, where it has one under the item's name: NIfTI for volumes (made with deepbet, MIT), PNG for
images (``tumorviewer-train segment brains``); a skull-stripped volume is its own.

    python trainer/recipes/finder_table.py $DATA runs/brains runs/finder.csv
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainer.tools.atomic_files import read_csv

Row = dict[str, Any]
HEADER = ("path", "label", "group", "mask", "brain", "planes", "collection", "sequence")


def of_images(data: Path, brains: Path) -> Iterator[Row]:
    """Slices of the 233-patient set, and tumour-free pictures."""
    (table,) = (data / "volumes" / "cheng_pid").glob("*.csv")
    patients = {row["cheng_index"]: row["patient_group"] for row in read_csv(table)}
    for row in read_csv(data / "manifest.csv"):
        path = data / row["file"]
        brain = brains / f"{path.stem}.png"
        own = {"path": path, "label": row["label"], "brain": brain if brain.is_file() else ""}
        if row["dataset"] == "cheng":
            group = f"cheng:{patients[row['cheng_index']]}"
            yield {**own, "group": group, "mask": data / row["mask"], "collection": "cheng"}
        elif row["dataset"] == "nickparvar" and row["label"] == "notumor":
            yield {**own, "group": f"np:{row['split_unit']}", "collection": "nickparvar"}


def of_volumes(data: Path, brains: Path) -> Iterator[Row]:
    """Whole heads and skull-stripped ones that may ship."""
    for row in read_csv(data / "volumes" / "volumes.csv"):
        path = data / "volumes" / row["file"]
        is_tumour, is_stripped = row["dataset"] == "btp_gbm_t1c", row["skull"] == "stripped"
        if not (is_tumour or row["dataset"].startswith("ms_")):
            continue
        brain = path if is_stripped else brains / f"{path.parent.name}_{path.name}"
        yield {
            "path": path,
            "label": "glioma" if is_tumour else "notumor",
            "group": row["patient"],
            "mask": data / "volumes" / row["mask"] if is_tumour else "",
            "brain": brain if brain.is_file() else "",
            "planes": "native" if is_tumour else "all",
            "collection": "btp" if is_tumour else "ms_stripped" if is_stripped else "ms",
            "sequence": row["sequence"],
        }


def main(data: str, brains: str, out: str) -> None:
    """Write the table; paths are relative to its folder."""
    folder = Path(out).resolve().parent
    folder.mkdir(parents=True, exist_ok=True)
    source, outlines = Path(data).resolve(), Path(brains).resolve()
    with Path(out).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEADER, restval="")
        writer.writeheader()
        for row in (*of_images(source, outlines), *of_volumes(source, outlines)):
            files = {
                key: os.path.relpath(row[key], folder)
                for key in ("path", "mask", "brain")
                if row.get(key)
            }
            writer.writerow(row | files)


if __name__ == "__main__":
    main(*sys.argv[1:])
