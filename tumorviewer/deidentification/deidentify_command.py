"""``tumorviewer deidentify``: files without their patients, or what would be written."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tumorviewer.deidentification.deidentify_files import Deidentified, deidentify_paths
from tumorviewer.deidentification.profile import Options
from tumorviewer.deidentification.substitutes import load_substitutes
from tumorviewer.errors import InputError


def main(arguments: Sequence[str]) -> int:
    """Run the command; answers the exit code."""
    parser = argparse.ArgumentParser(
        prog="tumorviewer deidentify",
        description="Copy DICOM files without what identifies the patient (PS3.15 Annex E). The "
        "same patient gets the same substitutes each time. Exit code 0: all; 1: some refused.",
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="IN", help="files and folders")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write here")
    parser.add_argument("--preview", action="store_true", help="only print what would differ")
    parser.add_argument(
        "--keep-dates", action="store_true",
        help="shift dates by a number of days that is the patient's, instead of removing them",
    )  # fmt: skip
    parser.add_argument(
        "--keep-descriptions", action="store_true", help="keep their words of imaging"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.out is None and not options.preview:
        parser.error("--out or --preview is needed")
    return _run(options)


def _run(options: argparse.Namespace) -> int:
    refused: list[InputError] = []
    files: list[dict[str, Any]] = []
    results = deidentify_paths(
        options.paths,
        None if options.preview else options.out,
        load_substitutes(),
        Options(options.keep_dates, options.keep_descriptions),
        refused.append,
    )
    for result in results:
        files.append(_as_json(result))
        if not options.json:
            _print(result, with_changes=options.preview)
    errors = [{"source": error.source, "message": error.message} for error in refused]
    if options.json:
        print(json.dumps({"files": files, "errors": errors}, indent=2))
    for error in refused:
        sys.stderr.write(f"{error.source}: {error.message}\n")
    return 1 if refused else 0


def _as_json(result: Deidentified) -> dict[str, Any]:
    return {
        "source": str(result.source),
        "file": str(result.name),
        "changes": [vars(change) for change in result.changes],
        "warnings": list(result.warnings),
    }


def _print(result: Deidentified, *, with_changes: bool) -> None:
    print(f"{result.source} -> {result.name}")
    for change in result.changes if with_changes else ():
        after = "(removed)" if change.after is None else change.after
        print(f"  {change.element}: {change.before} -> {after}")
    for warning in result.warnings:
        print(f"  ! {warning}")
