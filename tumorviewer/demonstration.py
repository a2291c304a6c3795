"""The demonstration: the window on a study that no patient is in, or the same job into a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.resources import resource_path


def demonstrate(out: Path, say: Callable[[str], None]) -> int:
    """Show the demonstration study; answers the exit code.

    Parameters
    ----------
    out
        Where findings, maps and a picture of the window go if there is no display.
    """
    from tumorviewer.desktop.shell import screen

    if screen.has_display():
        from tumorviewer.desktop.shell.app import run_window

        return run_window([str(resource_path("demonstration"))])
    say(tr("There is no display: writing what the window would show to a folder."))
    return _write(out, say)


def _write(out: Path, say: Callable[[str], None]) -> int:
    from tumorviewer.classify import ClassifySettings, classify_paths
    from tumorviewer.models.catalogue import Catalogue

    say(tr("Asking the model about the demonstration study and its pictures."))
    study, catalogue = resource_path("demonstration"), Catalogue()
    settings = ClassifySettings(catalogue.find(None), finder=catalogue.finder(), out=out)
    report = classify_paths([str(study)], settings, lambda _: None)
    for error in report.errors:
        say(f"{tr('Not judged')}: {error['source']}: {error['message']}")
    for finding in report.findings:
        best = finding["predicted_class"]
        share = finding["probabilities"][best]
        say(f"  {Path(finding['source']).name}: {report.labels.get(best, best)}, {share:.0%}")
    problem = _take_picture(study, out / "window.png", say)
    if problem:
        say(tr("There is no picture of the window: {problem}", problem=problem))
    say(tr("Findings (JSON), saliency maps and pictures are in {folder}", folder=out.resolve()))
    return 1 if report.errors or problem else 0


def _take_picture(study: Path, path: Path, say: Callable[[str], None]) -> str:
    """Answers what is wrong, if anything."""
    from tumorviewer.desktop.shell import screen

    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    if missing := screen.find_missing_libraries(x11=False):
        return tr(
            "install what Qt needs: sudo apt-get install {missing}", missing=" ".join(missing)
        )
    from tumorviewer.desktop.shell.portrait import save_portrait

    say(tr("Opening the window where nobody sees it, to take its picture."))
    try:
        save_portrait([study], path)
    except InputError as error:
        return str(error)
    return ""
