"""A new data set: which studies, how it is called, where it is written, what it is joined with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QFileDialog, QLineEdit

from tumorviewer.desktop.training import sending
from tumorviewer.desktop.training.run_store import DataSet, Shelf, slug
from tumorviewer.desktop.training.sending import Choice, Order
from tumorviewer.desktop.widgets import controls
from tumorviewer.desktop.widgets.controls import ElidedLabel, ProgressRow, button, heading, label
from tumorviewer.desktop.widgets.pages import Page, Table, facts, row
from tumorviewer.errors import InputError
from tumorviewer.language import tr, trn
from tumorviewer.records import WorklistEntry

_FOLDER = "folder"


class NewPage(Page):
    """What shall leave, before it does."""

    wanted = Signal(object)
    """An :class:`Order`."""
    cancel_wanted = Signal()
    given_up = Signal()

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(tr("New data set"))
        self._shelf = shelf
        self._entries: Sequence[WorklistEntry] = ()
        self._labels: Mapping[str, str] = {}
        self._folder: Path | None = None
        self._others: dict[str, tuple[Path, ...]] = {}
        self._make_studies()
        self._make_target()
        self.problem, self.error = label("", "warning"), label("", "error")
        self.progress = ProgressRow(tr("the writing of the data set"))
        self.progress.cancelled.connect(self.cancel_wanted)
        self.add(label(tr("Send to training"), "title"), label(_what(), "secondary"))
        self.add(heading(tr("Studies")), self._summary, self._behind, self.table)
        self.add(row(self.signed_only), heading(tr("Data set")))
        self.add(
            facts(
                (tr("Name"), self.name),
                (tr("Joined with"), self.join),
                (tr("Written to"), self.place),
            )
        )
        self.add(row(self.choose), self.problem, self.error, row(self.write, self.give_up))
        self.add(self.progress)
        self.end()

    def _make_studies(self) -> None:
        self.signed_only = QCheckBox(tr("Signed verdicts only"))
        self.signed_only.toggled.connect(self._look_again)
        self._summary, self._behind = label("", "subtitle"), label("", "secondary")
        self.table = Table(tr("Studies of each class"))

    def _make_target(self) -> None:
        self.name = QLineEdit()
        self.name.setMaximumWidth(420)
        self.name.textEdited.connect(self._show_place)
        self.place = ElidedLabel()
        self.choose = button(tr("Another folder…"), "chip")
        self.choose.clicked.connect(self._choose_folder)
        self.join = controls.Choice()
        self.join.setMaximumWidth(420)
        self.join.activated.connect(self._joined)
        self.write = button(tr("Write the data set"), "primary")
        self.write.clicked.connect(self._write)
        self.give_up = button(tr("Cancel"))
        self.give_up.clicked.connect(self.given_up)

    def begin(
        self,
        entries: Sequence[WorklistEntry],
        classes: Mapping[str, str],
        others: Sequence[DataSet],
    ) -> None:
        """Offer some studies, under the names of their classes, and what they may join."""
        self._entries, self._labels, self._folder = entries, classes, None
        self._others = {one.name: (one.data, *one.also) for one in others}
        self.name.setText(self._shelf.free_name(f"read-{datetime.now():%Y-%m-%d}"))
        self.join.clear()
        self.join.addItem(tr("Nothing: these studies alone"), "")
        for name in self._others:
            self.join.addItem(name, name)
        self.join.addItem(tr("A folder or table…"), _FOLDER)
        self.show_error(None)
        self.progress.hide()
        self._show_place()
        self._look_again()
        self.write.setFocus()

    def show_progress(self, done: int, total: int) -> None:
        self._offer_buttons(False)
        text = tr("Writing study {at} of {total}", at=min(done + 1, total), total=total)
        self.progress.show_progress(text, done, total)

    def show_error(self, error: InputError | None) -> None:
        """Say why it was not written."""
        self.progress.hide()
        self._offer_buttons(True)
        self.error.setText(error.message if error else "")
        self.error.setVisible(error is not None)
        self._look_again()

    def _offer_buttons(self, offer: bool) -> None:
        for each in (self.write, self.give_up, self.choose):
            each.setVisible(offer)

    def choice(self) -> Choice:
        """What would leave."""
        return Choice.of(self._entries, signed_only=self.signed_only.isChecked())

    def also(self) -> tuple[Path, ...]:
        """What it would be joined with."""
        return self._others.get(str(self.join.currentData()), ())

    def _look_again(self) -> None:
        choice = self.choice()
        studies, patients = len(choice.entries), choice.patients
        words = trn("{count} study", "{count} studies", studies)
        self._summary.setText(
            f"{words} · {trn('{count} patient', '{count} patients', patients)}" if studies else ""
        )
        self._summary.setVisible(bool(studies))
        behind = sending.count_words(choice)
        self._behind.setText(behind)
        self._behind.setVisible(bool(behind))
        self.table.show_rows(
            (tr("Class"), tr("Studies"), tr("Patients")),
            [
                (self._labels.get(name, name), str(count), str(of))
                for name, (count, of) in choice.counts().items()
            ],
        )
        self.table.setVisible(bool(studies))
        objection = sending.too_few(choice, self.also())
        self.problem.setText(objection.message if objection else "")
        self.problem.setVisible(objection is not None)
        self.write.setEnabled(objection is None)

    def _place(self) -> Path:
        name = slug(self.name.text())
        return self._folder / name if self._folder else self._shelf.place(name)

    def _show_place(self) -> None:
        self.place.set_text(str(self._place()))

    def _choose_folder(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, tr("Folder for the data set")):
            self._folder = Path(path)
            self._show_place()

    def _joined(self) -> None:
        if self.join.currentData() == _FOLDER:
            path = QFileDialog.getExistingDirectory(self, tr("Folder with a folder per class"))
            if path:
                self._others[path] = (Path(path),)
                self.join.insertItem(self.join.count() - 1, path, path)
            self.join.setCurrentIndex(max(0, self.join.findData(path or "")))
        self._look_again()

    def _write(self) -> None:
        self.show_error(None)
        name = slug(self.name.text())
        self.name.setText(name)
        if not name:
            reason = tr("The data set needs a name of letters or digits.")
            self.show_error(InputError("", reason))
            self.name.setFocus()
            return
        self.wanted.emit(Order(name, self._place(), self.choice(), self.also()))


def _what() -> str:
    return tr(
        "The key slices of these studies leave as pictures, with your verdict as their label. "
        "Patients leave under pseudonyms; no name, identifier or date of theirs is written, but "
        "text that is burnt into a picture stays in it."
    )
