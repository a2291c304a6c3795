"""The form of a training's settings, made of what the real trainer says of them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from tests.test_language import translations
from tumorviewer import language
from tumorviewer.desktop.training.settings_form import SettingsForm, read_options


@pytest.fixture(scope="module")
def said():
    command = [sys.executable, "-m", "trainer", "config", "--json"]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


@pytest.fixture
def form(qtbot, said):
    made = SettingsForm()
    qtbot.addWidget(made)
    made.make(read_options(said))
    made.show()
    return made


def test_every_field_says_what_it_means_to_the_eye_and_to_a_screen_reader(form):
    QTest.mouseClick(form.fold, Qt.MouseButton.LeftButton)
    shown = {one.text() for one in form.findChildren(QLabel) if one.isVisible()}
    assert len(form.fields) > 60
    for name, field in form.fields.items():
        meaning = field.input.accessibleDescription()
        assert meaning in shown, name
        assert len(meaning.split()) > 1, name
    assert "Side of the square that the network sees, pixels" in shown


def test_the_meanings_are_translated(qtbot, said, monkeypatch):
    monkeypatch.setenv(language.VARIABLE, "tr")
    language.current_language.cache_clear()
    try:
        meanings = {one.name: one.meaning for one in read_options(said)}
    finally:
        monkeypatch.undo()
        language.current_language.cache_clear()
    assert meanings["preprocessing.size"] == "Ağın gördüğü karenin kenarı, piksel"
    english = {one.name: one.meaning for one in read_options(said)}
    assert [name for name in english if english[name] == meanings[name]] == []
    wanted = {message.id for message in translations.template()}
    assert {one["description"] for one in said["options"]} <= wanted
