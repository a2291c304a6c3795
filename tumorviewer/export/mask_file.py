"""Outlines as NIfTI files in the grid of the series that they were drawn on. No torch."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.orientations import io_orientation, ornt_transform
from numpy.typing import NDArray

from tumorviewer.files import replace_atomically
from tumorviewer.study.types import Placement, Volume

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_COLUMN_ROW_SLICE = np.array([[2, 1], [1, 1], [0, 1]])
"""Our axes in the order of NIfTI's i, j, k."""


def save_mask(mask_DHW: NDArray[np.bool_], volume: Volume, stem: Path) -> Path | None:
    """Write a mask as ``stem.nii.gz``: 8 bits, 1 inside, complete or not at all.

    The grid is that of the NIfTI file that the volume is from; of other formats it is
    column, row, slice.

    Returns
    -------
    Path
        The file that was written; None for a volume without a place in the patient.
    """
    if volume.placement is not Placement.PATIENT:
        return None
    image = nibabel.Nifti1Image(mask_DHW.astype(np.uint8), _LPS_TO_RAS @ volume.affine)
    image = image.as_reoriented(_orientation(image, volume))
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = "outline, research use only"
    path = stem.with_name(f"{stem.name}.nii.gz")
    with replace_atomically(path) as beside:
        nibabel.save(image, beside)
    return path


def _orientation(image: nibabel.Nifti1Image, volume: Volume) -> NDArray[np.float64]:
    """What turns the mask into the grid of the file that the volume is from."""
    try:
        source = nibabel.load(volume.source)
    except (OSError, ImageFileError):
        return _COLUMN_ROW_SLICE.astype(float)
    found = ornt_transform(io_orientation(image.affine), io_orientation(source.affine))
    return np.asarray(found, float)
