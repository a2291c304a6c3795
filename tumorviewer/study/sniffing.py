"""What kind of file something is: by its content first, by its name second."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from tumorviewer.study import pictures
from tumorviewer.study.nifti_pixels import inflate_head
from tumorviewer.study.other_formats import is_other_format, is_other_name, is_pointer

HEAD_BYTES = 1024
"""How much of a file :func:`recognise_kind` wants to see."""
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BITMAP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
_NIFTI_SUFFIXES = (".nii", ".nii.gz", ".hdr", ".hdr.gz", ".img", ".img.gz")
"""In lower case; files by these names are worth trying even if their content says no."""
_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_VALUE_REPRESENTATIONS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN "
    b"UR US UT UV".split()
)


class FileKind(Enum):
    """Who reads a file."""

    DICOM = "DICOM"
    NIFTI = "NIfTI"
    PICTURE = "picture"
    ARCHIVE = "zip archive"
    OTHER_PICTURE = "picture of a kind that is not supported"
    OTHER_FORMAT = "file of medical imaging of a kind that is not supported"
    GZIPPED_DICOM = "DICOM in gzip"
    POINTER = "pointer to content that was not fetched"


def recognise_kind(head: bytes, path: Path) -> FileKind | None:
    """Recognise a file.

    Parameters
    ----------
    head
        Its first `HEAD_BYTES` bytes, or all of them.
    path
        Where it is; its name counts if its content is not recognised.

    Returns
    -------
    Kind or None
        None if neither is known.
    """
    return _by_content(head) or guess_kind_by_name(path.name)


def _by_content(head: bytes) -> FileKind | None:
    if head[128:132] == b"DICM":
        return FileKind.DICOM
    if head.startswith(_PICTURES) or _is_bitmap(head):
        return FileKind.PICTURE
    if head.startswith(_ZIP):
        return FileKind.ARCHIVE
    from tumorviewer.study import nifti  # for what is no picture: it takes long

    if nifti.is_nifti(head):
        return FileKind.NIFTI
    if is_pointer(head):
        return FileKind.POINTER
    if is_other_format(head):
        return FileKind.OTHER_FORMAT
    if head.startswith(b"\x1f\x8b") and inflate_head(head, 132)[128:] == b"DICM":
        return FileKind.GZIPPED_DICOM
    if _is_bare_dicom(head):
        return FileKind.DICOM
    return (
        FileKind.OTHER_PICTURE if pictures.is_picture(head) and not head.startswith(b"BM") else None
    )


def guess_kind_by_name(name: str) -> FileKind | None:
    """What a file claims to be by its suffix."""
    name = name.lower()
    if name.endswith(_DICOM_SUFFIXES) or name == "dicomdir":
        return FileKind.DICOM
    if name.endswith(_NIFTI_SUFFIXES):
        return FileKind.NIFTI
    if name.endswith(pictures.SUFFIXES):
        return FileKind.PICTURE
    if is_other_name(name):
        return FileKind.OTHER_FORMAT
    return FileKind.ARCHIVE if name.endswith(".zip") else None


def _is_bitmap(head: bytes) -> bool:
    return head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BITMAP_HEADERS


def _is_bare_dicom(head: bytes) -> bool:
    """Whether it begins with an element of group 2 or 8, as DICOM without its preamble does."""
    for order in ("little", "big"):
        group = int.from_bytes(head[:2], order)
        element = int.from_bytes(head[2:4], order)
        length = int.from_bytes(head[4:8], order)
        if group in (0x0002, 0x0008) and element <= 0x0100 and len(head) >= 8:
            explicit = head[4:6] in _VALUE_REPRESENTATIONS
            return explicit or (order == "little" and length <= 0x400)
    return False
