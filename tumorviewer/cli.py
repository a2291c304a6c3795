"""The command line. Nothing heavy is imported before it is known what is wanted."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tumorviewer import __version__
from tumorviewer.errors import InputError
from tumorviewer.language import number, percent, tr

if TYPE_CHECKING:
    from tumorviewer.classify import ClassifyResult, ClassifySettings

OK, SOME_REFUSED, USAGE = 0, 1, 2
INTERRUPTED = 130
DEVICES = ("auto", "cpu", "cuda", "mps")

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
        _complain(tr("Interrupted."))
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SOME_REFUSED
    except InputError as error:
        _complain(f"{plain_text(error.source)}: {error.message}")
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
            _complain(notice)
        try:
            all_judged = batch.run_batch(paths, settings, records, status.put, status.tell)
        except KeyboardInterrupt:
            _complain("\n" + tr("The same command goes on where it stopped."))
            raise
    return OK if all_judged else SOME_REFUSED


class TerminalStatus:
    """One line on standard error that is written over; nothing where that is not a terminal."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()

    def tell(self, text: str) -> None:
        """Show what is being done."""
        if self._is_shown:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    def put(self, line: Mapping[str, Any]) -> None:
        """Print a line of JSON to standard output, and not behind what is being done."""
        self.tell("")
        print(json.dumps(line), flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.tell("")


def _print_report(report: ClassifyResult, *, as_json: bool) -> None:
    if as_json:
        answers = {"findings": report.findings, "studies": report.studies, "errors": report.errors}
        print(json.dumps(answers, indent=2))
        return
    for answer in report.studies:
        print("\n".join(_study_lines(answer, report.labels)) + "\n")
    for finding in report.findings:
        print("\n".join(_lines(finding, report.labels)) + "\n")
    for title, entries in (
        (tr("Not judged"), report.errors),
        (tr("Nothing to judge in"), report.notes),
    ):
        for entry in entries:
            _complain(f"{title}: {plain_text(entry['source'])}: {plain_text(entry['message'])}")
    if report.findings:
        print(tr("Research use only: not for diagnosis."))


def _study_lines(answer: dict[str, Any], labels: dict[str, str]) -> list[str]:
    """The answer for a study, and what it rests on."""
    names = [tr(labels.get(name, name)) for name in answer["named_classes"]]
    headline = {
        "kind": " / ".join(names),
        "no_tumour": tr("No tumour found"),
        "cannot_say": tr("Cannot say"),
    }[answer["answer"]]
    lines = [plain_text(answer["source"]), f"  {tr('study')}: {headline}"]
    if answer["reason"]:
        lines += [f"  {plain_text(answer['reason'])}"]
    if read := answer["series_read"]:
        lines += [f"  {tr('read')}: {plain_text(read['title'])}"]
    lines += [f"  {tr('doubt')}: {plain_text(doubt)}" for doubt in answer["doubts"]]
    for count, one in enumerate(answer["candidates"], 1):
        kinds = " / ".join(tr(labels.get(name, name)) for name in one["named_classes"])
        lines += [f"  {tr('candidate {n}', n=count)}: {kinds}, {_extent(one)}"]
        if one["mask"]:
            lines += [f"    {tr('outline')}: {one['mask']}"]
    return lines


def _extent(candidate: dict[str, Any]) -> str:
    first, last = candidate["slices"][0] + 1, candidate["slices"][-1] + 1
    said = tr("slices {first} to {last}", first=first, last=last)
    if candidate["volume_ml"] is None or candidate["diameters_mm"] is None:
        return said
    longest, across = candidate["diameters_mm"]
    size = f"{number(longest)} × {number(across)} mm"
    return f"{number(candidate['volume_ml'], '.1f')} ml, {size}, {said}"


def _lines(finding: dict[str, Any], labels: dict[str, str]) -> list[str]:
    from tumorviewer.study.volume_labels import translate_label

    is_outside = (finding["kind"] or {}).get("level") == "outside"
    shares = {} if is_outside else finding["probabilities"]
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    volume = f" ({plain_text(translate_label(finding['volume']))})" if finding["volume"] else ""
    shown = ", ".join(str(index + 1) for index in finding["key_slices"])
    lines = [f"{plain_text(finding['source'])}{volume}"]
    lines += [f"  {tr(labels.get(name, name)):20} {percent(share, 1):>8}" for name, share in ranked]
    lines += [f"  {plain_text(finding['explanation'])}"]
    judged = len(finding["slices"])
    lines += ["  " + tr("deciding slices: {shown} of {n} judged", shown=shown, n=judged)]
    model = finding["model"]
    lines += [f"  {tr('model')}: {model['name']} {model['version']}, {finding['device']}"]
    if finding["saliency"] and finding["saliency"]["file"]:
        lines += [f"  {tr('saliency map')}: {finding['saliency']['file']}"]
    told = [*finding["flags"], *(note["text"] for note in finding["notes"])]
    return lines + [f"  {tr('note')}: {plain_text(one)}" for one in told]


def _models(arguments: list[str]) -> int:
    options = _models_parser().parse_args(arguments)
    code: int = options.run(options)
    return code


def _models_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tumorviewer models", description="The models here.")
    actions = parser.add_subparsers(
        required=True, metavar="list|show|verify|import|export|promote|rollback"
    )
    actions.add_parser("list", help="name, version and title of each").set_defaults(
        run=_list_models
    )
    show = actions.add_parser("show", help="print a card")
    other = show.add_mutually_exclusive_group()
    other.add_argument(
        "--history", action="store_true", help="which model was in use when, instead"
    )
    other.add_argument(
        "--trust", action="store_true", help="what was measured of its answers, as a table, instead"
    )
    show.set_defaults(run=_show_model)
    verify = actions.add_parser("verify", help="check every byte of a model")
    verify.set_defaults(run=_verify_model)
    for action in (show, verify):
        action.add_argument("model", nargs="?", help="name or folder (default: the default model)")
    bring = actions.add_parser("import", help="verify a model and copy it to your own")
    bring.add_argument("path", type=Path, help="a bundle's folder, or a zip of one")
    bring.add_argument("--as", dest="name", default="", metavar="NAME", help="a name of your own")
    bring.set_defaults(run=_import_model)
    export = actions.add_parser("export", help="verify a model and copy it out")
    export.add_argument("model", help="name or folder")
    export.add_argument("out", type=Path, help="a new folder, or a .zip")
    export.set_defaults(run=_export_model)
    promote = actions.add_parser("promote", help="let a model take the place of the default one")
    promote.add_argument("model", help="name")
    promote.add_argument(
        "--comparison", type=Path, metavar="FILE", help="of `tumorviewer-train compare`"
    )
    promote.add_argument("--override", default="", metavar="REASON", help="is recorded")
    promote.set_defaults(run=_promote_model)
    actions.add_parser("rollback", help="return to the default model of before").set_defaults(
        run=_roll_back_model
    )
    return parser


def _list_models(_: argparse.Namespace) -> int:
    from tumorviewer.models.catalogue import Catalogue

    catalogue = Catalogue()
    try:
        default = catalogue.default()
    except InputError as error:
        _complain(f"{error.source}: {error.message}")
        default = ""
    for entry in catalogue.entries():
        mark = "*" if entry.name == default else " "
        if entry.card:
            version, title = plain_text(entry.card.version), plain_text(entry.card.title)
            print(f"{mark} {entry.name:24} {version:8} {title}")
        elif entry.problem:
            message = plain_text(entry.problem.message)
            print(f"{mark} {plain_text(entry.name):24} {tr('refused')}: {message}")
    print(tr("* is used unless --model says otherwise."))
    return OK


def _show_model(options: argparse.Namespace) -> int:
    from tumorviewer.models import bundle, promotion, schema, trust_table
    from tumorviewer.models.catalogue import Catalogue

    catalogue = Catalogue()
    if options.trust:
        card = bundle.read_card(catalogue.find(options.model))
        print(plain_text(f"{card.name} {card.version}"))
        print(*map(plain_text, trust_table.trust_lines(card.trust)), sep="\n")
        return OK
    if not options.history:
        print(schema.to_json(bundle.read_card(catalogue.find(options.model))), end="")
        return OK
    for change in promotion.read_history(catalogue):
        if options.model in (None, change.after.name, change.before and change.before.name):
            print(plain_text(str(change)))
    return OK


def _verify_model(options: argparse.Namespace) -> int:
    from tumorviewer.models import weights
    from tumorviewer.models.catalogue import Catalogue

    folder = Catalogue().find(options.model)

    def verify() -> str:
        card = weights.check_weights(folder)
        return f"{card.name} {card.version}: {tr('in order')}, SHA-256 {card.weights.sha256}"

    return _done(verify)


def _import_model(options: argparse.Namespace) -> int:
    from tumorviewer.models import bundle_exchange, weights
    from tumorviewer.models.catalogue import Catalogue

    def bring_in() -> str:
        card, is_new = bundle_exchange.import_bundle(
            options.path,
            Catalogue(),
            options.name,
            check=weights.check_weights,
        )
        how = tr("imported") if is_new else tr("is there already")
        return f"{card.name} {card.version}: {how}, SHA-256 {card.weights.sha256}"

    return _done(bring_in)


def _export_model(options: argparse.Namespace) -> int:
    from tumorviewer.models import bundle_exchange
    from tumorviewer.models.catalogue import Catalogue

    def send_out() -> str:
        card = bundle_exchange.export_bundle(Catalogue().find(options.model), options.out)
        return f"{card.name} {card.version}: {options.out}"

    return _done(send_out)


def _promote_model(options: argparse.Namespace) -> int:
    from tumorviewer.models import journal, promotion
    from tumorviewer.models.catalogue import Catalogue

    evidence, why = options.comparison, options.override
    return _done(
        lambda: str(
            promotion.promote_model(Catalogue(), options.model, journal.user_name(), evidence, why)
        )
    )


def _roll_back_model(_: argparse.Namespace) -> int:
    from tumorviewer.models import journal, promotion
    from tumorviewer.models.catalogue import Catalogue

    return _done(lambda: str(promotion.roll_back_model(Catalogue(), journal.user_name())))


def _done(work: Callable[[], str]) -> int:
    """Print what some work on the models says, or why it was refused."""
    try:
        print(plain_text(work()))
    except InputError as error:
        _complain(f"{plain_text(error.source)}: {plain_text(error.message)}")
        return SOME_REFUSED
    return OK


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


def plain_text(text: str) -> str:
    """Text from a file as a terminal may show it: no control characters, nothing invisible."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _complain(text: str) -> None:
    print(text, file=sys.stderr)


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "demo": _demo,
    "classify": _classify,
    "models": _models,
    "records": _records,
    "report": _report,
    "pacs": _pacs,
    "deidentify": _deidentify,
}
