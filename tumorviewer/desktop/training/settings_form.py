"""A form of the trainer's settings, made from what the trainer itself says of them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from tumorviewer.desktop.training.run_store import write_toml
from tumorviewer.desktop.widgets.controls import ComboBox, make_button, make_heading, make_label
from tumorviewer.errors import InputError
from tumorviewer.language import capital, later, tr

COMMON = (
    "card.name", "card.title", "model.architecture", "model.initial_weights",
    "preprocessing.size", "training.epochs", "training.batch", "training.lr",
    "split.validation", "split.folds",
)  # fmt: skip
"""What most trainings differ in; the rest is folded away."""
_WORDS = {
    "card.name": later("Name of the model"),
    "card.title": later("Title of the model"),
    "model.architecture": later("Network"),
    "model.initial_weights": later("Starts from"),
    "preprocessing.size": later("Side of a picture, pixels"),
    "training.epochs": later("Epochs"),
    "training.batch": later("Batch"),
    "training.lr": later("Learning rate"),
    "split.validation": later("Kept back to judge it"),
    "split.folds": later("Folds"),
}
_TABLES = {
    "data": later("Data"),
    "split": later("Split"),
    "preprocessing": later("Preprocessing"),
    "model": later("Network"),
    "training": later("Training"),
    "augmentation": later("Augmentation"),
    "guidance": later("Guidance"),
    "distillation": later("Distillation"),
    "card": later("Model card"),
}


@dataclass(frozen=True)
class TrainerOption:
    """One setting as the trainer describes it."""

    name: str
    """``table.key``."""
    value: Any
    description: str = ""
    choices: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What stands before its field."""
        key = self.name.partition(".")[2].replace("_", " ")
        return tr(_WORDS[self.name]) if self.name in _WORDS else key[:1].upper() + key[1:]

    @property
    def meaning(self) -> str:
        """What stands behind its field: the trainer's words, in the user's language."""
        return capital(tr(self.description))


def read_options(said: Mapping[str, Any]) -> tuple[TrainerOption, ...]:
    """The options that ``config --json`` prints."""
    networks = {"choices": said["architectures"]}
    described = (
        one | (networks if one["name"] == "model.architecture" else {}) for one in said["options"]
    )
    return tuple(
        TrainerOption(one["name"], one["value"], one["description"], tuple(one["choices"]))
        for one in described
    )


class SettingsForm(QWidget):
    """A field for each setting."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, SettingsField] = {}
        self._calm = _Calm(self)
        self._others = QWidget()
        self.fold = make_button("", "link")
        self.fold.setCheckable(True)
        self.fold.toggled.connect(self._unfold)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)

    def make(self, described: Sequence[TrainerOption]) -> None:
        """Have a field for each of these."""
        common = [one for name in COMMON for one in described if one.name == name]
        others = QVBoxLayout(self._others)
        others.setContentsMargins(0, 0, 0, 0)
        self._column.addWidget(self._part(common))
        self._column.addWidget(self.fold, 0, Qt.AlignmentFlag.AlignLeft)
        self._column.addWidget(self._others)
        self._column.addStretch(1)
        rest = [one for one in described if one not in common]
        for table in dict.fromkeys(one.name.partition(".")[0] for one in rest):
            others.addWidget(make_heading(tr(_TABLES.get(table, table.capitalize()))))
            others.addWidget(self._part(one for one in rest if one.name.startswith(f"{table}.")))
        self._unfold(False)

    def show_values(self, values: Mapping[str, Any]) -> None:
        """Show these, and the trainer's own values of the others."""
        for name, field in self.fields.items():
            field.set_value(values.get(name, field.option.value))

    def choices(self) -> dict[str, Any]:
        """What differs from the trainer's own values.

        Raises
        ------
        InputError
            If something is written that is no value of that kind.
        """
        values = {name: field.value() for name, field in self.fields.items()}
        return {n: value for n, value in values.items() if value != self.fields[n].option.value}

    def set_editable(self, editable: bool) -> None:
        for field in self.fields.values():
            field.set_editable(editable)

    def _part(self, part: Iterable[TrainerOption]) -> QWidget:
        """Name, field and meaning, side by side."""
        made = QWidget()
        grid = QGridLayout(made)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(6)
        grid.setColumnMinimumWidth(0, 180)
        grid.setColumnMinimumWidth(1, 260)
        grid.setColumnStretch(2, 1)
        for at, option in enumerate(part):
            field = self.fields[option.name] = SettingsField(option)
            field.changed.connect(self.changed)
            field.input.installEventFilter(self._calm)
            name = QLabel(option.title)
            name.setBuddy(field.input)
            grid.addWidget(name, at, 0)
            grid.addWidget(field.input, at, 1)
            grid.addWidget(make_label(option.meaning, "small"), at, 2)
        return made

    def _unfold(self, unfolded: bool) -> None:
        self._others.setVisible(unfolded)
        self.fold.setText(("▾ " if unfolded else "▸ ") + tr("All other settings"))
        self.fold.setAccessibleName(
            tr("Hide all other settings") if unfolded else tr("Show all other settings")
        )


class SettingsField(QObject):
    """One setting: ticked, chosen or written."""

    changed = Signal()

    def __init__(self, option: TrainerOption) -> None:
        super().__init__()
        self.option = option
        self.input: QCheckBox | ComboBox | QLineEdit
        if isinstance(option.value, bool):
            self.input = QCheckBox()
            self.input.toggled.connect(self.changed)
        elif option.choices:
            self.input = ComboBox()
            self.input.addItems(list(option.choices))
            self.input.currentIndexChanged.connect(self.changed)
        else:
            self.input = QLineEdit()
            self.input.textEdited.connect(self.changed)
        self.input.setAccessibleName(option.title)
        self.input.setAccessibleDescription(option.meaning)
        self.set_value(option.value)

    def set_value(self, value: Any) -> None:
        if isinstance(self.input, QCheckBox):
            self.input.setChecked(bool(value))
        elif isinstance(self.input, ComboBox):
            self.input.setCurrentText(str(value))
        else:
            self.input.setText(value if isinstance(value, str) else write_toml(value))

    def set_editable(self, editable: bool) -> None:
        if isinstance(self.input, QLineEdit):
            self.input.setReadOnly(not editable)
        else:
            self.input.setEnabled(editable)

    def value(self) -> Any:
        """What is written, of the kind of the trainer's own value.

        Raises
        ------
        InputError
            If it is of another kind.
        """
        if isinstance(self.input, QCheckBox):
            return self.input.isChecked()
        if isinstance(self.input, ComboBox):
            return self.input.currentText()
        text = self.input.text().strip()
        return text if isinstance(self.option.value, str) else self._parsed(text)

    def _parsed(self, text: str) -> Any:
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = None
        expected = type(self.option.value)
        if expected is float and type(value) is int:
            return float(value)
        if type(value) is not expected:
            kinds = {
                int: tr("a whole number"), float: tr("a number"),
                list: tr("a list in square brackets"), dict: tr("a table in curly brackets"),
            }  # fmt: skip
            reason = tr("It must be {kind}, not {text}.", kind=kinds[expected], text=text or "–")
            raise InputError(self.option.title, reason)
        return value


class _Calm(QObject):
    """Keeps the wheel from changing a field that it only passes over."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        is_wheel = event.type() is QEvent.Type.Wheel
        if is_wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)
