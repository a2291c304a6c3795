"""What was measured of a model's answers as a page: charts, and the table of every measure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.reports import html, plots
from trainer.reports.html import COLOURS, FAINT, GRID
from trainer.runs.run_report import ReportChart
from trainer.tools.atomic_files import write_text
from tumorviewer.models import ModelCard, trust_table
from tumorviewer.models.trust_measures import Abstention, Calibration, PredictionSets, Trust

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAGE = "trust.html"


def write_trust_report(folder: Path, card: ModelCard) -> Path:
    """Write :data:`PAGE` of a measured model into the folder of its run.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    lead, *table = trust_table.trust_lines(card.trust)
    shown = list(_charts(card.trust)) if card.trust else []
    page = html.render_page(
        "trust.html",
        title=f"How far {card.name} {card.version} may be believed",
        lead=lead,
        charts=shown,
        table="\n".join(table).strip(),
    )
    write_text(folder / PAGE, page)
    return folder / PAGE


def _charts(trust: Trust) -> Iterator[ReportChart]:
    if trust.calibration is not None:
        words = (
            "Reliability: on the diagonal a probability means what it says. Points: calibrated, "
            f"with 95 % intervals; open: fewer than {plots.FEW} items. Crosses: before."
        )
        yield ReportChart(
            html.export_svg(html.draw_figure(partial(_reliability, trust.calibration))), words
        )
    if trust.abstention is not None and trust.abstention.curve_answered:
        words = "Risk and coverage: errors among the surest answers. Cross: the operating point."
        yield ReportChart(
            html.export_svg(html.draw_figure(partial(_risk, trust.abstention))), words
        )
    if trust.sets is not None:
        words = "Prediction sets: share that held the true class, by the share that was promised."
        yield ReportChart(html.export_svg(html.draw_figure(partial(_coverage, trust.sets))), words)


def _reliability(calibration: Calibration, axes: Axes) -> None:
    axes.plot((0, 1), (0, 1), color=GRID, linewidth=0.8)
    for one in calibration.bins_before:
        axes.plot(one.probability, one.accuracy.value, "x", ms=4, color=FAINT)
    for one in calibration.bins_after:
        ends = (one.accuracy.low, one.accuracy.high)
        axes.plot((one.probability, one.probability), ends, color=COLOURS[0], linewidth=1)
        style = "full" if one.count >= plots.FEW else "none"
        at = one.probability, one.accuracy.value
        axes.plot(*at, "o", ms=4, color=COLOURS[0], fillstyle=style)
    axes.set(xlim=(0, 1.02), ylim=(-0.02, 1.02))
    axes.set(xlabel="Probability of the predicted class", ylabel="Share that was right")
    before, after = calibration.before["ece"].value, calibration.after["ece"].value
    title = f"Calibration error (ECE) {before:.3f} before, {after:.3f} after"
    axes.set_title(title, loc="left", size=8)


def _risk(abstention: Abstention, axes: Axes) -> None:
    axes.plot(abstention.curve_answered, abstention.curve_error, color=COLOURS[0])
    answered, accuracy = abstention.answered.value, abstention.accuracy.value
    axes.plot(answered, 1 - accuracy, "x", color=COLOURS[1])
    axes.set(xlim=(0, 1.02), ylim=(0, None), xlabel="Share answered", ylabel="Errors among them")


def _coverage(sets: PredictionSets, axes: Axes) -> None:
    axes.plot((0.85, 1), (0.85, 1), color=GRID, linewidth=0.8)
    for level in sets.levels:
        ends = (level.coverage.low, level.coverage.high)
        axes.plot((level.promise, level.promise), ends, color=COLOURS[0], linewidth=1)
        axes.plot(level.promise, level.coverage.value, "o", ms=4, color=COLOURS[0])
    axes.set(xlabel="Promised", ylabel="Held the true class")
