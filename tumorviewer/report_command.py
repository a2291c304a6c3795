"""``tumorviewer report``: judge studies and write their documents."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tumorviewer.analysis.methods import BEST
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.reports.writing import FORMATS, write_report

if TYPE_CHECKING:
    from tumorviewer.analysis.finding import Finding
    from tumorviewer.analysis.predict import Model
    from tumorviewer.classify import VolumeItem
    from tumorviewer.records import Records
    from tumorviewer.records.entries import Verdict
    from tumorviewer.study.types import Study


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

    results = report_paths(options.paths, options, Catalogue().find(options.model))
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
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    options.formats = tuple(filter(None, options.formats.split(",")))
    unknown = set(options.formats) - set(FORMATS)
    if unknown or not options.formats:
        parser.error(f"--formats: {', '.join(sorted(unknown)) or 'empty'}")
    return options


def report_paths(paths: Sequence[str], options: argparse.Namespace, bundle: Path) -> ReportResults:
    """Judge what some paths hold and write the documents.

    Raises
    ------
    InputError
        If the model or the device cannot be used.
    """
    from tumorviewer.analysis import device, predict
    from tumorviewer.classify import list_volumes_to_judge
    from tumorviewer.records import Records
    from tumorviewer.study import open_paths

    results, opened = ReportResults(), open_paths(paths)
    for refused in opened.refused:
        if refused.is_error:
            results.refuse(refused.source, f"{refused.reason} {refused.remedy}".strip())
    items = [(study, item) for study in opened.studies for item in list_volumes_to_judge(study)]
    if not items:
        return results
    device.use_threads()
    model = predict.load_model(bundle, options.device)
    with Records() as records:
        for number, (study, item) in enumerate(items, 1):
            try:
                results.reports.append(_report(study, item, number, model, options, records))
            except InputError as error:
                results.refuse(error.source, error.message)
    return results


def _report(
    study: Study,
    item: VolumeItem,
    number: int,
    model: Model,
    options: argparse.Namespace,
    records: Records,
) -> dict[str, Any]:
    from tumorviewer.classify import examine_volume, name_files
    from tumorviewer.reports.from_finding import build_content

    finding, volume = examine_volume(item, model, BEST, lambda _text: None)
    time, verdict = _look_up(records, study, item, finding)
    content = build_content(
        study, item.series, item.volume, volume, finding,
        time=time, verdict=verdict, limits=model.card.limits,
    )  # fmt: skip
    stem = f"{number:03}-{name_files(item)}"
    written = write_report(content, options.out, stem, options.formats)
    return {
        "source": item.series.source,
        "series_instance_uid": item.series.uid,
        "volume": item.volume.label,
        "answer": finding.named_class,
        "signed": bool(verdict and verdict.signed),
        "files": written.files,
        "refused": written.refused,
        "repairs": list(content.source.repairs) if content.source else [],
    }


def _look_up(
    records: Records, study: Study, item: VolumeItem, finding: Finding
) -> tuple[datetime, Verdict | None]:
    """When the same answer was first kept, now if it was not; and the reader's verdict."""
    from tumorviewer.records.identity import study_key, volume_key

    now = datetime.now(UTC).replace(microsecond=0)
    entry = records.worklist.by_key(study_key(study))
    if entry is None:
        return now, None
    kept = records.findings.current(
        entry.id, volume_key(item.series, item.volume), finding.model.sha256
    )
    time = now if kept is None or isinstance(kept, str) else datetime.fromisoformat(kept.time)
    return time, records.verdicts.current(entry.id)


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
