"""What can be said of an item without knowing what it shows: size, range, frame, format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorviewer.analysis.preprocess import find_foreground
from tumorviewer.study import Volume
from tumorviewer.study.sniffing import HEAD_BYTES, FileKind, recognise_kind

MEASURES = (
    "format",
    "colour",
    "rows",
    "columns",
    "least",
    "greatest",
    "mean",
    "contrast",
    "corner",
    "corner_spread",
    "top",
    "left",
    "bottom",
    "right",
)
"""``least`` and ``greatest`` are the slice's own intensities; ``mean``, ``contrast`` (1 % to 99 %)
and those of the corners are grey levels of the screen; the last four are dark margins, shares."""
FORMATS = ("other", "JPEG", "PNG", "BMP", "TIFF", "DICOM", "NIfTI")
_SIGNATURES = {b"\xff\xd8\xff": 1, b"\x89PNG": 2, b"BM": 3, b"II": 4, b"MM": 4}
_KINDS: dict[FileKind | None, int] = {FileKind.DICOM: 5, FileKind.NIFTI: 6}


def measure_image(
    path: Path, volume: Volume, index: int, grey_HW: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """The :data:`MEASURES` of one slice of a volume, whose grey levels are given."""
    rows, columns = grey_HW.shape
    pixels = volume.array[index]
    finite = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
    least, greatest = (finite.min(), finite.max()) if finite.size else (0, 0)
    low, high = np.percentile(grey_HW, (1, 99))
    high_side, wide = max(1, rows // 16), max(1, columns // 16)
    corners = [
        float(grey_HW[down, across].mean())
        for down in (slice(high_side), slice(-high_side, None))
        for across in (slice(wide), slice(-wide, None))
    ]
    top, left, bottom, right = find_foreground(grey_HW, 0.0)
    return np.array(
        [
            _format(path),
            volume.is_colour,
            *(rows, columns, least, greatest, grey_HW.mean(), high - low),
            *(np.mean(corners), max(corners) - min(corners)),
            *(top / rows, left / columns, 1 - bottom / rows, 1 - right / columns),
        ],
        np.float32,
    )


def _format(path: Path) -> int:
    if path.is_dir():
        return FORMATS.index("DICOM")
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    kind = recognise_kind(head, path)
    if kind in _KINDS:
        return _KINDS[kind]
    return next((n for start, n in _SIGNATURES.items() if head.startswith(start)), 0)


def take_column(measures_NM: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """``(N,)`` values of one measure."""
    return measures_NM[:, MEASURES.index(name)]
