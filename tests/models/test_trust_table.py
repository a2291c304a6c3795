"""The table of everything that was measured of a model's answers."""

from __future__ import annotations

from tumorviewer.models import trust_table
from tumorviewer.models.trust_measures import CoverageLevel, Measured, PredictionSets, Trust


def test_every_figure_is_printed_with_its_interval():
    level = CoverageLevel(
        0.9, 0.93, Measured(0.895, 0.84, 0.951), Measured(1, 1, 1), 0.1, 0.9, {"glioma": 0.97}
    )
    text = "\n".join(
        trust_table.trust_lines(Trust(1062, 119, sets=PredictionSets("LAC", (level,))))
    )
    assert "1,062 held-out items in 119 groups" in text
    assert "0.8950 (0.8400 to 0.9510)" in text
    assert "glioma 0.9700" in text
    assert "Calibration: not measured" in text


def test_a_model_without_measures_says_so():
    assert list(trust_table.trust_lines(None)) == [
        "Nobody measured how far this model's answers may be believed."
    ]
