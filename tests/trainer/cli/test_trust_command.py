"""``trust`` measures a run's model and writes it into its bundle; both commands print it."""

from __future__ import annotations

import pytest
from pages import assert_stands_alone
from small import SMALL

from trainer import cli
from tumorviewer import cli as program
from tumorviewer.models import bundle


@pytest.fixture(scope="module")
def measured(shapes, cache, tmp_path_factory):
    """A run of one epoch, measured."""
    out = tmp_path_factory.mktemp("trust") / "run"
    data = [str(shapes), f"--cache={cache}", "--progress=none"]
    assert cli.main(["fit", *data, f"--out={out}", *SMALL, "--set=training.epochs=1"]) == 0
    assert cli.main(["trust", str(out), *data]) == 0
    return out


def test_the_bundle_carries_what_was_measured_and_is_in_order(measured):
    trust = bundle.verify_bundle(measured / "bundle").trust
    assert trust is not None
    assert (trust.items, trust.groups) == (12, 12)
    assert trust.calibration is not None
    assert trust.sets is not None
    assert [level.promise for level in trust.sets.levels] == [0.9, 0.95, 0.99]
    assert trust.sets.levels[-1].least == 0.0  # a dozen cannot promise 99 %: every class


def test_the_program_prints_it_as_a_table(measured, capsys):
    assert program.main(["models", "show", str(measured / "bundle"), "--trust"]) == 0
    printed = capsys.readouterr().out
    assert "Measured on 12 held-out items in 12 groups." in printed
    assert "Temperature scaling" in printed
    assert "Maps: not measured" in printed


def test_the_page_has_its_charts_and_needs_nothing_else(measured):
    text = (measured / "trust.html").read_text()
    assert_stands_alone(text)
    assert text.count("<svg") == text.count("<figcaption>") >= 2
    assert "Reliability: on the diagonal" in text
    assert "Least ambiguous set-valued classifier" in text
