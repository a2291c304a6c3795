"""Zip archives that a user brings, unpacked without trusting them."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from tumorviewer.errors import InputError
from tumorviewer.files import format_size
from tumorviewer.language import tr

SEPARATOR = " › "
"""Between the name of an archive and that of its member."""
MAX_MEMBERS = 200_000
_DEFLATE_RATIO = 1032
"""Deflate cannot expand its input further: 258 bytes from 2 bits (zlib technical details)."""
_PLAUSIBLE_RATIO = 500
_UNQUESTIONED_BYTES = 64 << 20
"""An archive may unpack to it whatever its own size."""
_DISK_SHARE = 0.6
"""Of the disk that is free now, what one archive may take."""
_JUNK = {".ds_store", "thumbs.db", "desktop.ini", "__macosx", ".spotlight-v100", ".trashes"}
_COPY_CHUNK = 1 << 20


def is_junk(name: str) -> bool:
    """Whether a file or folder is one that operating systems leave behind."""
    return name.lower() in _JUNK or name.startswith("._")


def unpack_archive(archive: Path, source: str, folder: Path) -> list[InputError]:
    """Unpack a zip archive into an empty folder, without trusting it.

    Parameters
    ----------
    archive, source
        The file, and what the user knows it as.
    folder
        Where its members go; nothing is written anywhere else.

    Returns
    -------
    list of InputError
        For each member that was left out.

    Raises
    ------
    InputError
        If it is damaged or encrypted, or would not fit.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            _check_members(source, members)
            _check_size(source, members, archive.stat().st_size, folder)
            return [
                refused
                for member in members
                if (refused := _unpack_member(opened, member, source, folder)) is not None
            ]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError(
            source,
            tr("The archive is damaged."),
            tr("Download or copy it again, or unpack it yourself."),
        ) from error


def _check_members(source: str, members: list[zipfile.ZipInfo]) -> None:
    if not members:
        raise InputError(source, tr("The archive is empty."))
    if len(members) > MAX_MEMBERS:
        raise InputError(
            source,
            tr("The archive holds {n} files: more than are opened.", n=len(members)),
        )
    if any(member.flag_bits & 1 for member in members):
        raise InputError(
            source,
            tr("The archive is encrypted."),
            tr("Unpack it with its password and open the folder."),
        )


def _check_size(source: str, members: list[zipfile.ZipInfo], stored: int, folder: Path) -> None:
    total = sum(member.file_size for member in members)
    if total > stored * _DEFLATE_RATIO:
        raise InputError(
            source,
            tr(
                "It declares {total} but holds only {stored}.",
                total=format_size(total),
                stored=format_size(stored),
            ),
            tr("It is cut short or damaged: copy it again from where it came from."),
        )
    if total > max(_UNQUESTIONED_BYTES, _PLAUSIBLE_RATIO * stored):
        reason = tr(
            "It would unpack from {stored} to {total}, as no real image or model does.",
            stored=format_size(stored),
            total=format_size(total),
        )
        raise InputError(source, reason)
    free = shutil.disk_usage(folder).free
    if total > free * _DISK_SHARE:
        raise InputError(
            source,
            tr(
                "Unpacked it needs {total}; {free} are free.",
                total=format_size(total),
                free=format_size(free),
            ),
            tr("Make room on that disk, or unpack it elsewhere yourself."),
        )


def _unpack_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, source: str, folder: Path
) -> InputError | None:
    where = source + SEPARATOR + member.filename
    name = PurePosixPath(member.filename.replace("\\", "/"))
    reason = _suspicious(member, name)
    if reason:
        return InputError(where, reason)
    target = folder.joinpath(*name.parts)
    if any(map(is_junk, target.relative_to(folder).parts)):
        return None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as packed, target.open("xb") as unpacked:
            shutil.copyfileobj(packed, unpacked, _COPY_CHUNK)
    except FileExistsError:
        return InputError(where, tr("The archive holds another file of the same name."))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError):
        target.unlink(missing_ok=True)
        return InputError(where, tr("It is damaged in the archive, or cannot be unpacked here."))
    return None


def _suspicious(member: zipfile.ZipInfo, name: PurePosixPath) -> str:
    """Why a member is not unpacked; empty if it may be.

    Backslashes, which Windows' .NET writes between folders (APPNOTE 4.4.17.1 wants slashes), count
    as slashes in `name`.
    """
    if name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
        return tr("Its name points outside the archive.")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return tr("It is a link or a device, not a file.")
    return ""
