r"""The table that the finder is judged on at the end: what it was neither trained nor chosen on.

Old heads without a tumour, skull-stripped gliomas with masks (all that is not healthy, oedema too),
skull-stripped slices with boxes, and pictures with masks that are no slices of the 233-patient set.

    python trainer/recipes/judging_table.py $DATA runs/judging.csv
    tumorviewer-train segment judge runs/judging.csv --out runs/judging \
        --model resources/models/finder
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
HEADER = ("path", "label", "group", "mask", "box", "collection", "sequence")
VOLUMES = ("normal_elderly_t1_flair", "brats2013_t1c_flair")
LABELS = {"no_tumour": "notumor"}


def of_volumes(volumes: Path) -> Iterator[Row]:
    """Volumes of the collections that judge."""
    for row in read_csv(volumes / "volumes.csv"):
        if row["dataset"] in VOLUMES:
            yield {
                "path": volumes / row["file"],
                "label": LABELS.get(row["label"], row["label"]),
                "group": row["patient"],
                "mask": volumes / row["mask"] if row["mask"] else "",
                "collection": f"{row['dataset']}:{row['sequence']}",
                "sequence": row["sequence"],
            }


def of_boxes(folder: Path) -> Iterator[Row]:
    """Slices with boxes; those without one are not known to be free of a tumour."""
    for row in read_csv(folder / "manifest.csv"):
        if row["boxes_xywh_norm"]:
            yield {
                "path": folder / row["file"],
                "label": row["label"],
                "group": row["patient"],
                "box": " ".join(map(edges, row["boxes_xywh_norm"].split("|"))),
                "collection": folder.name,
                "sequence": "t1c",
            }


def edges(box: str) -> str:
    """Centre and size to left, top, right and bottom, within the image."""
    x, y, wide, high = (float(part) for part in box.split())
    corners = x - wide / 2, y - high / 2, x + wide / 2, y + high / 2
    return ";".join(f"{min(max(one, 0.0), 1.0):.6f}" for one in corners)


def of_masks(folder: Path) -> Iterator[Row]:
    """Pictures with masks that match none of the other sets."""
    for row in read_csv(folder / "manifest.csv"):
        if not row["shared_data_match"]:
            yield {
                "path": folder / row["file"],
                "label": row["label"],
                "group": row["file"],
                "mask": folder / row["mask"],
                "collection": folder.name,
                "sequence": "t1c",
            }


def main(data: str, out: str) -> None:
    """Write the table; paths are relative to its folder."""
    folder, volumes = Path(out).resolve().parent, Path(data).resolve() / "volumes"
    folder.mkdir(parents=True, exist_ok=True)
    rows = (
        *of_volumes(volumes),
        *of_boxes(volumes / "gbm_boxes"),
        *of_masks(volumes / "brisc_masks"),
    )
    with Path(out).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEADER, restval="")
        writer.writeheader()
        for row in rows:
            files = {
                key: os.path.relpath(row[key], folder) for key in ("path", "mask") if row.get(key)
            }
            writer.writerow(row | files)


if __name__ == "__main__":
    main(*sys.argv[1:])
