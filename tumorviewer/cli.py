"""The command line. Nothing heavy is imported before it is known what is wanted."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tumorviewer import __version__
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.terminal import OK, SOME_REFUSED, USAGE, TerminalStatus, complain, plain_text

if TYPE_CHECKING:
    from tumorviewer.classify import ClassifyResult, ClassifySettings

INTERRUPTED = 130
DEVICES = ("auto", "cpu", "cuda", "mps")
ENGINES = ("auto", "torch", "onnx")

_EPILOG = """\
commands:
  tumorviewer [PATH…]             open the window, on files, folders, DICOMDIRs, zips
  tumorviewer demo                open it on the demonstration study
  tumorviewer classify PATH…      answer without a window
  tumorviewer models list|show|verify|import|export|promote|rollback
  tumorviewer records verify|training|agreement
  tumorviewer report PATH… --out DIR   judge, and write reports: PDF, DICOM, FHIR
  tumorviewer pacs add|list|test|remove|find|get|send|outbox|listen
  tumorviewer deidentify IN… --out DIR
  tumorviewer doctor              check this computer, and say what to do
A file that is called like a command is written ./demo. Research use only.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; answers the exit code."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    logging.getLogger().addHandler(logging.NullHandler())  # libraries log what they read
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
    except KeyboardInterrupt:
        complain(tr("Interrupted."))
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SOME_REFUSED
    except InputError as error:
        complain(f"{plain_text(error.source)}: {error.message}")
        return USAGE
    return code


def _run(arguments: list[str]) -> int:
    command = COMMANDS.get(arguments[0]) if arguments else None
    return command(arguments[1:]) if command else _window(arguments)


def _window(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="tumorviewer",
        description="Review brain-tumour studies with a classifier and its saliency map.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="what to open")
    parser.add_argument("--version", action="version", version=f"TumorViewer {__version__}")
    paths = parser.parse_args(arguments).paths
    from tumorviewer.desktop.shell.app import run_window as show

    return show(paths)


def _demo(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="tumorviewer demo",
        description="Open the window on the demonstration study. Where there is no display, write "
        "its findings, saliency maps and a picture of the window to a folder instead.",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo-output"), help="that folder (default: %(default)s)"
    )
    out = parser.parse_args(arguments).out
    from tumorviewer.demonstration import demonstrate

    return demonstrate(out, print)


def _classify(arguments: list[str]) -> int:
    from tumorviewer.analysis.methods import BEST, METHODS

    parser = argparse.ArgumentParser(
        prog="tumorviewer classify",
        description="Judge every volume in some files, folders, DICOMDIRs or zips. "
        "Exit code 0: all answered; 1: some inputs refused, the rest answered; 2: wrong usage.",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="what to judge")
    parser.add_argument(
        "--model", metavar="M", help="a name of `models list`, or a bundle's folder"
    )
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument(
        "--engine", choices=ENGINES, default="auto",
        help="what computes: torch, or ONNX Runtime on the CPU (default: torch on a GPU, else ONNX "
        "Runtime if the model has a graph)",
    )  # fmt: skip
    methods = (*METHODS, "none")
    parser.add_argument(
        "--explain", choices=methods, metavar="METHOD",
        help=f"saliency method: {', '.join(methods)} (default: the one that points best for the "
        "model; none for --batch)",
    )  # fmt: skip
    parser.add_argument(
        "--check-map", action="store_true",
        help="check the map of the most telling slice: faithful, shared by other methods, stable, "
        "inside the head",
    )  # fmt: skip
    parser.add_argument(
        "--vary", action="store_true",
        help="try small changes (mirrored, shifted, brighter, darker) of the most telling slice; "
        "with volumes of many slices it is always done",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="DIR", help="write JSON, maps, pictures here")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument(
        "--batch", action="store_true",
        help="keep the answers in the worklist, print a line of JSON for each study; after an "
        "interruption the same command goes on where it stopped",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    if options.batch and options.out:
        parser.error("--batch keeps its answers in the worklist, not in --out")
    from tumorviewer.classify import ClassifySettings, classify_paths
    from tumorviewer.models.catalogue import Catalogue

    chosen = options.explain or ("none" if options.batch else BEST)
    method = None if chosen == "none" else chosen
    catalogue = Catalogue()
    settings = ClassifySettings(
        model=catalogue.find(options.model),
        device=options.device,
        engine=options.engine,
        method=method,
        finder=catalogue.finder(),
        out=options.out,
        checks_map=options.check_map,
        varies=options.vary,
    )
    if options.batch:
        return _batch(options.paths, settings)
    with TerminalStatus() as status:
        report = classify_paths(options.paths, settings, status.tell)
    _print_report(report, as_json=options.json)
    return SOME_REFUSED if report.errors else OK


def _batch(paths: Sequence[str], settings: ClassifySettings) -> int:
    from tumorviewer import batch
    from tumorviewer.records import Records

    with Records() as records, TerminalStatus() as status:
        for notice in records.notices:
            complain(notice)
        try:
            all_judged = batch.run_batch(paths, settings, records, status.put, status.tell)
        except KeyboardInterrupt:
            complain("\n" + tr("The same command goes on where it stopped."))
            raise
    return OK if all_judged else SOME_REFUSED


def _print_report(report: ClassifyResult, *, as_json: bool) -> None:
    from tumorviewer.answer_lines import finding_lines, study_lines

    if as_json:
        answers = {"findings": report.findings, "studies": report.studies, "errors": report.errors}
        print(json.dumps(answers, indent=2))
        return
    for answer in report.studies:
        print("\n".join(study_lines(answer, report.labels)) + "\n")
    for finding in report.findings:
        print("\n".join(finding_lines(finding, report.labels)) + "\n")
    for title, entries in (
        (tr("Not judged"), report.errors),
        (tr("Nothing to judge in"), report.notes),
    ):
        for entry in entries:
            complain(f"{title}: {plain_text(entry['source'])}: {plain_text(entry['message'])}")
    if report.findings:
        print(tr("Research use only: not for diagnosis."))


def _models(arguments: list[str]) -> int:
    from tumorviewer.models_command import main as run

    return run(arguments)


def _records(arguments: list[str]) -> int:
    from tumorviewer.records.commands import main as run

    return run(arguments)


def _report(arguments: list[str]) -> int:
    from tumorviewer.report_command import main as run

    return run(arguments)


def _pacs(arguments: list[str]) -> int:
    from tumorviewer.pacs.pacs_commands import main as run

    return run(arguments)


def _deidentify(arguments: list[str]) -> int:
    from tumorviewer.deidentification.deidentify_command import main as run

    return run(arguments)


def _doctor(arguments: list[str]) -> int:
    from tumorviewer.doctor_command import main as run

    return run(arguments)


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "demo": _demo,
    "classify": _classify,
    "models": _models,
    "records": _records,
    "report": _report,
    "pacs": _pacs,
    "deidentify": _deidentify,
    "doctor": _doctor,
}
