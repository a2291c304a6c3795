"""A data set: what is in it, where it lies, and what the audit found."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal

from tumorviewer.desktop.training.following import ProcessFollower
from tumorviewer.desktop.training.run_store import DataSet
from tumorviewer.desktop.widgets import pages
from tumorviewer.desktop.widgets.controls import (
    ElidedLabel,
    ProgressRow,
    make_button,
    make_heading,
    make_label,
)
from tumorviewer.desktop.widgets.pages import Page, Sentences, TextTable, make_facts, make_row
from tumorviewer.errors import InputError
from tumorviewer.language import later, tr, trn
from tumorviewer.models import cautions

_NUMBERS = (
    ("items", later("Pictures and slices")),
    ("groups", later("Groups that are never parted: patients and near-duplicates")),
    ("patients", later("Patients that are known")),
    ("exact_copies", later("Exact copies")),
    ("near_duplicate_pairs", later("Pairs of near-duplicates")),
    ("pairs_with_two_labels", later("Pairs of near-duplicates with two labels")),
    ("unreadable", later("Items that cannot be read")),
)
"""What of ``audit.json`` is shown."""


class DataPage(Page):
    """Turns to a data set, and audits one that was not audited."""

    training_wanted = Signal()
    """Prepare a training on it."""

    def __init__(self) -> None:
        super().__init__(tr("Data"))
        self._data: DataSet | None = None
        self._follower = ProcessFollower(self)
        self._follower.said.connect(self._hear)
        self._follower.ended.connect(self._show_findings)
        self._title = make_label("", "title")
        self._left_out = Sentences("warning")
        self._place, self._also = ElidedLabel(), make_label()
        self._state, self.error = make_label("", "secondary"), make_label("", "error")
        self.progress = ProgressRow(tr("the audit"))
        self.progress.cancelled.connect(self._follower.stop)
        self.warnings = Sentences("warning")
        self.numbers = TextTable(tr("Numbers of the audit"))
        self.classes = TextTable(tr("Classes"))
        self.again = make_button(tr("Audit again"))
        self.again.clicked.connect(self.audit)
        self.open = make_button(tr("Open the audit's report"))
        self.open.clicked.connect(self._open_report)
        self.prepare = make_button(tr("Prepare a training"), "primary")
        self.prepare.clicked.connect(self.training_wanted)
        about = make_facts((tr("Lies in"), self._place), (tr("Joined with"), self._also))
        self.add(self._title, self._left_out, about, make_row(self.prepare))
        self.add(
            make_heading(tr("Audit")), self._state, make_row(self.open, self.again), self.error
        )
        self.add(self.progress, self.warnings, self.classes, self.numbers)
        self.end()

    def show_data(self, data: DataSet, left_out: tuple[str, ...] = ()) -> None:
        """Turn to a data set; `left_out` says what did not leave, when it was just written."""
        if self._data != data:
            self._left_out.show_texts(left_out)
        self._data = data
        self._title.setText(data.name)
        self._place.set_text(str(data.data))
        self._also.setText("\n".join(map(str, data.also)) or tr("nothing"))
        self._follower.follow(data.audit)
        self._show_findings()
        if not self._follower.is_following and not data.audit.was_started:
            self.audit()

    def audit(self) -> None:
        """Look at the data anew."""
        assert self._data is not None
        job = self._data.audit
        arguments = ["audit", *self._data.arguments(), "--out", str(job.folder)]
        try:
            self._follower.start(job, [*arguments, "--progress", "json"])
        except InputError as error:
            self._say(error)
            return
        self._say(None)
        self._show_findings()

    def close_page(self) -> None:
        self._follower.follow(None)

    def _hear(self, line: dict[str, Any]) -> None:
        if self._data is not None and "done" in line and self._data.audit.is_running():
            text = tr("Audit: {stage} {done} of {total}", **_step(line))
            self.progress.show_progress(text, line["done"], line["total"])

    def _say(self, error: InputError | None) -> None:
        self.error.setText(error.message if error else "")
        self.error.setVisible(error is not None)

    def _show_findings(self) -> None:
        assert self._data is not None
        is_running = self._follower.is_following
        found = None if is_running else self._data.findings()
        self._say(None if is_running else self._data.audit.problem())
        self._state.setText(_state_words(found, is_running=is_running))
        if is_running:
            self.progress.show_progress(tr("The audit begins…"))
        else:
            self.progress.hide()
        self.warnings.show_texts(cautions.of_audit(found) if found else ())
        for part in (self.numbers, self.classes, self.open):
            part.setVisible(found is not None)
        self.again.setEnabled(not is_running)
        self.prepare.setEnabled(not is_running)
        if found:
            self._fill(found)

    def _fill(self, found: dict[str, Any]) -> None:
        self.classes.show_rows(
            (tr("Class"), tr("Items"), tr("Groups")),
            [
                (name, f"{count:,}", f"{found['groups_of_classes'][name]:,}")
                for name, count in found["classes"].items()
            ],
        )
        self.numbers.show_rows(
            ("", tr("Number")),
            [(tr(words), f"{found[key]:,}") for key, words in _NUMBERS if key in found],
        )

    def _open_report(self) -> None:
        assert self._data is not None
        pages.show_file(self._data.audit.folder / "audit.html", self)


def _step(line: dict[str, Any]) -> dict[str, Any]:
    return {"stage": pages.name_stage(line["stage"]), "done": line["done"], "total": line["total"]}


def _state_words(found: dict[str, Any] | None, *, is_running: bool) -> str:
    if is_running:
        return tr("The data are looked at for copies, conflicting labels and shortcuts.")
    if found is None:
        return tr("There are no findings yet.")
    count = len(cautions.of_audit(found))
    return trn("{count} caution.", "{count} cautions.", count) if count else tr("No cautions.")
