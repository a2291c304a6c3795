"""Files of medical imaging that are not read here: recognised, so that they are refused by name."""

from __future__ import annotations

import os
from pathlib import Path

from tumorviewer.errors import InputError, NoImageError
from tumorviewer.language import later, tr

_IMAGES = {
    b"ObjectType": "MetaImage",
    b"NDims": "MetaImage",
    b"NRRD000": "NRRD",
    b"CDF\x01": "MINC",
    b"CDF\x02": "MINC",
    b"mrtrix image": "MRtrix",
}
_IMAGE_SUFFIXES = {
    ".mha": "MetaImage",
    ".mhd": "MetaImage",
    ".nrrd": "NRRD",
    ".nhdr": "NRRD",
    ".mnc": "MINC",
    ".mgh": "FreeSurfer MGH",
    ".mgz": "FreeSurfer MGH",
    ".mif": "MRtrix",
    ".brik": "AFNI",
    ".head": "AFNI",
}
_NO_IMAGES = {
    b"#Insight Transform": later("a transformation (ITK)"),
    b"\xff\xff\xfe": later("a surface (FreeSurfer)"),
    b"# vtk DataFile": later("a surface or mesh (VTK)"),
    b"mrtrix tracks": later("nerve tracts"),
    b"TRACK\0": later("nerve tracts"),
}
_NO_IMAGE_SUFFIXES = {
    ".gii": later("a surface (GIFTI)"),
    ".stl": later("a surface or mesh (VTK)"),
    ".vtk": later("a surface or mesh (VTK)"),
    ".tfm": later("a transformation (ITK)"),
    ".xfm": later("a transformation (MINC)"),
    ".trk": later("nerve tracts"),
    ".tck": later("nerve tracts"),
}
_POINTERS = {
    b"version https://git-lfs.github.com/spec/": "git lfs pull",
    b"/annex/objects/": "git annex get",
}
_ANNEX = f".git{os.sep}annex{os.sep}objects"


def is_pointer(head: bytes) -> bool:
    """Whether a file that begins like this stands for another that was not fetched."""
    return any(head.startswith(magic) for magic in _POINTERS)


def is_other_format(head: bytes) -> bool:
    """Whether a file that begins like this is of medical imaging, and not read here."""
    return any(head.startswith(magic) for magic in (*_IMAGES, *_NO_IMAGES))


def is_other_name(name: str) -> bool:
    """As :func:`is_other_format`, by a file's name in small letters."""
    return _suffix(name) in _IMAGE_SUFFIXES | _NO_IMAGE_SUFFIXES


def _suffix(name: str) -> str:
    return Path(name.removesuffix(".gz")).suffix


def is_annex_link(path: Path) -> bool:
    """Whether a link leads to where git-annex keeps content, and nothing is there."""
    return path.is_symlink() and _ANNEX in str(path.readlink()) and not path.exists()


def describe_pointer(source: str, command: str) -> InputError:
    """What to tell the user of a file whose content is still somewhere else."""
    reason = tr("Its content was not fetched: the file only says where it is.")
    return InputError(source, reason, tr("Fetch it with {command}.", command=command))


def refuse_pointer(head: bytes, source: str) -> None:
    """Say how to fetch what a pointer stands for.

    Raises
    ------
    InputError
        Always.
    """
    command = next(command for magic, command in _POINTERS.items() if head.startswith(magic))
    raise describe_pointer(source, command)


def refuse_other_format(head: bytes, path: Path, source: str) -> None:
    """Name what a file is.

    Raises
    ------
    NoImageError
        If it is a surface, a transformation or the like.
    InputError
        If it is an image.
    """
    suffix = _suffix(path.name.lower())
    other = _by_magic(head, _NO_IMAGES) or _NO_IMAGE_SUFFIXES.get(suffix)
    if other and not _by_magic(head, _IMAGES):
        raise NoImageError(source, tr("It is no image: {kind}.", kind=tr(other)))
    name = _by_magic(head, _IMAGES) or _IMAGE_SUFFIXES[suffix]
    reason = tr("{other} files are not supported.", other=name)
    raise InputError(source, reason, tr("Convert it to NIfTI and open that."))


def _by_magic(head: bytes, names: dict[bytes, str]) -> str | None:
    return next((name for magic, name in names.items() if head.startswith(magic)), None)
