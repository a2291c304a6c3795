"""The page "This site": how the model does here, and whether anything changes."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from tumorviewer.desktop.assessment.charts import BarChart, MonthChart
from tumorviewer.desktop.widgets.controls import clear_layout, make_button, make_label
from tumorviewer.desktop.widgets.pages import Page, Sentences, make_row
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.records.site import site_words
from tumorviewer.records.site.agreement import Agreement


class SitePage(Page):
    """Figures of what is kept on this computer."""

    renewal_wanted = Signal()

    def __init__(self) -> None:
        super().__init__(tr("This site"))
        self._labels: Mapping[str, str] = {}
        self.again = make_button(tr("Measure again"), "chip")
        self.again.clicked.connect(self.renewal_wanted)
        self._summary = Sentences("")
        self._alarms, self._quiet, self._how = (
            Sentences("warning"),
            Sentences(""),
            Sentences("small"),
        )
        self.months = MonthChart(
            tr("Agreement by month"), tr("Agreement by month is drawn once verdicts are given.")
        )
        self._groups = QWidget()
        self._of_groups = QVBoxLayout(self._groups)
        self._of_groups.setContentsMargins(0, 0, 0, 0)
        self.add(
            make_label(tr("This site"), "title"),
            make_label(
                tr("How the model does on what was read here. Nothing leaves this computer."),
                "secondary",
            ),
            self._summary,
            make_label(tr("Agreement by month"), "subtitle"),
            self.months,
            self._groups,
            make_label(tr("Is anything changing?"), "subtitle"),
            self._alarms,
            self._quiet,
            self._how,
            make_row(self.again),
        )
        self.end()

    def show_labels(self, labels: Mapping[str, str]) -> None:
        self._labels = labels

    def show_agreement(self, found: Agreement) -> None:
        """What was measured."""
        self._summary.show_texts(list(site_words.summarise_agreement(found, self._labels)))
        self.months.show_rates(found.months)
        self._show_groups(found)
        self._alarms.show_texts(
            [site_words.describe_alarm(one) for one in found.alarms if one.alarms]
        )
        self._quiet.show_texts(
            [site_words.describe_alarm(one) for one in found.alarms if not one.alarms]
        )
        self._how.show_texts(list(site_words.describe_watch()))

    def show_problem(self, error: InputError) -> None:
        self._summary.show_texts([error.message])

    def _show_groups(self, found: Agreement) -> None:
        clear_layout(self._of_groups)
        keys = list(dict.fromkeys(group.key for group in found.groups))
        if not keys:
            self._of_groups.addWidget(
                make_label(tr("Agreement by scanner and patient"), "subtitle")
            )
            said = tr("The images that were read here say nothing of scanner, age or sex.")
            self._of_groups.addWidget(make_label(said, "secondary"))
        for key in keys:
            name = tr("Agreement by {what}", what=tr(site_words.GROUPS[key]).lower())
            bars = BarChart(name, "")
            bars.show_rates([(one.name, one.rate) for one in found.groups if one.key == key])
            self._of_groups.addWidget(make_label(name, "subtitle"))
            self._of_groups.addWidget(bars)
