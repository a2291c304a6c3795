"""How the saliency map is made: method and class, and what it is worth."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QFormLayout, QSizePolicy, QVBoxLayout, QWidget

from tumorviewer.analysis.finding import Finding
from tumorviewer.analysis.methods import METHODS, Method
from tumorviewer.desktop.labels import button, heading, label
from tumorviewer.language import later, tr

WHAT_A_MAP_IS = later(
    "The map shows where in the picture the model found support for the chosen class. "
    "It is coarse: it is not an outline, not a measurement and not a proof. A map can look "
    "right while the class is wrong."
)
NOTHING_TO_POINT_AT = later(
    "For “no tumour” there is nothing to point at. The map is drawn as faint as a tumour is "
    "unlikely, and is not stretched to full scale."
)


class MapControls(QWidget):
    """Two choices and plain words."""

    explanation_wanted = Signal(str, str)
    """Key of a method, and a class or an empty string for the predicted one."""
    slice_wanted = Signal()
    """A map of the shown slice as well."""

    def __init__(self) -> None:
        super().__init__()
        self._method = _combo(tr("Saliency method"))
        for method in METHODS.values():
            self._method.addItem(_method_text(method), method.key)
        self._target = _combo(tr("Class that the map explains"))
        self._explain_slice = button(tr("Explain this slice"))
        self._explain_slice.clicked.connect(self.slice_wanted)
        self._explain_slice.hide()
        self._words = label("", "small")
        form = QFormLayout()
        form.setSpacing(8)
        form.addRow(label(tr("Method"), "secondary"), self._method)
        form.addRow(label(tr("Class"), "secondary"), self._target)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(heading(tr("Saliency map")))
        layout.addLayout(form)
        layout.addWidget(self._explain_slice, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self._words)
        for combo in (self._method, self._target):
            combo.activated.connect(self._ask)

    @property
    def method(self) -> str:
        """Key of the chosen method."""
        return str(self._method.currentData())

    @property
    def target(self) -> str:
        """The chosen class; empty for the predicted one."""
        return str(self._target.currentData() or "")

    def show_finding(self, finding: Finding) -> None:
        """Offer the classes of the model, and say what the map that is shown is worth."""
        saliency = finding.saliency
        if saliency is not None:
            self._method.setCurrentIndex(self._method.findData(saliency.method))
        self._offer_classes(finding)
        self._words.setText(map_words(finding))

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

    def _ask(self) -> None:
        self.explanation_wanted.emit(self.method, self.target)


def map_words(finding: Finding) -> str:
    """What the reader must know of the map that is shown."""
    saliency = finding.saliency
    if saliency is None:
        return tr(WHAT_A_MAP_IS)
    words = [tr(WHAT_A_MAP_IS), *saliency.notes]
    if saliency.target == finding.no_tumour and not saliency.class_agnostic:
        words.append(tr(NOTHING_TO_POINT_AT))
    return "\n\n".join(words)


def _method_text(method: Method) -> str:
    remarks = []
    if method.class_agnostic:
        remarks.append(tr("same map whatever the class"))
    if method.is_slow:
        remarks.append("slow")
    return f"{method.title} ({', '.join(remarks)})" if remarks else method.title


def _combo(name: str) -> QComboBox:
    combo = QComboBox()
    combo.setAccessibleName(name)
    combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return combo
