"""Data sets and runs are deleted: into the desktop's trash where there is one."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QFile, QObject, Qt, Signal
from PySide6.QtWidgets import QMessageBox, QWidget

from tumorviewer.desktop.services.jobs import BackgroundJob, JobQueue
from tumorviewer.desktop.services.records_executor import RecordsExecutor
from tumorviewer.desktop.training.run_store import DataSet, RunStore, TrainingRun
from tumorviewer.errors import InputError
from tumorviewer.files import format_size
from tumorviewer.language import tr, trn
from tumorviewer.models import promotion
from tumorviewer.models.catalogue import Catalogue

if TYPE_CHECKING:
    from tumorviewer.records import Records


@dataclass(frozen=True)
class DeletableFolder:
    """A run, or a data set with all of its runs."""

    data: DataSet
    run: TrainingRun | None = None

    @property
    def name(self) -> str:
        if self.run is None:
            return tr("The data set {name}", name=self.data.name)
        if self.run.is_crossval:
            return tr("Cross-validation {run} on {data}", run=self.run.name, data=self.data.name)
        return tr("Run {run} on {data}", run=self.run.name, data=self.data.name)


@dataclass(frozen=True)
class Deleted:
    """What is gone."""

    item: DeletableFolder
    bytes: int
    is_in_trash: bool


class DeletionController(QObject):
    """Asks, deletes off the GUI thread, and says so in the audit trail."""

    deleted = Signal(Deleted)
    """A :class:`Deleted`."""
    failed = Signal(InputError)
    """An :class:`InputError`."""

    def __init__(self, executor: RecordsExecutor, store: RunStore, parent: QWidget) -> None:
        super().__init__(parent)
        self._executor, self._store, self._window = executor, store, parent
        self._jobs = JobQueue(parent=self)

    def ask(self, item: DeletableFolder) -> None:
        """Look how large it is, and let the reader decide; `deleted` or `failed` may follow."""
        try:
            check_deletable(item, self._store)
        except InputError as error:
            self.failed.emit(error)
            return
        folders = list_folders(item, self._store)
        self._jobs.start(partial(_size, folders), partial(self._question, item), self.failed.emit)

    def close(self) -> bool:
        """End all work; False if it does not end in time."""
        return self._jobs.close(5000)  # a folder that is half deleted is of no use

    def _question(self, item: DeletableFolder, size: int) -> None:
        box = QMessageBox(self._window)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setIcon(QMessageBox.Icon.Warning)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setWindowTitle(tr("Delete"))
        box.setText(tr("{name}: delete it?", name=item.name))
        box.setInformativeText("\n\n".join(describe_deletion(item, self._store, size)))
        delete = box.addButton(tr("Delete"), QMessageBox.ButtonRole.DestructiveRole)
        delete.clicked.connect(lambda: self._delete(item, size))
        cancel = box.addButton(tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(cancel)
        box.setEscapeButton(cancel)
        box.open()

    def _delete(self, item: DeletableFolder, size: int) -> None:
        def work(_job: BackgroundJob) -> Deleted:
            check_deletable(item, self._store)  # another window may have started it meanwhile
            trashed = [_remove(folder) for folder in list_folders(item, self._store)]
            return Deleted(item, size, all(trashed))

        self._jobs.start(work, self._note, self.failed.emit)

    def _note(self, gone: Deleted) -> None:
        item, run = gone.item, gone.item.run
        details = {
            "what": "training run" if run else "training data",
            "data": item.data.name,
            "bytes": gone.bytes,
            "trash": gone.is_in_trash,
        } | ({"run": run.name} if run else {})
        self._executor.ask(partial(_write, details), failed=self.failed.emit)
        self.deleted.emit(gone)


def _write(details: dict[str, Any], records: Records) -> None:
    records.trail.note("deleted", **details)


def check_deletable(item: DeletableFolder, store: RunStore) -> None:
    """See that nobody needs it now.

    Raises
    ------
    InputError
        If something of it runs, or another data set is joined with it.
    """
    if any(run.is_busy for run in ([item.run] if item.run else item.data.runs())):
        reason = tr("It is being trained, measured or compared.")
        raise InputError(item.name, reason, tr("Pause it, or wait until it has ended."))
    if item.run is not None:
        return
    if item.data.audit.is_running():
        reason = tr("It is being audited.")
        raise InputError(item.name, reason, tr("Cancel that, or wait until it has ended."))
    if joined := store.joined_with(item.data):
        names = ", ".join(one.name for one in joined)
        reason = tr("Its pictures are also part of {names}.", names=names)
        raise InputError(item.name, reason, tr("Delete that first."))


def list_folders(item: DeletableFolder, store: RunStore) -> tuple[Path, ...]:
    """What is deleted; that by which it is found comes last."""
    if item.run is not None:
        return (item.run.folder,)
    pictures = store.pictures(item.data)
    return tuple(folder for folder in (pictures, item.data.folder) if folder is not None)


def describe_deletion(item: DeletableFolder, store: RunStore, size: int) -> list[str]:
    """What is deleted, how large it is, where it goes, and what stays."""
    what = ", ".join(_parts(item, store))
    said = [
        tr("To be deleted: {what}; {size} in all.", what=what, size=format_size(size)),
        _trash(),
    ]
    if item.run is None and store.pictures(item.data) is None:
        said.append(tr("The pictures stay, as they are your own: {folder}", folder=item.data.data))
    elif item.run is None and _is_locked(item.data):
        said.append(
            tr("It is the locked test set: without it no other model passes the gate, unless that "
               "is overridden.")
        )  # fmt: skip
    return [*said, tr("Models that were promoted, their journal, and the records with all verdicts "
                      "and the audit trail stay.")]  # fmt: skip


def _is_locked(data: DataSet) -> bool:
    """Whether models are to be compared on it."""
    try:
        locked = promotion.find_locked_test_set(promotion.read_history(Catalogue()))
    except InputError:  # said where models are promoted
        return False
    return locked is not None and locked.name == data.name


def _parts(item: DeletableFolder, store: RunStore) -> list[str]:
    if item.run is not None:
        return [tr("its settings, checkpoints, figures, report and model")]
    parts = [tr("its audit")]
    if store.pictures(item.data) is not None:
        parts.insert(0, tr("the pictures that were written for it"))
    if runs := len(item.data.runs()):
        parts.append(
            trn("{count} run with what came out of it", "{count} runs with what came out of them",
                runs)
        )  # fmt: skip
    return parts


def _trash() -> str:
    if QFile.supportsMoveToTrash():
        return tr("It goes to the desktop's trash. What that cannot take is deleted for good.")
    return tr("There is no trash on this computer: it is deleted for good.")


def _size(folders: Sequence[Path], job: BackgroundJob) -> int:
    total = 0
    for folder in folders:
        for path in folder.rglob("*"):
            job.check()
            total += path.lstat().st_size if path.is_file() else 0
    return total


def _remove(folder: Path) -> bool:
    """Whether it is in the trash; else it is gone."""
    if not folder.exists() or _to_trash(folder):
        return True
    try:
        shutil.rmtree(folder)
    except OSError as error:
        reason = tr("It cannot be deleted: {error}.", error=error.strerror or error)
        remedy = tr("Check who may write there, and try again.")
        raise InputError(str(folder), reason, remedy) from error
    return False


def _to_trash(folder: Path) -> bool:
    return QFile.supportsMoveToTrash() and QFile(str(folder)).moveToTrash()
