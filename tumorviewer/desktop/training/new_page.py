"""A new data set: which studies, how it is called, where it is written, what it is joined with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QFileDialog, QLineEdit

from tumorviewer.desktop.training import sending
from tumorviewer.desktop.training.run_store import DataSet, RunStore, make_slug
from tumorviewer.desktop.training.sending import SendingChoice, SendingOrder
from tumorviewer.desktop.widgets import controls
from tumorviewer.desktop.widgets.controls import (
    ElidedLabel,
    ProgressRow,
    make_button,
    make_heading,
    make_label,
)
from tumorviewer.desktop.widgets.pages import Page, TextTable, make_facts, make_row
from tumorviewer.errors import InputError
from tumorviewer.language import tr, trn
from tumorviewer.records import WorklistEntry

_FOLDER = "folder"


class NewPage(Page):
    """What shall leave, before it does."""

    wanted = Signal(SendingOrder)
    """An :class:`SendingOrder`."""
    cancel_wanted = Signal()
    given_up = Signal()

    def __init__(self, store: RunStore) -> None:
        super().__init__(tr("New data set"))
        self._store = store
        self._entries: Sequence[WorklistEntry] = ()
        self._labels: Mapping[str, str] = {}
        self._folder: Path | None = None
        self._others: dict[str, tuple[Path, ...]] = {}
        self._make_studies()
        self._make_target()
        self.problem, self.error = make_label("", "warning"), make_label("", "error")
        self.progress = ProgressRow(tr("the writing of the data set"))
        self.progress.cancelled.connect(self.cancel_wanted)
        self.add(make_label(tr("Send to training"), "title"), make_label(_what(), "secondary"))
        self.add(make_heading(tr("Studies")), self._summary, self._behind, self.table)
        self.add(make_row(self.signed_only), make_heading(tr("Data set")))
        self.add(
            make_facts(
                (tr("Name"), self.name),
                (tr("Joined with"), self.join),
                (tr("Written to"), self.place),
            )
        )
        self.add(
            make_row(self.choose), self.problem, self.error, make_row(self.write, self.give_up)
        )
        self.add(self.progress)
        self.end()

    def _make_studies(self) -> None:
        self.signed_only = QCheckBox(tr("Signed verdicts only"))
        self.signed_only.toggled.connect(self._look_again)
        self._summary, self._behind = make_label("", "subtitle"), make_label("", "secondary")
        self.table = TextTable(tr("Studies of each class"))

    def _make_target(self) -> None:
        self.name = QLineEdit()
        self.name.setMaximumWidth(420)
        self.name.textEdited.connect(self._show_place)
        self.place = ElidedLabel()
        self.choose = make_button(tr("Another folder…"), "chip")
        self.choose.clicked.connect(self._choose_folder)
        self.join = controls.ComboBox()
        self.join.setMaximumWidth(420)
        self.join.activated.connect(self._joined)
        self.write = make_button(tr("Write the data set"), "primary")
        self.write.clicked.connect(self._write)
        self.give_up = make_button(tr("Cancel"))
        self.give_up.clicked.connect(self.given_up)

    def begin(
        self,
        entries: Sequence[WorklistEntry],
        classes: Mapping[str, str],
        others: Sequence[DataSet],
    ) -> None:
        """Offer some studies, under the names of their classes, and what they may join."""
        self._entries, self._labels, self._folder = entries, classes, None
        self.signed_only.setChecked(True)
        self._others = {one.name: (one.data, *one.also) for one in others}
        self.name.setText(self._store.free_name(f"read-{datetime.now():%Y-%m-%d}"))
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

    def choice(self) -> SendingChoice:
        """What would leave."""
        return SendingChoice.of(self._entries, signed_only=self.signed_only.isChecked())

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
        behind = sending.describe_counts(choice)
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
        objection = sending.describe_shortage(choice, self.also())
        self.problem.setText(objection.message if objection else "")
        self.problem.setVisible(objection is not None)
        self.write.setEnabled(objection is None)

    def _place(self) -> Path:
        name = make_slug(self.name.text())
        return self._folder / name if self._folder else self._store.place(name)

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
        name = make_slug(self.name.text())
        self.name.setText(name)
        if not name:
            reason = tr("The data set needs a name of letters or digits.")
            self.show_error(InputError("", reason))
            self.name.setFocus()
            return
        self.wanted.emit(SendingOrder(name, self._place(), self.choice(), self.also()))


def _what() -> str:
    return tr(
        "The key slices of these studies leave as pictures, with your verdict as their label. "
        "Patients leave under pseudonyms; no name, identifier or date of theirs is written, but "
        "text that is burnt into a picture stays in it."
    )
