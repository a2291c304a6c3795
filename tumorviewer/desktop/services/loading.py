"""Opening paths and loading volumes, off the GUI thread."""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from cachetools import LRUCache
from PySide6.QtCore import QObject, Signal

from tumorviewer.desktop.services.byte_cache import make_byte_cache
from tumorviewer.desktop.services.jobs import BackgroundJob, Executor, JobQueue
from tumorviewer.errors import InputError
from tumorviewer.language import number, tr
from tumorviewer.study.types import Opened, Refused, Series, Volume, VolumeReader

_KEPT_BYTES = 256 << 20
"""Pixels of volumes that were shown before and are shown again at once."""


class Throttle:
    """Lets progress through at a rate that eyes can follow and the GUI thread does not feel."""

    def __init__(self, seconds: float = 0.05) -> None:
        self._seconds = seconds
        self._next = 0.0

    def is_due(self) -> bool:
        """Whether it is time to say something; the first time always."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


class Opener(QObject):
    """Reads what paths hold, one drop after another."""

    progressed = Signal(str, int, int)
    """What is being read, in words, and how much of how much is done (0 of 0: not known)."""
    opened = Signal(tuple, Opened)
    """The paths and their :class:`Opened`."""
    ended = Signal()
    """Nothing waits any more."""

    def __init__(self, executor: Executor | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = JobQueue(executor, self)

    def open(self, paths: Sequence[Path]) -> None:
        """Queue some paths."""
        chosen = tuple(paths)
        self.progressed.emit(tr("Looking for files…"), 0, 0)
        self._jobs.start(
            partial(self._read, chosen), partial(self._done, chosen), partial(self._failed, chosen)
        )

    @property
    def is_busy(self) -> bool:
        return self._jobs.is_busy

    def warm_up(self) -> None:
        """Import the readers, so that the first drop does not have to."""
        self._jobs.start(_import_readers, lambda _: None, lambda _: None)

    def cancel(self) -> None:
        self._jobs.cancel()
        self.ended.emit()

    def close(self) -> bool:
        return self._jobs.close()

    def _read(self, paths: tuple[Path, ...], job: BackgroundJob) -> Opened:
        from tumorviewer.study import open_paths

        pace = Throttle()

        def progress(done: int, total: int) -> None:
            job.check()
            if pace.is_due():
                text = tr(
                    "Reading file {done} of {total}",
                    done=number(done + 1, ","),
                    total=number(total, ","),
                )
                job.tell(self.progressed.emit, text, done, total)

        return open_paths(paths, progress)

    def _done(self, paths: tuple[Path, ...], opened: Opened) -> None:
        self.opened.emit(paths, opened)
        if not self.is_busy:
            self.ended.emit()

    def _failed(self, paths: tuple[Path, ...], error: InputError) -> None:
        source = error.source or ", ".join(path.name for path in paths)
        self._done(paths, Opened((), (Refused(source, error.reason, error.remedy),)))


class Loader(QObject):
    """Loads the pixels of one volume at a time; asking for another gives up the first.

    Parameters
    ----------
    shares
        Another loader, whose volumes are kept for both.
    """

    filled = Signal(Volume, list)
    """The volume while it loads, and the slices that were read since it was last said."""
    loaded = Signal(Volume)
    """The whole :class:`Volume`."""
    failed = Signal(InputError)
    """An :class:`InputError`."""

    def __init__(
        self,
        executor: Executor | None = None,
        parent: QObject | None = None,
        shares: Loader | None = None,
    ) -> None:
        super().__init__(parent)
        self._jobs = JobQueue(executor, self)
        self.kept: LRUCache[Hashable, Volume] = (
            make_byte_cache(_KEPT_BYTES, lambda volume: volume.array.nbytes)
            if shares is None
            else shares.kept
        )

    def load(self, source: VolumeReader) -> None:
        self.cancel()
        if (volume := self.kept.get(id(source))) is not None:
            self.loaded.emit(volume)
            return
        self._jobs.start(partial(self._read, source), partial(self._done, source), self.failed.emit)

    @property
    def is_busy(self) -> bool:
        return self._jobs.is_busy

    def cancel(self) -> None:
        self._jobs.cancel()

    def forget(self, source: VolumeReader) -> None:
        """Give back the memory of a volume that was closed."""
        self.kept.pop(id(source), None)

    def close(self) -> bool:
        return self._jobs.close()

    def _read(self, source: VolumeReader, job: BackgroundJob) -> Volume:
        pace = Throttle()
        fresh: list[int] = []

        def progress(volume: Volume, index: int) -> None:
            job.check()
            fresh.append(index)
            if pace.is_due():
                job.tell(self.filled.emit, volume, fresh.copy())
                fresh.clear()

        from tumorviewer.imaging.display import choose_default_window

        volume = source.load(progress)
        choose_default_window(
            volume
        )  # remembered for the GUI thread, which would have to wait for it
        return volume

    def _done(self, source: VolumeReader, volume: Volume) -> None:
        self.kept[id(source)] = volume
        self.loaded.emit(volume)


class Thumbnails(QObject):
    """Small pictures of series, made one by one while nothing else is loading."""

    made = Signal(Series, np.ndarray)
    """A :class:`Series` and its picture."""

    def __init__(self, executor: Executor | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = JobQueue(executor, self)
        self._wanted: list[Series] = []
        self._paused = False

    def want(self, series: Sequence[Series]) -> None:
        """Make pictures of these and of nothing else."""
        self._wanted = [one for one in series if one.volumes]
        self._next()

    def pause(self, paused: bool) -> None:
        """Let something more urgent have the processor."""
        self._paused = paused
        self._next()

    def close(self) -> bool:
        self._wanted.clear()
        return self._jobs.close()

    def _next(self) -> None:
        if self._paused or self._jobs.is_busy or not self._wanted:
            return
        series = self._wanted.pop(0)
        self._jobs.start(
            partial(self._make, series), partial(self._done, series), lambda _: self._next()
        )

    def _make(self, series: Series, job: BackgroundJob) -> object:
        from tumorviewer.imaging.thumbnails import draw_reader_thumbnail

        job.check()
        return draw_reader_thumbnail(series.volumes[0])

    def _done(self, series: Series, picture: object) -> None:
        self.made.emit(series, picture)
        self._next()


def _import_readers(_job: BackgroundJob) -> None:
    import tumorviewer.study.dicom
    import tumorviewer.study.nifti
    import tumorviewer.study.opening  # noqa: F401
