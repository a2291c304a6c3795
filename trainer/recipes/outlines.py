"""Outlines for the pictures of the 7,023-image set that are slices of the 233-patient set.

The manifest of the development data names, for each picture, the matching slice and whether the
picture is its mirror image; the outline is laid on the picture accordingly. A picture without a
tumour gets an empty outline; one without a match gets none.

    python trainer/recipes/outlines.py $DATA/manifest.csv runs/outlines
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageOps


def outlines(manifest: Path) -> Iterator[tuple[str, Image.Image]]:
    """Names without suffix and outlines, of the picture's size, 255 inside."""
    with manifest.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    masks = {
        row["cheng_index"]: manifest.parent / row["mask"]
        for row in rows
        if row["dataset"] == "cheng"
    }
    for row in rows:
        if row["dataset"] != "nickparvar":
            continue
        size = int(row["width"]), int(row["height"])
        if row["label"] == "notumor":
            yield Path(row["file"]).stem, Image.new("L", size)
        elif row["cheng_label"] == row["label"]:
            with Image.open(masks[row["cheng_index"]]) as mask:
                outline = mask.convert("L").resize(size, Image.Resampling.NEAREST)
            is_mirrored = row["cheng_transform"] == "fliplr"
            yield Path(row["file"]).stem, ImageOps.mirror(outline) if is_mirrored else outline


def main(manifest: str, folder: str) -> None:
    """Write every outline as a PNG file into the folder."""
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    for stem, outline in outlines(Path(manifest)):
        outline.point([0] + [255] * 255).save(out / f"{stem}.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
