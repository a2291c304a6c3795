"""``tumorviewer records``: verify the audit trail, send read studies to training, agreement."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tumorviewer.language import tr
from tumorviewer.records import Records, StudyState, WorklistOrder, WorklistQuery

_READ = (StudyState.READ, StudyState.DISAGREES, StudyState.SIGNED)


def main(arguments: Sequence[str]) -> int:
    """Run a command; answers the exit code."""
    parser = argparse.ArgumentParser(prog="tumorviewer records", description="What is kept.")
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="verify|training|agreement"
    )
    verify = actions.add_parser(
        "verify", help="check the audit trail", description="Exit code 0: in order; 1: it is not."
    )
    verify.add_argument(
        "--head", metavar="NUMBER:HASH", default="", help="as an earlier `verify` printed it"
    )
    training = actions.add_parser("training", help="write the read studies as a data set")
    training.add_argument("folder", type=Path, metavar="FOLDER", help="new or empty")
    training.add_argument(
        "--signed",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="only signed verdicts, as it is by default; --no-signed takes the others too",
    )
    training.add_argument(
        "--references", action="store_true", help="refer to the files, which lie below FOLDER"
    )
    actions.add_parser(
        "agreement",
        help="how readers and the model agree here, and whether anything changes",
        description="Shares with 95 % intervals, by month, scanner and patient; drift alarms.",
    )
    options = parser.parse_args(arguments)
    with Records() as records:
        for notice in records.notices:
            sys.stderr.write(f"{notice}\n")
        return _ACTIONS[options.action](records, options)


def _verify(records: Records, options: argparse.Namespace) -> int:
    faults = records.trail.verify(options.head.replace(":", " "))
    for fault in faults:
        where = "" if fault.number is None else tr("entry {n}: ", n=fault.number)
        sys.stdout.write(f"{where}{fault.reason}\n")
    latest = records.trail.entries(limit=1)
    if not faults and latest:
        sys.stdout.write(
            tr("In order: {n} entries. Head {n}:{hash}", n=latest[0].number, hash=latest[0].hash)
            + "\n"
        )
    elif not faults:
        sys.stdout.write(tr("In order: no entries.") + "\n")
    return 1 if faults else 0


def _send(records: Records, options: argparse.Namespace) -> int:
    from tumorviewer.records.training import export_training_data

    states = (StudyState.SIGNED,) if options.signed else _READ
    entries = records.worklist.find(WorklistQuery(states=states, order=WorklistOrder.ADDED))
    sent = export_training_data(
        records,
        [entry.id for entry in entries],
        options.folder,
        pictures=not options.references,
    )
    for one in sent.left_out:
        sys.stderr.write(f"{tr('Left out')}: {one.source}: {one.reason} {one.remedy}\n")
    sys.stdout.write(
        tr(
            "{items} slices of {patients} patients: {table}",
            items=sent.items,
            patients=sent.patients,
            table=sent.table,
        )
        + "\n"
    )
    return 1 if sent.left_out else 0


def _agree(records: Records, _options: argparse.Namespace) -> int:
    from tumorviewer.records.site import site_words

    labels = records.agreement.labels()
    for line in site_words.agreement_lines(records.agreement.measure(), labels):
        sys.stdout.write(f"{line}\n")
    return 0


_ACTIONS = {"verify": _verify, "training": _send, "agreement": _agree}
