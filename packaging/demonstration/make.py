"""Make the demonstration study: one DICOM series and three pictures of heads that nobody has.

``python packaging/demonstration/make.py`` writes ``resources/demonstration``; the same seeds give
the same pixels again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from phantom import Field, Head, Place, paint
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless, MRImageStorage, generate_uid
from scipy.ndimage import gaussian_filter

TARGET = Path(__file__).resolve().parents[2] / "resources" / "demonstration"
SIDE, PIXEL = 256, 0.898
"""Pixels along a side, and mm along a pixel."""
THICKNESS, STEP, BOTTOM, SLICES = 4.5, 5.0, -54.0, 28
SIGNAL = 800
"""Stored value of a signal of 1."""
WINDOW = 540, 1080
STUDY = Head(seed=7, tumour=(43.0, 22.0, 27.0), radius=22.0, is_solid=True)
RING = Head(seed=7, tumour=(30.0, 22.0, 27.0))
HEALTHY = Head(seed=11, tumour=None)
FRONTAL = Head(seed=23, tumour=(-40.0, -34.0, 25.0), radius=24.0, is_solid=True)
STATEMENT = "SYNTHETIC: painted by a program, shows no person"


def heights() -> NDArray[np.float64]:
    """Position of each slice along the body, mm."""
    return BOTTOM + STEP * np.arange(SLICES)


def acquire(head: Head, z: float) -> NDArray[np.uint16]:
    """One slice as a scanner would store it: partial volume, blur, bias field, Rician noise."""
    axis = ((np.arange(SIDE) - (SIDE - 1) / 2) * PIXEL).astype(np.float32)
    levels = (z + np.array([-1, 0, 1]) * THICKNESS / 3).astype(np.float32)
    zz, yy, xx = np.meshgrid(levels, axis, axis, indexing="ij")
    signal = gaussian_filter(paint(head, Place(xx, yy, zz)).mean(axis=0), 0.55)
    signal *= _bias(axis, z)
    rng = np.random.default_rng([head.seed, round(z * 10) + 1000])
    real, imaginary = rng.normal(0, 0.013, (2, SIDE, SIDE))
    magnitude = np.hypot(signal + real, imaginary)
    return np.clip(np.rint(magnitude * SIGNAL), 0, 4095).astype(np.uint16)


def _bias(axis: Field, z: float) -> Field:
    x, y = axis[None] / 100, axis[:, None] / 100
    return np.float32(1.02) + 0.07 * x - 0.05 * y + 0.10 * (x * x + y * y) - np.float32(z) / 900


def write_series(folder: Path) -> None:
    """Write the study's one series, a file per slice."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, z in enumerate(heights(), 1):
        dataset = _instance(number, float(z))
        dataset.set_pixel_data(acquire(STUDY, float(z)), "MONOCHROME2", 12)
        dataset.compress(JPEGLSLossless, encoding_plugin="pyjpegls", generate_instance_uid=False)
        dataset.save_as(folder / f"IM{number:04}.dcm", enforce_file_format=True)


def _instance(number: int, z: float) -> Dataset:
    """Everything but the pixels (PS3.3 A.4, MR Image)."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.ImplementationVersionName = "TUMORVIEWER_DEMO"
    corner = -(SIDE - 1) / 2 * PIXEL
    for keyword, value in {
        **_patient_and_study(),
        **_series(),
        "SOPClassUID": MRImageStorage,
        "SOPInstanceUID": _uid(f"instance {number}"),
        "InstanceNumber": number,
        "ImageComments": STATEMENT,
        "ImagePositionPatient": [f"{corner:.3f}", f"{corner:.3f}", f"{z:.3f}"],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "SliceLocation": f"{z:.3f}",
    }.items():
        setattr(dataset, keyword, value)
    return dataset


def _patient_and_study() -> dict[str, object]:
    return {
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientName": "SYNTHETIC^DEMONSTRATION",
        "PatientID": "SYNTHETIC-0001",
        "PatientBirthDate": "",
        "PatientSex": "O",
        "PatientComments": STATEMENT,
        "StudyInstanceUID": _uid("study"),
        "StudyID": "1",
        "StudyDate": "20260101",
        "StudyTime": "120000",
        "StudyDescription": "SYNTHETIC HEAD MR",
        "AccessionNumber": "",
        "ReferringPhysicianName": "",
    }


def _series() -> dict[str, object]:
    return {
        "SeriesInstanceUID": _uid("series"),
        "FrameOfReferenceUID": _uid("frame of reference"),
        "PositionReferenceIndicator": "",
        "SeriesNumber": 1,
        "SeriesDescription": "SYNTHETIC T1 +C",
        "Modality": "MR",
        "BodyPartExamined": "HEAD",
        "PatientPosition": "HFS",
        "Laterality": "",
        "Manufacturer": "TumorViewer",
        "ManufacturerModelName": "Phantom",
        "ImageType": ["DERIVED", "PRIMARY", "OTHER"],
        "BurnedInAnnotation": "NO",
        "LossyImageCompression": "00",
        "ContrastBolusAgent": "SYNTHETIC",
        "ScanningSequence": "SE",
        "SequenceVariant": "NONE",
        "ScanOptions": "",
        "MRAcquisitionType": "2D",
        "RepetitionTime": "600",
        "EchoTime": "12",
        "EchoTrainLength": "1",
        "MagneticFieldStrength": "1.5",
        "SliceThickness": f"{THICKNESS}",
        "SpacingBetweenSlices": f"{STEP}",
        "PixelSpacing": [f"{PIXEL}", f"{PIXEL}"],
        "WindowCenter": f"{WINDOW[0]}",
        "WindowWidth": f"{WINDOW[1]}",
    }


def _uid(what: str) -> str:
    return generate_uid(entropy_srcs=["tumorviewer demonstration", what])


def picture(head: Head, z: float) -> Image.Image:
    """One slice as an 8-bit picture, at twice the size."""
    centre, width = WINDOW
    levels = (acquire(head, z).astype(np.float64) - centre) / width + 0.5
    grey = Image.fromarray(np.rint(np.clip(levels, 0, 1) * 255).astype(np.uint8))
    return grey.resize((2 * SIDE, 2 * SIDE), Image.Resampling.BICUBIC)


def write_pictures(folder: Path) -> None:
    """Write two pictures with a mass and one without."""
    folder.mkdir(parents=True, exist_ok=True)
    said = PngInfo()
    said.add_text("Description", STATEMENT)
    picture(RING, 40.0).save(folder / "tumour-parietal.png", pnginfo=said, optimize=True)
    picture(FRONTAL, 22.0).save(folder / "tumour-frontal.jpg", quality=90, comment=STATEMENT)
    picture(HEALTHY, 16.0).save(folder / "no-tumour.jpg", quality=90, comment=STATEMENT)


def main() -> int:
    """Write everything."""
    write_series(TARGET / "study")
    write_pictures(TARGET / "pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
