"""The training workspace: data sets and runs on the left, the steps of the chosen one beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QSplitter,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from tumorviewer.desktop.services.records_executor import RecordsExecutor
from tumorviewer.desktop.training.data_page import DataPage
from tumorviewer.desktop.training.deleting import DeletableFolder, Deleted, DeletionController
from tumorviewer.desktop.training.new_page import NewPage
from tumorviewer.desktop.training.promotion_page import PromotionPage
from tumorviewer.desktop.training.result_page import ResultPage
from tumorviewer.desktop.training.run_list import RunList
from tumorviewer.desktop.training.run_page import RunPage
from tumorviewer.desktop.training.run_store import (
    DataSet,
    EvaluationProtocol,
    RunState,
    RunStore,
    TrainingRun,
    make_slug,
)
from tumorviewer.desktop.training.sending import READ, SendingController
from tumorviewer.desktop.training.settings_page import SettingsPage
from tumorviewer.desktop.widgets import theme
from tumorviewer.desktop.widgets.controls import make_label
from tumorviewer.desktop.worklist.refused_list import describe_refused
from tumorviewer.desktop.worklist.worklist_page import EmptyPage
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.models import promotion
from tumorviewer.models.card import ModelCard
from tumorviewer.models.catalogue import Catalogue
from tumorviewer.models.journal import Change
from tumorviewer.records import WorklistEntry
from tumorviewer.study.types import Refused


class Workspace(QFrame):
    """Everything between a verdict and a model in use.

    Parameters
    ----------
    executor
        Of the records, where the verdicts are.
    store
        Where data sets and runs are kept.
    """

    promoted = Signal(Change)
    """A :class:`Change`: another model is in use now."""

    def __init__(self, executor: RecordsExecutor, store: RunStore | None = None) -> None:
        super().__init__()
        self.setProperty("role", "panel")
        self.setAccessibleName(tr("Training"))
        self.store = store or RunStore()
        self._executor = executor
        self._labels: Mapping[str, str] = {}
        self._data: DataSet | None = None
        self._run: TrainingRun | None = None
        self.writer = SendingController(executor, self.store, self)
        self.deleter = DeletionController(executor, self.store, self)
        self.list = RunList()
        self.list.chosen.connect(self._choose)
        self.empty = EmptyPage()
        self.empty.show_words(*_empty(), tr("Send read studies to training…"))
        self.new = NewPage(self.store)
        self.data, self.settings, self.run = DataPage(), SettingsPage(), RunPage()
        self.result, self.promotion = ResultPage(), PromotionPage(self.store)
        self.steps = QTabWidget()
        self.steps.setDocumentMode(True)
        self._pages = QStackedWidget()
        self.notice = make_label("", "error")
        self._lay_out()
        self._connect()
        self.list_again()

    def _lay_out(self) -> None:
        for number, page in enumerate(self._steps(), 1):
            self.steps.addTab(page, f"{number}  {page.accessibleName()}")
        for part in (self.steps, self.steps.tabBar()):
            part.setAccessibleName(tr("Steps of a training"))
        for page in (self.empty, self.new, self.steps):
            self._pages.addWidget(page)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.notice)
        column.addWidget(self._pages, 1)
        self.notice.hide()
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self.list)
        splitter.addWidget(right)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([260, 1000])
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(splitter)

    def _steps(self) -> tuple[QWidget, ...]:
        return (self.data, self.settings, self.run, self.result, self.promotion)

    def _connect(self) -> None:
        self.list.new_wanted.connect(lambda: self.offer(()))
        self.list.folder_wanted.connect(self._add_folder)
        self.list.deletion_wanted.connect(
            lambda data, run: self.deleter.ask(DeletableFolder(data, run))
        )
        self.deleter.deleted.connect(self._deleted)
        self.deleter.failed.connect(self._complain)
        self.empty.button.clicked.connect(lambda: self.offer(()))
        self.new.wanted.connect(self.writer.send)
        self.new.cancel_wanted.connect(self._stop_sending)
        self.new.given_up.connect(self._give_up_sending)
        self.writer.progressed.connect(self.new.show_progress)
        self.writer.sent.connect(self._sent)
        self.writer.failed.connect(self.new.show_error)
        self.data.training_wanted.connect(self._prepare)
        self.settings.start_wanted.connect(self._start)
        self.settings.again_wanted.connect(self._train_again)
        self.result.model_wanted.connect(lambda: self._train_again(EvaluationProtocol.SPLIT))
        self.run.changed.connect(self._run_changed)
        self.run.settings_wanted.connect(lambda: self.steps.setCurrentWidget(self.settings))
        self.result.comparison_wanted.connect(lambda: self.steps.setCurrentWidget(self.promotion))
        self.promotion.promoted.connect(self.promoted)
        self.steps.currentChanged.connect(lambda _: self._show_step())

    # From outside

    def show_labels(self, labels: Mapping[str, str]) -> None:
        """Call the classes so."""
        self._labels = labels

    def offer(self, entries: Sequence[WorklistEntry]) -> None:
        """Offer studies to be sent; all that are read, if none are named."""
        if entries:
            self._begin_sending(list(entries))
        else:
            self._executor.ask(
                lambda records: records.worklist.find(READ), self._begin_sending, self._complain
            )

    def close_pages(self) -> bool:
        """End what the window does here; trainings go on. False if something does not end."""
        self.data.close_page()
        self.settings.close_page()
        self.run.close_page()
        self.result.close_page()
        return self.writer.close() & self.promotion.close_page() & self.deleter.close()

    def take_focus(self) -> None:
        """For who works with the keyboard."""
        (self.list.tree if self.store.sets() else self.empty.button).setFocus()

    # The list

    def list_again(self) -> None:
        """Show the data sets and runs that there are, and stay where one was."""
        sets = self.store.sets()
        self.list.show_sets(sets, self._run.folder if self._run else None,
                            self._data.folder if self._data else None)  # fmt: skip
        if self._pages.currentWidget() is not self.new:
            self._pages.setCurrentWidget(self.steps if sets else self.empty)
        if sets and self._data is None:
            latest = next(iter(self.store.running()), None)
            self._choose(sets[-1] if latest is None else latest.data, latest)

    def _choose(self, data: DataSet, run: TrainingRun | None) -> None:
        self._data, self._run = data, run
        self.notice.hide()
        self._pages.setCurrentWidget(self.steps)
        wanted = self.data if run is None else _page_of(self, run.state)
        self._offer_steps()
        if self.steps.currentWidget() is wanted:
            self._show_step()
        else:
            self.steps.setCurrentWidget(wanted)
        self.list.select_folder((run or data).folder)

    def _offer_steps(self) -> None:
        state = self._run.state if self._run else None
        is_done = state is RunState.DONE
        for page, allowed, why in (
            (self.settings, state is not None, tr("Prepare a training on the data first.")),
            (self.run, state is not None, tr("Prepare a training on the data first.")),
            (self.result, is_done, tr("The training is not finished.")),
        ):
            at = self.steps.indexOf(page)
            self.steps.setTabEnabled(at, allowed)
            self.steps.setTabToolTip(at, "" if allowed else why)

    def _show_step(self) -> None:
        page = self.steps.currentWidget()
        if page is self.promotion:
            self.promotion.show_run(self._run)
        elif page is self.data and self._data is not None:
            self.data.show_data(self._data)
        elif self._run is not None:
            for each in (self.settings, self.run, self.result):
                if page is each:
                    each.show_run(self._run)

    # Data sets

    def _begin_sending(self, entries: list[WorklistEntry]) -> None:
        self._pages.setCurrentWidget(self.new)
        self.new.begin(entries, self._labels, self.store.sets())

    def _stop_sending(self) -> None:
        self.writer.cancel()
        self.new.show_error(None)

    def _give_up_sending(self) -> None:
        self._pages.setCurrentWidget(self.steps if self._data else self.empty)

    def _sent(self, data: DataSet, left_out: tuple[Refused, ...]) -> None:
        self.new.show_error(None)
        self._pages.setCurrentWidget(self.steps)
        said = describe_refused(left_out, hide_names=True) if left_out else ""
        self._arrive(data, (tr("Not sent:") + "\n" + said,) if said else ())

    def _add_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, tr("Folder with a folder per class"))
        if path:
            self.add_folder(Path(path))

    def add_folder(self, folder: Path) -> None:
        """Put a folder of labelled pictures or studies as a data set, as it is."""
        try:
            data = self.store.add(self.store.free_name(make_slug(folder.name) or "data"), folder)
        except InputError as error:
            self._complain(error)
        else:
            self._arrive(data)

    def _arrive(self, data: DataSet, left_out: tuple[str, ...] = ()) -> None:
        self.data.show_data(data, left_out)
        self._choose(data, None)
        self.list_again()

    # Runs

    def _prepare(self) -> None:
        """A run that waits for its start, with what the model in use suggests."""
        assert self._data is not None
        waiting = [run for run in self._data.runs() if run.state is RunState.DRAFT]
        try:
            run = waiting[-1] if waiting else self._data.new_run()
            if not waiting:
                run.choose(list_suggestions(run))
        except InputError as error:
            self._complain(error)
            return
        self._choose(self._data, run)
        self.list_again()

    def _train_again(self, protocol: EvaluationProtocol | None = None) -> None:
        assert self._run is not None
        old = self._run
        try:
            run = old.data.new_run()
            run.choose(old.choices() | _names(run), protocol or old.protocol)
        except InputError as error:
            self._complain(error)
            return
        self._choose(run.data, run)
        self.list_again()

    def _start(self) -> None:
        assert self._run is not None
        self.run.show_run(self._run)
        self.run.begin()
        self.steps.setCurrentWidget(self.run)

    def _run_changed(self) -> None:
        self._offer_steps()
        self.list_again()
        if self.steps.currentWidget() is self.run and self._run is not None:
            self.run.show_run(self._run)

    def _deleted(self, gone: Deleted) -> None:
        for page in (self.data, self.settings, self.run, self.result):
            page.close_page()
        self._data, self._run = None, None
        if gone.item.run is not None:
            self._choose(gone.item.data, None)
        self.list_again()
        words = tr("{name} is in the trash.") if gone.is_in_trash else tr("{name} is deleted.")
        self._say(words.format(name=gone.item.name), "notice")

    def _complain(self, error: InputError) -> None:
        self._say(error.message, "error")

    def _say(self, text: str, role: str) -> None:
        theme.set_role(self.notice, role)
        self.notice.setText(text)
        self.notice.show()


def _page_of(workspace: Workspace, state: RunState) -> QWidget:
    if state is RunState.DRAFT:
        return workspace.settings
    return workspace.result if state is RunState.DONE else workspace.run


def list_suggestions(run: TrainingRun) -> dict[str, object]:
    """Names for the model; where the model in use knows some of the classes, its words for them,
    and itself to start from."""
    card = promotion.read_card_in_use(Catalogue())
    known = run.data.findings() or {}
    classes = list(known.get("classes", {}))
    labels = {name: card.labels[name] for name in classes if card and name in card.labels}
    suggested: dict[str, object] = _names(run)
    if card and labels:
        suggested |= {"card.labels": labels} | _from(card)
    if card and card.no_tumour in classes:
        suggested["card.no_tumour"] = card.no_tumour
    return suggested


def _from(card: ModelCard) -> dict[str, object]:
    """Settings of a model that goes on from another, at a low learning rate."""
    if card.architecture.name == "ensemble":  # of several networks; one is trained
        return {}
    seen = asdict(card.preprocessing)
    return {
        "model.architecture": card.architecture.name,
        "model.options": card.architecture.options,
        "model.initial_weights": f"catalogue:{card.name}",
        "training.lr": 0.0003,
        "training.epochs": 20,
        **{f"preprocessing.{name}": value for name, value in seen.items()},
    }


def _names(run: TrainingRun) -> dict[str, object]:
    name = f"{run.data.name}-{run.name}"
    return {"card.name": name, "card.title": name, "data.name": run.data.name}


def _empty() -> tuple[str, str]:
    return (
        tr("There is nothing to train on yet"),
        tr("Choose read studies on the worklist and send them to training, or add a folder of "
           "labelled pictures with the button on the left."),
    )  # fmt: skip
