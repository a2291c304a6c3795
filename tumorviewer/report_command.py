"""``tumorviewer report``: judge studies and write their documents."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tumorviewer.analysis.methods import BEST
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.reports.writing import FORMATS, WrittenReport, write_report

if TYPE_CHECKING:
    from tumorviewer.analysis.candidates import Finder
    from tumorviewer.analysis.engines.model import Model
    from tumorviewer.analysis.whole_study.series_choice import SeriesChoice
    from tumorviewer.models.catalogue import Catalogue
    from tumorviewer.records import Records
    from tumorviewer.reports.content import ReportContent
    from tumorviewer.study.types import Study, Volume


@dataclass
class ReportResults:
    """What came of some paths, as ``report --json`` prints it."""

    reports: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)

    def refuse(self, source: str, message: str) -> None:
        """Note down what was not reported on."""
        self.errors.append({"source": source, "message": message})


def main(arguments: Sequence[str]) -> int:
    """Run the command; answers the exit code."""
    options = _parse(arguments)
    from tumorviewer.models.catalogue import Catalogue

    results = report_paths(options.paths, options, Catalogue())
    if options.json:
        print(json.dumps({"reports": results.reports, "errors": results.errors}, indent=2))
    else:
        _print(results)
    return 1 if results.errors else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tumorviewer report",
        description="Judge every volume and write its documents. A verdict that the records hold "
        "of the study is written beside the model's answer. Exit code 0: all written; 1: some "
        "inputs refused; 2: wrong usage.",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="what to report on")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="write here")
    parser.add_argument(
        "--formats", default=",".join(FORMATS), metavar="LIST",
        help=f"of {', '.join(FORMATS)} (default: all)",
    )  # fmt: skip
    parser.add_argument("--model", metavar="M", help="a name of `models list`, or a folder")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    parser.add_argument(
        "--fhir-server", default="", metavar="URL",
        help="send the FHIR bundle there too; patient and order are read by accession number",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    options.formats = tuple(filter(None, options.formats.split(",")))
    unknown = set(options.formats) - set(FORMATS)
    if unknown or not options.formats:
        parser.error(f"--formats: {', '.join(sorted(unknown)) or 'empty'}")
    return options


def report_paths(
    paths: Sequence[str], options: argparse.Namespace, catalogue: Catalogue
) -> ReportResults:
    """Judge what some paths hold and write the documents of each study.

    Raises
    ------
    InputError
        If a model or the device cannot be used.
    """
    from tumorviewer.analysis.whole_study.series_choice import join_cases
    from tumorviewer.records import Records
    from tumorviewer.study import open_paths

    results, opened = ReportResults(), open_paths(paths)
    for refused in opened.refused:
        if refused.is_error:
            results.refuse(refused.source, f"{refused.reason} {refused.remedy}".strip())
    if not opened.studies:
        return results
    judge = _load_judge(options, catalogue)
    with Records() as records:
        for number, study in enumerate(join_cases(opened.studies), 1):
            try:
                results.reports.append(_report(study, number, judge, options, records))
            except InputError as error:
                results.refuse(error.source, error.message)
    return results


@dataclass(frozen=True)
class _Judge:
    """The networks that answer."""

    model: Model
    finder: Finder | None


def _load_judge(options: argparse.Namespace, catalogue: Catalogue) -> _Judge:
    from tumorviewer.analysis.engines import choice

    model = choice.load_model(catalogue.find(options.model), options.device)
    choice.use_threads()
    bundle = catalogue.finder()
    return _Judge(model, choice.load_finder(bundle) if bundle else None)


def _report(
    study: Study, number: int, judge: _Judge, options: argparse.Namespace, records: Records
) -> dict[str, Any]:
    from tumorviewer.analysis.whole_study.series_choice import describe_present, find_source
    from tumorviewer.classify import VolumeItem, name_files, pick_volume

    choice, volume = pick_volume(study)
    if choice is None or volume is None:
        present = ", ".join(describe_present(study)) or tr("nothing")
        reason = tr("It holds no series that the model reads: {present}.", present=present)
        raise InputError(find_source(study), reason)
    content = _judged(study, choice, volume, judge, records)
    item = VolumeItem(choice.series, choice.volume)
    written = write_report(content, options.out, f"{number:03}-{name_files(item)}", options.formats)
    if options.fhir_server:
        _send_to_fhir(options.fhir_server, content, written)
    return {
        "source": choice.series.source,
        "series_instance_uid": choice.series.uid,
        "volume": choice.volume.label,
        "answer": content.answer.named,
        "presence": content.answer.presence,
        "signed": bool(content.verdict and content.verdict.signed),
        "files": written.files,
        "refused": written.refused,
        "repairs": list(content.source.repairs) if content.source else [],
    }


def _send_to_fhir(url: str, content: ReportContent, written: WrittenReport) -> None:
    from tumorviewer.pacs.fhir_client import FhirClient
    from tumorviewer.reports.fhir import KnownOrder, build_bundle
    from tumorviewer.study.dicom.elements import read_text

    client = FhirClient(url)
    accession = read_text(content.source.first, "AccessionNumber") if content.source else ""
    try:
        order = KnownOrder(*client.find_order(accession)) if accession else None
        written.files["fhir-server"] = client.send(build_bundle(content, order))
    except InputError as error:
        written.refused["fhir-server"] = error.message


def _judged(
    study: Study, choice: SeriesChoice, volume: Volume, judge: _Judge, records: Records
) -> ReportContent:
    from tumorviewer.analysis import pipeline
    from tumorviewer.analysis.whole_study.answering import answer_study
    from tumorviewer.analysis.whole_study.series_choice import describe_present, find_source
    from tumorviewer.reports.from_finding import build_content
    from tumorviewer.reports.from_records import look_up_reading
    from tumorviewer.reports.from_study_answer import with_study_answer

    examination = pipeline.examine_volume(volume, judge.model)
    finding = pipeline.analyse_examination(examination, method=BEST)
    time, verdict = look_up_reading(records, study, choice.series, choice.volume, finding)
    content = build_content(
        study, choice.series, choice.volume, volume, finding,
        time=time, verdict=verdict, limits=judge.model.card.limits,
    )  # fmt: skip
    if judge.finder is None:
        return content
    answer = answer_study(
        volume, judge.finder, examination, choice.read, describe_present(study),
        find_source(study), finding,
    )  # fmt: skip
    return with_study_answer(content, answer)


def _print(results: ReportResults) -> None:
    for report in results.reports:
        print(report["source"])
        for kind, files in report["files"].items():
            print(f"  {kind:6} {', '.join(files)}")
        for kind, reason in report["refused"].items():
            print(f"  {kind:6} {tr('refused')}: {reason}")
        for repair in report["repairs"]:
            print(f"  {tr('note')}: {repair}")
    for error in results.errors:
        sys.stderr.write(f"{error['source']}: {error['message']}\n")
