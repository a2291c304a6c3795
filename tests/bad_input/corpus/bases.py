"""Small good files, from which most bad ones are made."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from functools import cache

import nibabel as nib
import numpy as np
from PIL import Image
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    MRImageStorage,
    RLELossless,
)

from corpus.case import PATIENT_MARK

ROOT = "1.2.826.0.1.3680043.8.498.1"
GREY = np.random.default_rng(1).integers(0, 256, (15, 17), np.uint8)
COLOUR = np.random.default_rng(2).integers(0, 256, (15, 17, 3), np.uint8)
DEEP = np.random.default_rng(3).integers(0, 4096, (15, 17), np.uint16)
VOXELS = np.random.default_rng(4).integers(0, 1000, (6, 7, 5)).astype("<i2")
"""i, j, k."""
SHOWN = VOXELS[::-1, ::-1].transpose(2, 1, 0)
"""VOXELS with a RAS affine, as a viewer shows them."""


def dataset(index: int = 0, pixels: np.ndarray = DEEP, **elements: object) -> Dataset:
    """An MR slice at 3 mm times `index`; `elements` are added, or taken away if None."""
    made = Dataset()
    made.SOPClassUID = MRImageStorage
    made.SOPInstanceUID = f"{ROOT}.3.{index + 1}"
    made.StudyInstanceUID, made.SeriesInstanceUID = f"{ROOT}.1", f"{ROOT}.2"
    made.PatientName, made.PatientID = f"{PATIENT_MARK}^Test", "4711"
    made.Modality, made.SeriesDescription, made.StudyDate = "MR", "T1", "20261121"
    made.SeriesNumber, made.InstanceNumber = 1, index + 1
    made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    made.ImagePositionPatient = [0, 0, 3 * index]
    made.PixelSpacing, made.SliceThickness = [1, 1], 3
    made.Rows, made.Columns = pixels.shape[:2]
    made.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    made.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    if pixels.ndim == 3:
        made.PlanarConfiguration = 0
    bits = pixels.dtype.itemsize * 8
    made.BitsAllocated, made.BitsStored, made.HighBit = bits, bits, bits - 1
    made.PixelRepresentation = 0
    made.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    made["PixelData"].VR = "OW" if bits > 8 else "OB"
    for keyword, value in elements.items():
        if value is None:
            delattr(made, keyword)
        else:
            setattr(made, keyword, value)
    return made


def saved(made: Dataset, syntax: UID = ExplicitVRLittleEndian, preamble: bool = True) -> bytes:
    """A data set as a file."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = made.get("SOPClassUID", MRImageStorage)
    meta.MediaStorageSOPInstanceUID = made.get("SOPInstanceUID", f"{ROOT}.9")
    made.file_meta = meta
    stream = io.BytesIO()
    private = {"implicit_vr": False, "little_endian": True} if UID(syntax).is_private else {}
    dcmwrite(stream, made, enforce_file_format=preamble, **private)
    return stream.getvalue()


def dicom(index: int = 0, pixels: np.ndarray = DEEP, **elements: object) -> bytes:
    """An uncompressed MR slice."""
    return saved(dataset(index, pixels, **elements))


def dicom_series(count: int = 4, **elements: object) -> dict[str, bytes]:
    """Slices of a series, by file name; an element may be a function of the index."""
    return {
        f"{index}.dcm": dicom(
            index, **{k: v(index) if callable(v) else v for k, v in elements.items()}
        )
        for index in range(count)
    }


def encapsulated(fragments: list[bytes], syntax: UID, **elements: object) -> bytes:
    """A slice with compressed pixels."""
    made = dataset(**elements)
    made.PixelData = encapsulate(fragments)
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    return saved(made, syntax)


@cache
def dicom_rle() -> bytes:
    """The slice in RLE."""
    made = dataset()
    whole = FileDataset(None, made, file_meta=FileMetaDataset(), preamble=bytes(128))
    whole.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    whole.file_meta.MediaStorageSOPClassUID = MRImageStorage
    whole.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    whole.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    stream = io.BytesIO()
    whole.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def dicom_deflated(**elements: object) -> bytes:
    """The slice in a deflated file."""
    return saved(dataset(**elements), DeflatedExplicitVRLittleEndian)


def nifti(array: np.ndarray = VOXELS, affine: np.ndarray | None = None, **header: object) -> bytes:
    """A NIfTI-1 file; header fields by name, written as they are."""
    stream = io.BytesIO()
    image = nib.Nifti1Image(array, np.eye(4) if affine is None else affine, dtype=array.dtype)
    image.header.set_xyzt_units("mm")
    image.to_stream(stream)
    content = bytearray(stream.getvalue())
    if header:
        made = nib.Nifti1Header(bytes(content[:348]), check=False)
        for field, value in header.items():
            made[field] = value
        content[:348] = made.binaryblock
    return bytes(content)


def picture(form: str, pixels: np.ndarray | Image.Image = GREY, **options: object) -> bytes:
    """A picture in one of Pillow's formats."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def png(
    columns: int, rows: int, depth: int, colour: int, raster: bytes, *more: tuple[bytes, bytes]
) -> bytes:
    """A PNG of which every field may lie; `more` are chunks before the pixels."""
    head = struct.pack(">IIBBBBB", columns, rows, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", head), *more, (b"IDAT", zlib.compress(raster, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def tiff(
    tags: dict[int, int], data: bytes = GREY.tobytes(), following: int = 0, order: str = "<"
) -> bytes:
    """A TIFF of one page, of which every tag may lie."""
    size = 8 + 2 + 12 * 9 + 4
    whole = {
        256: 17,
        257: 15,
        258: 8,
        259: 1,
        262: 1,
        273: size,
        278: 15,
        279: len(data),
        339: 1,
    } | tags
    out = struct.pack(f"{order}2sHIH", b"MM" if order == ">" else b"II", 42, 8, len(whole))
    for tag, value in sorted(whole.items()):
        out += struct.pack(f"{order}HHII", tag, 4, 1, value)
    return out + struct.pack(f"{order}I", following) + data


def bmp(columns: int, rows: int, bits: int, data: bytes, compression: int = 0) -> bytes:
    """A BMP of which every field may lie."""
    head = struct.pack("<IiiHHIIiiII", 40, columns, rows, 1, bits, compression, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(data), 0, 0, 54) + head + data


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return stream.getvalue()


def gzipped(content: bytes) -> bytes:
    """Compressed, always the same."""
    return gzip.compress(content, mtime=0)


def zeros_gzipped(megabytes: int) -> bytes:
    """Zeros in members of a megabyte each."""
    return gzip.compress(bytes(1 << 20), 9, mtime=0) * megabytes


@cache
def good_files() -> dict[str, tuple[bytes, np.ndarray]]:
    """Every format that opens, with its values as they are shown."""
    jpeg = picture("JPEG", quality=90)
    with Image.open(io.BytesIO(jpeg)) as image:
        lossy = np.asarray(image)
    return {
        "mr.dcm": (dicom(), DEEP),
        "rle.dcm": (dicom_rle(), DEEP),
        "deflated.dcm": (dicom_deflated(), DEEP),
        "head.nii": (nifti(), SHOWN),
        "head.nii.gz": (gzipped(nifti()), SHOWN),
        "grey.png": (picture("PNG"), GREY),
        "grey.jpg": (jpeg, lossy),
        "grey.tif": (picture("TIFF"), GREY),
        "packed.tif": (picture("TIFF", compression="tiff_lzw"), GREY),
        "grey.bmp": (picture("BMP"), GREY),
        "study.zip": (archive({"a/mr.dcm": dicom()}), DEEP),
    }
