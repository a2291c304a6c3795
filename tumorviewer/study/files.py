"""The files among what a user brings: folders walked, archives unpacked, oddities refused."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from tumorviewer.errors import InputError
from tumorviewer.study import limits
from tumorviewer.study.sniffing import kind_by_name
from tumorviewer.study.types import Refused

SEPARATOR = " › "
"""Between the name of an archive and that of its member."""
MAX_MEMBERS = 200_000
_JUNK = {".ds_store", "thumbs.db", "desktop.ini", "__macosx", ".spotlight-v100", ".trashes"}
_UNQUESTIONED_BYTES = 64 << 20
"""An archive may unpack to it whatever its own size."""
_COPY_CHUNK = 1 << 20


@dataclass(frozen=True)
class Found:
    """A regular file to look into."""

    path: Path
    source: str
    """What the user knows it as."""
    is_named: bool
    """Whether the user named it, rather than a folder or archive that holds it."""
    is_unpacked: bool = False
    """Whether it comes from an archive."""


class Finder:
    """Lists the files below some paths, each once."""

    def __init__(self) -> None:
        self.refused: list[Refused] = []
        self.folders: list[TemporaryFolder] = []
        """Of unpacked archives."""
        self._files: set[str] = set()
        self._folders: set[tuple[int, int]] = set()

    def find(self, path: Path, source: str = "") -> Iterator[Found]:
        """All files that a path stands for, folders in the order of their names.

        Parameters
        ----------
        path
            A file or folder.
        source
            What the user knows it as, if not by its path.
        """
        is_named = not source
        waiting = [(path, source or str(path))]
        while waiting:
            at, name = waiting.pop()
            try:
                if at.is_dir():
                    waiting += reversed(self._children(at, name))
                elif self._is_new(at):
                    limits.check_regular_file(at, name)
                    yield Found(at, name, is_named)
            except (OSError, ValueError) as error:
                self._refuse(limits.unreadable(name, error), is_error=True)
            except InputError as error:
                self._refuse(error, is_named or not _is_unrelated(at))
            is_named = False

    def unpack(self, archive: Found) -> Iterator[Found]:
        """The files in a zip archive, which is unpacked into a temporary folder."""
        folder = TemporaryFolder()
        self.folders.append(folder)
        self.refused += unpack(archive.path, archive.source, folder.path)
        for found in self.find(folder.path, archive.source):
            yield replace(found, is_named=False, is_unpacked=True)

    def _children(self, folder: Path, source: str) -> list[tuple[Path, str]]:
        """What a folder holds, unless it was listed before or contains itself through a link."""
        status = folder.stat()
        key = (status.st_dev, status.st_ino)
        if key in self._folders or (folder.is_symlink() and _holds_itself(folder)):
            if folder.is_symlink():
                reason = "It is a link to a folder that is opened already."
                self.refused.append(Refused(source, reason, is_error=False))
            return []
        self._folders.add(key)
        is_archive = any(folder == known.path for known in self.folders)
        join = SEPARATOR if is_archive else os.sep
        return [
            (child, f"{source.rstrip(os.sep)}{join}{child.name}")
            for child in sorted(folder.iterdir())
            if not is_junk(child.name)
        ]

    def _is_new(self, path: Path) -> bool:
        real = os.path.realpath(path)
        is_new = real not in self._files
        self._files.add(real)
        return is_new

    def _refuse(self, error: InputError, is_error: bool) -> None:
        self.refused.append(Refused(error.source, error.reason, error.remedy, is_error))


def _is_unrelated(path: Path) -> bool:
    """Whether a file is empty and its name promises nothing that could be shown."""
    return path.is_file() and path.stat().st_size == 0 and kind_by_name(path.name) is None


def _holds_itself(link: Path) -> bool:
    return link.parent.resolve().is_relative_to(link.resolve())


def is_junk(name: str) -> bool:
    """Whether a file or folder is one that operating systems leave behind."""
    return name.lower() in _JUNK or name.startswith("._")


class TemporaryFolder:
    """A private folder that is removed with the last reference to it, or when the program ends."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="tumorviewer-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def unpack(archive: Path, source: str, folder: Path) -> list[Refused]:
    """Unpack a zip archive into an empty folder, without trusting it.

    Parameters
    ----------
    archive, source
        The file, and what the user knows it as.
    folder
        Where its members go; nothing is written anywhere else.

    Returns
    -------
    list of Refused
        Members that were left out.

    Raises
    ------
    InputError
        If it is damaged or encrypted, or would not fit.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            _check_archive(archive, source, members)
            return [
                refused
                for member in members
                if (refused := _unpack_member(opened, member, source, folder)) is not None
            ]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError(
            source, "The archive is damaged.", "Download or copy it again, or unpack it yourself."
        ) from error


def _check_archive(archive: Path, source: str, members: list[zipfile.ZipInfo]) -> None:
    if not members:
        raise InputError(source, "The archive is empty.")
    if len(members) > MAX_MEMBERS:
        raise InputError(source, f"The archive holds {len(members)} files: more than are opened.")
    if any(member.flag_bits & 1 for member in members):
        raise InputError(
            source,
            "The archive is encrypted.",
            "Unpack it with its password and open the folder.",
        )
    total = sum(member.file_size for member in members)
    size = archive.stat().st_size
    limits.check_expansion(source, total, size, limits.DEFLATE_RATIO, _UNQUESTIONED_BYTES)
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if total > free * limits.MEMORY_SHARE:
        raise InputError(
            source,
            f"Unpacked it needs {limits.size_text(total)}; {limits.size_text(free)} are free.",
            "Make room on the disk of the temporary folder, or unpack it elsewhere yourself.",
        )


def _unpack_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, source: str, folder: Path
) -> Refused | None:
    where = source + SEPARATOR + member.filename
    reason = _suspicious(member)
    if reason:
        return Refused(where, reason)
    target = folder.joinpath(*PurePosixPath(member.filename).parts)
    if any(map(is_junk, target.relative_to(folder).parts)):
        return None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as packed, target.open("xb") as unpacked:
            shutil.copyfileobj(packed, unpacked, _COPY_CHUNK)
    except FileExistsError:
        return Refused(where, "The archive holds another file of the same name.")
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError):
        target.unlink(missing_ok=True)
        return Refused(where, "It is damaged in the archive, or cannot be unpacked here.")
    return None


def _suspicious(member: zipfile.ZipInfo) -> str:
    """Why a member is not unpacked; empty if it may be."""
    name = PurePosixPath(member.filename)
    if name.is_absolute() or ".." in name.parts or "\\" in member.filename or ":" in name.parts[0]:
        return "Its name points outside the archive."
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "It is a link or a device, not a file."
    return ""
