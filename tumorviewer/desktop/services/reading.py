"""What is open, what is shown, and what becomes of it: drop, open, load, ask. No widgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QObject, Signal

from tumorviewer.analysis.finding import Finding
from tumorviewer.analysis.slices import is_label_map
from tumorviewer.desktop.services.inference import InferenceController, InferencePhase
from tumorviewer.desktop.services.library import Library
from tumorviewer.desktop.services.loading import Loader, Opener, Thumbnails
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.study.types import Opened, Series, Study, Volume, VolumeReader


class Shown(NamedTuple):
    """The volume that the window is about, loaded or not."""

    study: Study
    series: Series
    volume: int

    @property
    def source(self) -> VolumeReader:
        return self.series.volumes[self.volume]


@dataclass(frozen=True)
class Snapshot:
    """What is being read at one moment; :attr:`Reading.snapshot` makes it, views are given it
    whole and keep nothing else of it."""

    study: Study | None = None
    series: Series | None = None
    volume: Volume | None = None
    """None until all of its slices are read."""
    slice: int = 0
    phase: InferencePhase = InferencePhase.IDLE
    finding: Finding | None = None
    """The model's answer so far, on this volume."""


class Reading(QObject):
    """Carries a drop to a shown volume and the model's answer, one at a time.

    Parameters
    ----------
    inference
        Who is asked about each volume once it is loaded.
    """

    library_changed = Signal()
    opened = Signal(tuple, Opened)
    """The paths, and their :class:`Opened`."""
    turned = Signal()
    """Something that was not open before is shown."""
    returned = Signal(Study)
    """A :class:`Study` that was open before, and is to be shown where the reader was."""
    updated = Signal(str)
    """What has changed of something that was opened again, in a line."""
    shown_changed = Signal(Shown)
    """:class:`Shown` or None: its loading begins."""
    volume_filled = Signal(Volume, list)
    """The volume while it loads, and the slices that were just read."""
    volume_loaded = Signal(Volume)
    load_failed = Signal(InputError)
    """An :class:`InputError`: the shown volume cannot be read."""

    def __init__(self, inference: InferenceController, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.library = Library()
        self.shown: Shown | None = None
        self._volume: Volume | None = None
        self.inference = inference
        self.opener = Opener(parent=self)
        self.thumbnails = Thumbnails(parent=self)
        self._loader = Loader(parent=self)
        self.side_loader = Loader(parent=self, shares=self._loader)
        """For what is shown beside the shown volume."""
        self.study_loader = Loader(parent=self, shares=self._loader)
        """For what is read to answer for the study."""
        self.arrange: Callable[[Sequence[Study]], tuple[Study, ...]] = tuple
        """Puts what is opened, and the series of each study, in order."""
        self.opener.opened.connect(self._take)
        self._loader.filled.connect(self.volume_filled)
        self._loader.loaded.connect(self._loaded)
        self._loader.failed.connect(self._failed)

    @property
    def slice(self) -> int:
        """Index of the slice that the viewer shows."""
        return self.inference.slice

    @slice.setter
    def slice(self, index: int) -> None:
        self.inference.slice = index

    @property
    def snapshot(self) -> Snapshot:
        """What is being read now."""
        state, shown = self.inference.state, self.shown
        if shown is None:
            return Snapshot()
        return Snapshot(
            shown.study, shown.series, self._volume, self.slice, state.phase, state.finding
        )

    def open(self, paths: Sequence[Path]) -> None:
        """Open paths beside what is open; the first series of the new ones will be shown."""
        if paths:
            self.opener.open(paths)

    def show_series(self, series: Series, volume: int = 0) -> None:
        """Load and show a volume of a series, and ask about it."""
        if not series.volumes:
            return
        self.shown = Shown(self.library.study_of(series), series, volume)
        self._volume = None
        self.inference.show(None)
        self.thumbnails.pause(True)
        self.shown_changed.emit(self.shown)
        self._loader.load(self.shown.source)

    def show_volume(self, index: int) -> None:
        """Another volume of the shown series."""
        if self.shown is not None and 0 <= index < len(self.shown.series.volumes):
            self.show_series(self.shown.series, index)

    def step_volume(self, step: int) -> None:
        if self.shown is not None:
            self.show_volume(self.shown.volume + step)

    def step_series(self, step: int) -> None:
        if self.shown is None:
            return
        if (series := self.library.neighbour(self.shown.series, step)) is not None:
            self.show_series(series)

    def load_again(self) -> None:
        """Try once more to read the shown volume."""
        if self.shown is not None:
            self.show_volume(self.shown.volume)

    def cancel(self) -> None:
        """Give up what is being opened, loaded or computed."""
        self.opener.cancel()
        self.cancel_loading()
        self.inference.cancel()

    def cancel_loading(self) -> None:
        if self._loader.is_busy:
            self._loader.cancel()
            self._failed(InputError("", tr("Loading was cancelled.")))

    def close_study(self, study: Study | None = None) -> None:
        """Close a study, the shown one by default, and give back its memory."""
        shown = self.shown.study if self.shown is not None else None
        closed = study or shown
        if closed is None:
            return
        self._forget(*closed.series)
        self.library.remove(closed)
        if closed is shown:
            self._show_first()
        else:
            self.library_changed.emit()

    def close_all(self) -> None:
        self._forget(*self.library.series())
        self.library.clear()
        self._show_first()

    def close(self) -> bool:
        """End all work; False if some of it does not end in time."""
        loaders = self._loader, self.side_loader, self.study_loader
        ended = [each.close() for each in (self.opener, *loaders, self.thumbnails)]
        self.inference.close()
        return all(ended)

    def _take(self, paths: tuple[Path, ...], opened: Opened) -> None:
        arranged = replace(opened, studies=self.arrange(opened.studies))
        update = self.library.add(arranged, paths)
        for series in update.replaced:
            self._forget(series)
        before = self.shown.series if self.shown is not None else None
        now = update.now(before) if before is not None else None
        self._follow(now or before)
        self.library_changed.emit()
        if now is not None and self.shown is not None:
            if now is not before:
                self.load_again()
            self.returned.emit(self.shown.study)
        elif update.new:
            self.show_series(update.new[0])
            self.turned.emit()
        elif update.came:
            self.returned.emit(self.library.study_of(update.came[0][1]))
        self.opened.emit(paths, opened)
        if update.words:
            self.updated.emit(update.words)
        self.thumbnails.want(self.library.series())

    def _follow(self, series: Series | None) -> None:
        """What is shown is this series from now on, of a study that may have changed."""
        if self.shown is not None and series is not None:
            volume = min(self.shown.volume, len(series.volumes) - 1)
            self.shown = Shown(self.library.study_of(series), series, volume)

    def _show_first(self) -> None:
        self._loader.cancel()
        self._volume = None
        self.inference.show(None)
        self.shown = None
        self.library_changed.emit()
        self.shown_changed.emit(None)
        everything = self.library.series()
        if everything:
            self.show_series(everything[0])

    def _loaded(self, volume: Volume) -> None:
        self.thumbnails.pause(False)
        self._volume = volume
        self.volume_loaded.emit(volume)
        if self.shown is not None and not is_label_map(volume):
            self.inference.show(volume, id(self.shown.source))

    def _failed(self, error: InputError) -> None:
        self.thumbnails.pause(False)
        self.load_failed.emit(error)

    def _forget(self, *closed: Series) -> None:
        for series in closed:
            for source in series.volumes:
                self._loader.forget(source)
                self.inference.forget(id(source))
