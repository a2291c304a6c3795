"""How the saliency map is made: method, class and counter-class, and what it is worth."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFormLayout, QSizePolicy, QVBoxLayout, QWidget

from tumorviewer.analysis.finding import Finding
from tumorviewer.analysis.methods import METHODS, Method
from tumorviewer.analysis.trust.map_verdict import (
    WHAT_IS_CHECKED,
    MapCheck,
    describe_check,
    failure_reasons,
)
from tumorviewer.desktop.widgets import theme
from tumorviewer.desktop.widgets.controls import (
    ComboBox,
    format_tip,
    make_button,
    make_heading,
    make_label,
)
from tumorviewer.language import later, percent, tr
from tumorviewer.models import ModelCard

WHAT_A_MAP_IS = later(
    "The map shows where in the picture the model found support for the chosen class. "
    "It is coarse: it is not an outline, not a measurement and not a proof. A map can look "
    "right while the class is wrong."
)
NOTHING_TO_POINT_AT = later(
    "For “no tumour” there is nothing to point at. The map is drawn as faint as a tumour is "
    "unlikely, and is not stretched to full scale."
)
_CONTRASTIVE = "hirescam"
"""Explains a difference of classes if nobody measured what does it better."""


class MapControls(QWidget):
    """Three choices, the verdict on the map, and plain words."""

    explanation_wanted = Signal(str, str, str)
    """Key of a method, a class or an empty string for the predicted one, and a class to explain it
    against or an empty string."""
    slice_wanted = Signal()
    """A map of the shown slice as well."""

    def __init__(self) -> None:
        super().__init__()
        self._method = _combo(tr("Saliency method"))
        self._target = _combo(tr("Class that the map explains"))
        self._against = _combo(tr("Class that the map explains it against"))
        self._card: ModelCard | None = None
        self.show_model(None)
        self._explain_slice = make_button(tr("Explain this slice"))
        self._explain_slice.clicked.connect(self.slice_wanted)
        self._explain_slice.hide()
        self._check = make_label("", "small")
        self._check.setAccessibleName(tr("Check of the map"))
        self._check.setToolTip(format_tip(tr(WHAT_IS_CHECKED)))
        self._words = make_label("", "small")
        form = QFormLayout()
        form.setSpacing(8)
        form.addRow(make_label(tr("Method"), "secondary"), self._method)
        form.addRow(make_label(tr("Class"), "secondary"), self._target)
        form.addRow(make_label(tr("Why not"), "secondary"), self._against)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(make_heading(tr("Saliency map")))
        layout.addLayout(form)
        layout.addWidget(self._explain_slice, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self._check)
        layout.addWidget(self._words)
        for combo in (self._method, self._target):
            combo.activated.connect(self._ask)
        self._against.activated.connect(self._ask_why_not)
        self.show_check(None)

    @property
    def method(self) -> str:
        """Key of the chosen method."""
        return str(self._method.currentData())

    @property
    def target(self) -> str:
        """The chosen class; empty for the predicted one."""
        return str(self._target.currentData() or "")

    @property
    def against(self) -> str:
        """The class to explain the other against; empty for none."""
        return str(self._against.currentData() or "")

    def show_model(self, card: ModelCard | None) -> None:
        """Offer the methods that can be made of a model, its best with what it reaches."""
        shown = self._method.currentData()
        self._card = card
        self._method.clear()
        for method in METHODS.values():
            if card is None or method.suits(card):
                self._method.addItem(_method_text(method, card), method.key)
        self._method.setCurrentIndex(max(0, self._method.findData(shown)))
        list_ = self._method.view()
        list_.setMinimumWidth(list_.sizeHintForColumn(0) + 24)

    def show_finding(self, finding: Finding) -> None:
        """Offer the classes of the model, and say what the map that is shown is worth."""
        saliency = finding.saliency
        if saliency is not None:
            self._method.setCurrentIndex(self._method.findData(saliency.method))
        self._offer_classes(finding)
        self._offer_others(finding)
        self._words.setText(describe_map(finding))

    def show_check(self, check: MapCheck | None, *, is_running: bool = False) -> None:
        """Say what the checks of the shown slice's map found; None while nothing is known."""
        said = [tr("The map is being checked…")] if is_running else []
        if check is not None:
            failed = check.verdict == "fails"
            why = (tr("Do not rely on this map."), *failure_reasons(check)) if failed else ()
            said = [*why, describe_check(check)]
        theme.set_role(self._check, "warning" if check and check.verdict == "fails" else "small")
        self._check.setText("\n".join(said))
        self._check.setVisible(bool(said))

    def offer_slice(self, offer: bool) -> None:
        """Show the button that asks for a map of the shown slice, or hide it."""
        self._explain_slice.setVisible(offer)

    def _offer_classes(self, finding: Finding) -> None:
        chosen = self.target
        self._target.clear()
        predicted = tr(finding.labels[finding.predicted_class])
        self._target.addItem(tr("Predicted ({predicted})", predicted=predicted), "")
        for name in finding.classes:
            self._target.addItem(tr(finding.labels[name]), name)
        self._target.setCurrentIndex(max(0, self._target.findData(chosen)))
        agnostic = METHODS[self.method].class_agnostic
        self._target.setEnabled(not agnostic)

    def _offer_others(self, finding: Finding) -> None:
        saliency = finding.saliency
        explained = saliency.target if saliency else finding.predicted_class
        self._against.clear()
        self._against.addItem("–", "")
        for name in finding.classes:
            if name != explained:
                self._against.addItem(tr("{name}?", name=tr(finding.labels[name])), name)
        shown = self._against.findData(saliency.against if saliency else "")
        self._against.setCurrentIndex(max(0, shown))

    def _ask(self) -> None:
        against = "" if METHODS[self.method].class_agnostic or self._same() else self.against
        self.explanation_wanted.emit(self.method, self.target, against)

    def _same(self) -> bool:
        return self.against == self.target

    def _ask_why_not(self) -> None:
        """A method whose map is the same for every class gives way to one that can answer."""
        if self.against and METHODS[self.method].class_agnostic:
            self._method.setCurrentIndex(self._method.findData(self._contrastive()))
        self._ask()

    def _contrastive(self) -> str:
        maps = self._card.trust.maps if self._card and self._card.trust else None
        for scores in maps.scores if maps else ():
            method = METHODS.get(scores.method)
            if method and scores.passes and not (method.class_agnostic or method.is_slow):
                return method.key
        return _CONTRASTIVE


def describe_map(finding: Finding) -> str:
    """What the reader must know of the map that is shown."""
    saliency = finding.saliency
    if saliency is None:
        return tr(WHAT_A_MAP_IS)
    words = [tr(WHAT_A_MAP_IS), *saliency.notes]
    if finding.no_tumour in (saliency.target, finding.predicted_class):
        words.append(tr(NOTHING_TO_POINT_AT))
    return "\n\n".join(words)


def _method_text(method: Method, card: ModelCard | None) -> str:
    remarks = []
    maps = card.trust.maps if card and card.trust else None
    if maps and method.key == maps.default:
        pointing = next(one.pointing for one in maps.scores if one.method == method.key)
        remarks.append(
            tr(
                "this model’s best: peak inside the tumour in {share} of held-out cases",
                share=percent(pointing.value),
            )
        )
    if method.class_agnostic:
        remarks.append(tr("same map whatever the class"))
    if method.is_slow:
        remarks.append(tr("slow"))
    title = tr(method.title)
    return f"{title} ({', '.join(remarks)})" if remarks else title


def _combo(name: str) -> ComboBox:
    combo = ComboBox()
    combo.setAccessibleName(name)
    combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return combo
