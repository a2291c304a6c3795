"""The report as PDF: others' tools find it sound, with its fonts, and with every word."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.reports.made import answer, clean_series, content, verdict
from tumorviewer import language
from tumorviewer.reports.pdf import write_pdf


@pytest.fixture
def result(tmp_path):
    return replace(content(clean_series(tmp_path / "in", "upwards", 5)), verdict=verdict())


@pytest.fixture
def turkish():
    language.use_language("tr")
    yield
    language.use_language("en")


def words_of(program, result, tmp_path) -> str:
    path = tmp_path / "report.pdf"
    path.write_bytes(write_pdf(result))
    told = program("qpdf", "--check", path)
    assert "No syntax or stream encoding errors found" in told
    fonts = program("pdffonts", path).splitlines()[2:]
    assert fonts
    assert all(line.split()[-5] == "yes" for line in fonts)
    return program("pdftotext", "-layout", path, "-")


def test_all_words_are_there_on_every_page(qapp, program, result, tmp_path) -> None:
    text = words_of(program, result, tmp_path)
    for word in (
        "Öztürk Ayşe", "91.0 %", "Signed by Reader", "ab" * 32, "Knows nothing.",
        "One slice could not be read.", "Ring enhancement.", "Prediction set, 90 %",
    ):  # fmt: skip
        assert word in text, word
    pages = text.strip("\f").split("\f")
    assert len(pages) > 1
    assert all("Research use only: not for diagnosis." in page for page in pages)


def test_in_turkish(qapp, program, result, tmp_path, turkish) -> None:
    text = words_of(program, result, tmp_path)
    assert "%91,0" in text
    assert "Öztürk Ayşe" in text


def test_the_same_report_is_the_same_bytes_and_is_pdf_a(qapp, result) -> None:
    first = write_pdf(result)
    assert first == write_pdf(result)
    assert b'pdfaid:part="1"' in first
    assert b"20261130123015" in first


def test_an_abstention_names_no_class(qapp, program, result, tmp_path) -> None:
    text = words_of(program, replace(result, answer=answer(None), verdict=None), tmp_path)
    assert "No class is named." in text
    assert "No reader has given one." in text
