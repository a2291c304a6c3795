"""What is open: studies, their series, and what could not be shown. No Qt."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tumorviewer.archives import SEPARATOR
from tumorviewer.language import tr
from tumorviewer.study.types import Opened, Refused, Series, Study


@dataclass
class LibraryUpdate:
    """What came of opening some paths, maybe not for the first time."""

    came: list[tuple[Series | None, Series]] = field(default_factory=list)
    """Each series as it was here before and as it is here now: the same one if its files are."""
    gone: list[Series] = field(default_factory=list)
    """Series whose files were looked for again and not found."""
    back: list[Series] = field(default_factory=list)
    """Series that were gone, and came as they had been."""

    @property
    def new(self) -> list[Series]:
        """Series that were not here before."""
        return [now for before, now in self.came if before is None]

    @property
    def replaced(self) -> list[Series]:
        """Series as they were before their files changed."""
        return [before for before, now in self.came if before is not None and before is not now]

    def now(self, series: Series) -> Series | None:
        """What a series that was here is now; None if it did not come again."""
        return next((now for before, now in self.came if before is series), None)

    @property
    def words(self) -> str:
        """In one line; empty if nothing of it was here before."""
        parts = (self.new, self.replaced, self.gone, self.back)
        new, changed, gone, back = map(len, parts)
        if len(self.came) == new and not gone:
            return ""
        counted = (
            (new, tr("{n} series new", n=new)),
            (changed, tr("{n} series changed", n=changed)),
            (gone, tr("{n} series gone", n=gone)),
            (back, tr("{n} series back again", n=back)),
        )
        changes = ", ".join(text for count, text in counted if count)
        return tr("Opened again: {changes}.", changes=changes or tr("nothing has changed"))


class Library:
    """Everything that was opened and not closed again."""

    def __init__(self) -> None:
        self.studies: list[Study] = []
        self.refused: list[Refused] = []
        self._gone: set[int] = set()

    def add(self, opened: Opened, paths: Sequence[Path] = ()) -> LibraryUpdate:
        """Take in what was opened; what is here already is brought up to date, and not doubled.

        Parameters
        ----------
        paths
            Where it was looked for: a series whose files were there, and that did not come, is
            gone. It stays in the list.
        """
        update, roots = LibraryUpdate(), frozenset(path.absolute() for path in paths)
        elsewhere = (item for item in self.refused if not _is_below(item.source, roots))
        self.refused = list(dict.fromkeys((*elsewhere, *opened.refused)))
        for study in opened.studies:
            if study.series:
                self._add_study(study, roots, update)
        self._miss(roots, update)
        return update

    def is_gone(self, series: Series) -> bool:
        """Whether the files of a series were not found when it was opened again."""
        return id(series) in self._gone

    def there(self, study: Study) -> Study:
        """A study without the series that are gone."""
        return replace(study, series=tuple(s for s in study.series if not self.is_gone(s)))

    def remove(self, study: Study) -> None:
        """Close a study; the list of refused items ends with the last one."""
        self.studies.remove(study)
        self._gone -= {id(series) for series in study.series}
        if not self.studies:
            self.refused.clear()

    def clear(self) -> None:
        self.studies.clear()
        self.refused.clear()
        self._gone.clear()

    def series(self) -> list[Series]:
        """All series in the order of the list."""
        return [series for study in self.studies for series in study.series]

    def study_of(self, series: Series) -> Study:
        """The study that a series of this library belongs to."""
        return next(study for study in self.studies if any(one is series for one in study.series))

    def neighbour(self, series: Series, step: int) -> Series | None:
        """The series before (-1) or after (1) another."""
        everything = self.series()
        at = next(i for i, one in enumerate(everything) if one is series) + step
        return everything[at] if 0 <= at < len(everything) else None

    def _add_study(self, study: Study, roots: frozenset[Path], update: LibraryUpdate) -> None:
        for at, known in enumerate(self.studies):
            if identify_study(known) == identify_study(study):
                self.studies[at] = _merged(known, study, roots, update)
                return
        self.studies.append(study)
        update.came += [(None, series) for series in study.series]

    def _miss(self, roots: frozenset[Path], update: LibraryUpdate) -> None:
        """Find out what is gone, or has come back: a study of which something has is another."""
        before, came = self._gone, {id(series) for _, series in update.came}
        missing = [one for one in self.series() if id(one) not in came]
        self._gone = {id(one) for one in missing if id(one) in before or _has_gone(one, roots)}
        update.gone = [one for one in missing if id(one) in self._gone - before]
        update.back = [one for one in self.series() if id(one) in before & came]
        for at, study in enumerate(self.studies):
            if any(id(series) in self._gone ^ before for series in study.series):
                self.studies[at] = replace(study)


def identify_study(study: Study) -> Hashable:
    """What stays of a study when it is opened again, whatever became of its files."""
    return study.uid or study.series[0].source, study.patient_id or study.patient_name


def identify_subject(study: Study) -> Hashable:
    """What marks and verdicts are about: a file with another content is another study."""
    if study.uid:
        return identify_study(study)
    return identify_study(study), *(
        stamp for one in study.series for stamp in _sources(one).values()
    )


def _merged(known: Study, study: Study, roots: frozenset[Path], update: LibraryUpdate) -> Study:
    """A study with what came of it; the very same one if it is as it was."""
    left = {_name(series): series for series in study.series}
    merged = []
    for series in known.series:
        new = left.get(_name(series))
        if new is None or _is_elsewhere(series, new, roots):
            merged.append(series)
            continue
        del left[_name(series)]
        merged.append(new if _is_newer(series, new, roots) else series)
        update.came.append((series, merged[-1]))
    update.came += [(None, series) for series in left.values()]
    merged += left.values()
    if [*map(id, merged)] == [*map(id, known.series)]:
        return known
    return replace(study, series=tuple(merged), keep=(known.keep, study.keep))


def _name(series: Series) -> Hashable:
    return series.uid or (series.source, series.title, series.number)


def _is_elsewhere(known: Series, new: Series, roots: frozenset[Path]) -> bool:
    """Whether this is a copy or another part, of a known one that was not looked for."""
    return not _was_looked_for(known, roots) and _sources(known).keys().isdisjoint(_sources(new))


def _is_newer(known: Series, new: Series, roots: frozenset[Path]) -> bool:
    """Whether files are new, others or gone; a part of a series, opened alone, is no news."""
    is_whole = _was_looked_for(known, roots) or _sources(known).keys() <= _sources(new).keys()
    return is_whole and _sources(known) != _sources(new)


def _sources(series: Series) -> dict[str, Hashable]:
    """What the user knows the files as, and what they were when they were opened."""
    return {file.source: file.stamp for volume in series.volumes for file in volume.files}


def _was_looked_for(series: Series, roots: frozenset[Path]) -> bool:
    """Whether all files of a series lie where something was opened."""
    files = [volume.files for volume in series.volumes]
    return any(files) and all(_is_below(one.source, roots) for each in files for one in each)


def _has_gone(series: Series, roots: frozenset[Path]) -> bool:
    """Whether a series that did not come is not where it was, rather than refused."""
    if not _was_looked_for(series, roots):
        return False
    source = next(iter(_sources(series)))
    return SEPARATOR in source or not Path(source).exists()


def _is_below(source: str, roots: frozenset[Path]) -> bool:
    path = Path(source.partition(SEPARATOR)[0]).absolute()
    return not roots.isdisjoint((path, *path.parents))
