"""The site's own copy of training data: files found again by their SHA-256. No Qt."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorviewer.errors import InputError
from tumorviewer.files import replace_atomically
from tumorviewer.imaging.thumbnails import draw_thumbnail
from tumorviewer.language import tr
from tumorviewer.models import bundle
from tumorviewer.resources import home_path

Check = Callable[[], None]
"""Raises :class:`tumorviewer.errors.Cancelled` once nobody wants the answer."""
_Known = dict[str, tuple[int, int, str]]
"""Path below the folder to bytes, time of change in nanoseconds, and digest."""


class DataFolder:
    """A folder whose files are known by their digests; these are kept, and made again for files
    that changed.

    Parameters
    ----------
    folder
        That the user named.
    kept
        Where the digests are kept; in the user's own folder by default.
    """

    def __init__(self, folder: Path, kept: Path | None = None) -> None:
        self.folder = folder
        self._kept = kept or home_path("cache", "data-folder.json")

    def find(self, digests: Collection[str], check: Check = lambda: None) -> dict[str, Path]:
        """The files with some of these digests
        (:func:`tumorviewer.models.bundle.item_digest`), as far as the folder has them.

        Raises
        ------
        InputError
            If the folder cannot be read.
        """
        if not self.folder.is_dir():
            raise InputError(str(self.folder), tr("The folder is not there."), tr("Name it again."))
        before = self._load()
        now: _Known = {}
        try:
            for path in _files(self.folder):
                check()
                name = path.relative_to(self.folder).as_posix()
                now[name] = _described(path, before.get(name))
        finally:
            if now and now != before:
                self._save(before | now)
        return {
            digest: self.folder / name for name, (_, _, digest) in now.items() if digest in digests
        }

    def _load(self) -> _Known:
        try:
            content = json.loads(self._kept.read_text("utf-8"))
            if content["folder"] != str(self.folder.absolute()):
                return {}
            return {name: (int(n), int(t), str(d)) for name, (n, t, d) in content["files"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}

    def _save(self, known: _Known) -> None:
        """Not kept is no harm: the digests are then made again."""
        content = {"folder": str(self.folder.absolute()), "files": known}
        try:
            self._kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with replace_atomically(self._kept) as beside:
                beside.touch(mode=0o600)
                beside.write_text(json.dumps(content), "utf-8")
        except OSError:
            return


def read_picture(path: Path, index: int, side: int = 128) -> NDArray[np.uint8]:
    """A training item as the window would show it, ``(H, W)`` grey or ``(H, W, 3)`` RGB.

    Parameters
    ----------
    index
        Of its slice; -1 for a picture.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    from tumorviewer.study import open_paths

    opened = open_paths([path])
    volumes = [one for study in opened.studies for each in study.series for one in each.volumes]
    if not volumes:
        raise InputError(str(path), tr("It holds no picture."))
    volume = volumes[0].load()
    return draw_thumbnail(volume, min(max(index, 0), len(volume.array) - 1), side)


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def _described(path: Path, before: tuple[int, int, str] | None) -> tuple[int, int, str]:
    try:
        status = path.stat()
        if before is not None and before[:2] == (status.st_size, status.st_mtime_ns):
            return before
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return 0, 0, ""
    return status.st_size, status.st_mtime_ns, bundle.item_digest(sha256)
