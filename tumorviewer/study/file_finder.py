"""The files among what a user brings: folders walked, archives unpacked, oddities refused."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tumorviewer.archives import SEPARATOR, is_junk, unpack_archive
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.study import limits
from tumorviewer.study.nifti_pixels import INFLATE_ERRORS, describe_read_error, open_maybe_gzip
from tumorviewer.study.other_formats import describe_pointer, is_annex_link
from tumorviewer.study.sniffing import guess_kind_by_name
from tumorviewer.study.types import Refused

_CHUNK = 1 << 20


@dataclass(frozen=True)
class FoundFile:
    """A regular file to look into."""

    path: Path
    source: str
    """What the user knows it as."""
    is_named: bool
    """Whether the user named it, rather than a folder or archive that holds it."""
    is_unpacked: bool = False
    """Whether it comes from an archive."""


class FileFinder:
    """Lists the files below some paths, each once."""

    def __init__(self) -> None:
        self.refused: list[Refused] = []
        self.folders: list[TemporaryFolder] = []
        """Of unpacked archives."""
        self._files: set[str] = set()
        self._folders: set[tuple[int, int]] = set()

    def find(self, path: Path, source: str = "") -> Iterator[FoundFile]:
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
                    yield FoundFile(at, name, is_named)
            except (OSError, ValueError) as error:
                self._refuse(limits.describe_unreadable(name, error), is_error=True)
            except InputError as error:
                told = describe_pointer(name, "git annex get") if is_annex_link(at) else error
                self._refuse(told, is_named or not _is_unrelated(at))
            is_named = False

    def unpack(self, archive: FoundFile) -> Iterator[FoundFile]:
        """The files in a zip archive, which is unpacked into a temporary folder; they change when
        it does."""
        changed_ns = archive.path.stat().st_mtime_ns
        folder = TemporaryFolder()
        self.folders.append(folder)
        left_out = unpack_archive(archive.path, archive.source, folder.path)
        self.refused += [Refused(one.source, one.reason) for one in left_out]
        for found in self.find(folder.path, archive.source):
            os.utime(found.path, ns=(changed_ns, changed_ns))
            yield replace(found, is_named=False, is_unpacked=True)

    def inflate(self, file: FoundFile) -> FoundFile:
        """A file out of gzip, in a temporary folder; it changes when the compressed one does."""
        status = file.path.stat()
        folder = TemporaryFolder()
        self.folders.append(folder)
        path = folder.path / "inflated.dcm"
        most = max(limits.UNQUESTIONED_BYTES, limits.PLAUSIBLE_RATIO * status.st_size)
        try:
            with open_maybe_gzip(file.path)[0] as packed, path.open("xb") as inflated:
                while part := packed.read(_CHUNK):
                    limits.check_expansion(file.source, inflated.tell(), status.st_size, most)
                    inflated.write(part)
        except INFLATE_ERRORS as error:
            raise describe_read_error(file.path, file.source, error) from error
        os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))
        return replace(file, path=path, is_unpacked=True)

    def _children(self, folder: Path, source: str) -> list[tuple[Path, str]]:
        """What a folder holds, unless it was listed before or contains itself through a link."""
        status = folder.stat()
        key = (status.st_dev, status.st_ino)
        if key in self._folders or (folder.is_symlink() and _holds_itself(folder)):
            if folder.is_symlink():
                reason = tr("It is a link to a folder that is opened already.")
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
    return path.is_file() and path.stat().st_size == 0 and guess_kind_by_name(path.name) is None


def _holds_itself(link: Path) -> bool:
    return link.parent.resolve().is_relative_to(link.resolve())


class TemporaryFolder:
    """A private folder that is removed with the last reference to it, or when the program ends."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="tumorviewer-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
