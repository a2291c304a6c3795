"""Independent readers that tests ask for the right value; a test skips where one is missing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image


def run_tool(name: str, *arguments: str | Path) -> None:
    """Run a program of DCMTK's or dcm2niix."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}")
    subprocess.run([found, *arguments], check=True, capture_output=True)


def grey_by_dcmtk(path: Path, *options: str) -> np.ndarray:
    """Grey levels ``(rows, columns)`` as DCMTK's dcm2pnm renders a file."""
    out = path.with_suffix(".png")
    run_tool("dcm2pnm", "--write-png", *options, path, out)
    return np.asarray(Image.open(out))


def volumes_by_dcm2niix(folder: Path) -> list[nib.Nifti1Image]:
    """What dcm2niix makes of a folder, in the order of the files' names."""
    out = folder.with_name(folder.name + "-nifti")
    out.mkdir()
    run_tool("dcm2niix", "-z", "n", "-b", "n", "-f", "%s_%t_%e", "-o", out, folder)
    return [nib.load(path) for path in sorted(out.glob("*.nii"))]


def values_at(image: nib.Nifti1Image, points_LPS: np.ndarray, volume: int = 0) -> np.ndarray:
    """Values of a NIfTI image at LPS+ mm points ``(N, 3)`` that are centres of its voxels."""
    ras = points_LPS * [-1, -1, 1]
    at = (np.c_[ras, np.ones(len(ras))] @ np.linalg.inv(image.affine).T)[:, :3]
    whole = np.rint(at).astype(int)
    np.testing.assert_allclose(at, whole, atol=0.01)
    array = np.asarray(image.dataobj)
    if array.ndim == 4:
        array = array[..., volume]
    return array[tuple(whole.T)]
