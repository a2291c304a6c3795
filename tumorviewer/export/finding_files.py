"""One finding as files: JSON, saliency maps, and pictures of the deciding slices. No torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from tumorviewer.analysis.finding import Finding
from tumorviewer.analysis.methods import METHODS
from tumorviewer.export.finding_json import finding_to_json
from tumorviewer.export.saliency_file import save_saliency
from tumorviewer.files import replace_atomically
from tumorviewer.imaging import colormap, display, geometry
from tumorviewer.study.types import Volume

NOTICE = "Research use only"
_SIDE = 480
"""Longer side of a slice in a picture, pixels."""
OPACITY = 0.6
"""Of a saliency map over its slice."""
_LINE = 20


def export_finding(finding: Finding, volume: Volume, folder: Path, stem: str) -> dict[str, Any]:
    """Write ``stem.json``, its saliency file and a picture of each deciding slice.

    Returns
    -------
    dict
        The finding as JSON; the saliency file is relative to ``folder``.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    file = None
    if finding.saliency is not None:
        file = save_saliency(finding.saliency, volume, folder / stem).relative_to(folder)
        for index in set(finding.key_slices) & set(finding.saliency.slices):
            save_picture(finding, volume, index, folder / f"{stem}-slice{index + 1:03}.png")
    content = finding_to_json(finding, volume, file)
    text = json.dumps({**content, "notice": NOTICE}, indent=2)
    with replace_atomically(folder / f"{stem}.json") as beside:
        beside.write_text(f"{text}\n", "ascii")
    return content


def save_picture(finding: Finding, volume: Volume, index: int, path: Path) -> None:
    """Write a slice and, beside it, the same slice under its saliency map, as PNG."""
    image = np.repeat(display.grey(volume, index)[..., None], 3, axis=2)
    pair = np.hstack([image, _under_map(finding, image, index)])
    rows, columns = image.shape[0] * geometry.compute_pixel_aspect(volume), image.shape[1]
    scale = _SIDE / max(rows, columns)
    size = max(2, round(2 * columns * scale)), max(1, round(rows * scale))
    lines = caption_lines(finding, len(volume.array), index)
    font = ImageFont.load_default(14)
    width = max(size[0], *(round(font.getlength(line)) + 16 for line in lines))
    sheet = Image.new("RGB", (width, size[1] + len(lines) * _LINE + 8))
    sheet.paste(Image.fromarray(pair).resize(size, Image.Resampling.BILINEAR))
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        draw.text((8, size[1] + 4 + number * _LINE), line, "white", font)
    text = PngInfo()
    text.add_itxt("Description", " ".join(lines))
    with replace_atomically(path) as beside:
        sheet.save(beside, "PNG", pnginfo=text)


def caption_lines(finding: Finding, count: int, index: int) -> tuple[str, ...]:
    """What stands under a picture."""
    assert finding.saliency is not None
    saliency, best = finding.saliency, finding.predicted_class
    probability = float(finding.probabilities.max())
    method = METHODS[saliency.method].title
    return (
        f"{finding.labels.get(best, best)} {probability:.0%}, slice {index + 1} of {count}.",
        f"{method} for {finding.labels.get(saliency.target, saliency.target)}.",
        f"Model {finding.model.name} {finding.model.version}. {NOTICE}.",
    )


def _under_map(
    finding: Finding, image: np.ndarray[Any, np.dtype[np.uint8]], index: int
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    assert finding.saliency is not None
    map_HW = finding.saliency.on_slice(index)
    assert map_HW is not None
    return colormap.blend_map(image, map_HW, OPACITY)
