"""Words, numbers and dates in the user's language, and the catalogues of it."""

from __future__ import annotations

import runpy
import string
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from tumorviewer import language
from tumorviewer.language import later, moment, number, percent, tr, trn

ROOT = Path(__file__).resolve().parents[1]
translations = SimpleNamespace(**runpy.run_path(str(ROOT / "packaging" / "translations.py")))
CATALOGUES = sorted(translations.LOCALE.glob("*/LC_MESSAGES/*.po"))


@pytest.fixture
def spoken(tmp_path, monkeypatch):
    """A process that has said nothing of language yet, with a home of its own."""
    for variable in (language.VARIABLE, *language._SYSTEM_VARIABLES):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TUMORVIEWER_HOME", str(tmp_path))
    language.current_language.cache_clear()
    yield tmp_path
    language.current_language.cache_clear()


@pytest.fixture
def turkish(spoken, monkeypatch):
    monkeypatch.setenv(language.VARIABLE, "tr")
    language.current_language.cache_clear()


def test_english_is_what_the_code_says(spoken) -> None:
    assert tr("Slice {n} of {count}", n=2, count=5) == "Slice 2 of 5"
    assert trn("{count} slice", "{count} slices", 1) == "1 slice"
    assert trn("{count} slice", "{count} slices", 3) == "3 slices"
    assert later("Glioma") == "Glioma"
    assert tr("") == ""
    assert percent(0.9784, 1) == "97.8 %"
    assert number(2.25, ".2f") == "2.25"
    assert language.date("2026-11-21") == "2026-11-21"


def test_turkish_numbers_and_dates(turkish) -> None:
    assert percent(0.9784, 1) == "%97,8"
    assert number(2.25, ".2f") == "2,25"
    assert language.date("2026-11-21") == language.date(date(2026, 11, 21)) == "21.11.2026"
    assert moment(datetime(2026, 11, 21, 9, 5)) == "21.11.2026 09:05"
    there = datetime(2026, 11, 21, 9, 5, tzinfo=UTC)
    assert moment(there.isoformat()) == f"{there.astimezone():%d.%m.%Y %H:%M}"
    assert language.date("unknown") == "unknown"


def test_the_environment_goes_before_the_settings_and_these_before_the_system(
    spoken, monkeypatch
) -> None:
    def now() -> str:
        language.current_language.cache_clear()
        return language.current_language()

    assert now() == "en"
    monkeypatch.setenv("LANG", "tr_TR.UTF-8")
    assert now() == "tr"
    (spoken / "settings.toml").write_text('language = "en"\n', "utf-8")
    assert now() == "en"
    (spoken / "settings.toml").write_text("language = [\n", "utf-8")
    assert now() == "tr"
    monkeypatch.setenv(language.VARIABLE, "en")
    assert now() == "en"
    monkeypatch.setenv(language.VARIABLE, "xx")
    assert now() == "tr"
    monkeypatch.setenv("LANGUAGE", "de:en")
    assert now() == "en"


def test_what_is_spoken_is_passed_to_processes_that_are_started(spoken, monkeypatch) -> None:
    import subprocess

    monkeypatch.setenv(language.VARIABLE, "en")
    language.use_language("tr")
    code = "from tumorviewer.language import percent; print(percent(0.5))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == percent(0.5) == "%50"


def test_every_language_has_its_catalogue() -> None:
    assert {po.parts[-3] for po in CATALOGUES} == set(language.LANGUAGES) - {"en"}


@pytest.mark.parametrize("po", CATALOGUES, ids=lambda po: po.parts[-3])
def test_a_catalogue_is_complete_and_compiled(po) -> None:
    catalogue = translations.read(po)
    wanted = {message.id for message in translations.template() if message.id}
    assert {message.id for message in catalogue if message.id} == wanted, "make translations"
    assert not [one.id for one in catalogue if one.id and not translations.is_translated(one)]
    assert not [message.id for message in catalogue if message.id and message.fuzzy]
    assert po.with_suffix(".mo").read_bytes() == translations.compiled(catalogue)


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("po", CATALOGUES, ids=lambda po: po.parts[-3])
def test_a_translation_has_the_places_of_its_text(po) -> None:
    for message in translations.read(po):
        texts = (message.id,) if isinstance(message.id, str) else message.id
        words = (message.string,) if isinstance(message.string, str) else message.string
        for text, one in zip(texts, words, strict=True):
            if text and one:
                assert fields(one) | {"count"} == fields(text) | {"count"}, (text, one)
