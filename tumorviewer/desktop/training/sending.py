"""Send to training: read studies leave as a data set in the trainer's form."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from tumorviewer.desktop.services.jobs import BackgroundJob, JobQueue
from tumorviewer.desktop.services.records_executor import RecordsExecutor
from tumorviewer.desktop.training.run_store import DataSet, RunStore
from tumorviewer.errors import InputError
from tumorviewer.language import tr, trn
from tumorviewer.records import StudyState, WorklistEntry, WorklistQuery
from tumorviewer.study.types import Refused

if TYPE_CHECKING:
    from tumorviewer.records import Records
    from tumorviewer.records.training import Exported

READ = WorklistQuery(states=(StudyState.READ, StudyState.DISAGREES, StudyState.SIGNED))


@dataclass(frozen=True)
class SendingChoice:
    """Studies that may leave."""

    entries: tuple[WorklistEntry, ...]
    """Each has a verdict."""
    unread: int = 0
    unsigned: int = 0
    """So many stay because signed ones only were asked for."""

    @classmethod
    def of(cls, entries: Sequence[WorklistEntry], *, signed_only: bool) -> SendingChoice:
        """Those of some studies that may leave."""
        read = [one for one in entries if one.verdict_class is not None]
        kept = [one for one in read if not signed_only or one.state is StudyState.SIGNED]
        return cls(tuple(kept), len(entries) - len(read), len(read) - len(kept))

    def counts(self) -> dict[str, tuple[int, int]]:
        """Studies and patients of each class."""
        classes = sorted({one.verdict_class or "" for one in self.entries})
        return {
            name: (len(of_class), len({one.pseudonym for one in of_class}))
            for name in classes
            if (of_class := [one for one in self.entries if one.verdict_class == name])
        }

    @property
    def patients(self) -> int:
        return len({one.pseudonym for one in self.entries})


@dataclass(frozen=True)
class SendingOrder:
    """What shall be written."""

    name: str
    folder: Path
    choice: SendingChoice
    also: tuple[Path, ...] = ()


class SendingController(QObject):
    """Writes data sets in the background."""

    progressed = Signal(int, int)
    sent = Signal(DataSet, tuple)
    """The :class:`DataSet`, and the studies that did not leave, a tuple of :class:`Refused`."""
    failed = Signal(InputError)
    """An :class:`InputError`."""

    def __init__(
        self, executor: RecordsExecutor, store: RunStore, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._executor, self._store = executor, store
        self._jobs = JobQueue(parent=self)

    def send(self, order: SendingOrder) -> None:
        """One of `sent` and `failed` follows."""
        self._executor.ask(lambda records: records, partial(self._start, order), self.failed.emit)

    def cancel(self) -> None:
        self._jobs.cancel()

    def close(self) -> bool:
        """End all work; False if it does not end in time."""
        return self._jobs.close()

    def _start(self, order: SendingOrder, records: Records) -> None:
        def work(job: BackgroundJob) -> tuple[DataSet, tuple[Refused, ...]]:
            self._store.make_private()
            with _gone_if_unfinished(order.folder):
                exported = _export(order, records, job, self.progressed.emit)
                made = self._store.add(order.name, exported.table, order.also)
            return made, exported.left_out

        self._jobs.start(work, lambda made: self.sent.emit(*made), self.failed.emit)


def _export(
    order: SendingOrder, records: Records, job: BackgroundJob, tell: Callable[[int, int], object]
) -> Exported:
    from tumorviewer.records.training import export_training_data

    def progress(done: int, total: int) -> None:
        job.check()
        job.tell(tell, done, total)

    studies = [one.id for one in order.choice.entries]
    return export_training_data(records, studies, order.folder, progress=progress)


@contextmanager
def _gone_if_unfinished(folder: Path) -> Iterator[None]:
    """A folder that was not there before is not left half filled."""
    is_new = not folder.exists()
    try:
        yield
    except BaseException:
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def describe_counts(choice: SendingChoice) -> str:
    """What stays behind, and why; empty if nothing does."""
    said = []
    if choice.unread:
        said.append(
            trn(
                "{count} study without a verdict stays behind.",
                "{count} studies without a verdict stay behind.",
                choice.unread,
            )
        )
    if choice.unsigned:
        said.append(
            trn(
                "{count} study that is not signed stays behind.",
                "{count} studies that are not signed stay behind.",
                choice.unsigned,
            )
        )
    return " ".join(said)


def describe_shortage(choice: SendingChoice, also: Sequence[Path]) -> InputError | None:
    """Why nothing could be trained on this alone."""
    if not choice.entries and choice.unsigned:
        reason = tr("None of the verdicts is signed.")
        return InputError(
            "", reason, tr("Sign them, or take those that are not signed too, by the box above.")
        )
    if not choice.entries:
        reason = tr("None of the studies has a verdict.")
        return InputError("", reason, tr("Give verdicts first: open a study and press V."))
    if len(choice.counts()) < 2 and not also:
        reason = tr("All of them are of one class; a training needs two at least.")
        remedy = tr("Choose studies of other classes too, or join the data with another data set.")
        return InputError("", reason, remedy)
    return None
