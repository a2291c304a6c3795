"""``tumorviewer pacs``: the archives, what is in them, what goes to them and comes from them."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.pacs.addresses import AddressBook, ArchiveAddress
from tumorviewer.pacs.archive import StudyQuery
from tumorviewer.records import Records
from tumorviewer.records.outbox import OutboxEntry, OutboxState

_FROM_INPUT = "read the password from standard input, and keep it in the system's keyring"


def main(arguments: Sequence[str]) -> int:
    """Run a command; answers the exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except InputError as error:
        sys.stderr.write(f"{error.source}: {error.message}\n")
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tumorviewer pacs", description="Archives.")
    actions = parser.add_subparsers(
        required=True, metavar="add|list|test|remove|find|get|send|outbox|listen"
    )
    _add_book(actions)
    _add_reading(actions)
    _add_sending(actions)
    return parser


def _add_book(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    add = actions.add_parser("add", help="make an archive known")
    add.set_defaults(run=_add)
    add.add_argument("name")
    for name in ("host", "aet", "url", "user", "ca-file", "certificate", "key"):
        add.add_argument(f"--{name}", default="")
    add.add_argument("--port", type=int, default=0)
    add.add_argument("--calling-aet", default="TUMORVIEWER", help="ours (default: %(default)s)")
    add.add_argument("--tls", action="store_true", help="DIMSE over TLS")
    add.add_argument(
        "--commitment-port", type=int, default=0, metavar="PORT",
        help="ours, for storage commitments; without it what was sent is read back and compared",
    )  # fmt: skip
    add.add_argument("--timeout", dest="timeout_s", type=float, default=30.0, metavar="SECONDS")
    add.add_argument("--password-stdin", action="store_true", help=_FROM_INPUT)
    actions.add_parser("list", help="those that are known").set_defaults(run=_list)
    for name, run, told in (
        ("test", _test, "ask whether it answers"),
        ("remove", _remove, "forget it and its password"),
    ):
        action = actions.add_parser(name, help=told)
        action.set_defaults(run=run)
        action.add_argument("name")


def _add_reading(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    find = actions.add_parser("find", help="studies in an archive")
    find.set_defaults(run=_find)
    find.add_argument("name")
    for name in ("patient-id", "accession", "patient-name"):
        find.add_argument(f"--{name}", default="")
    find.add_argument("--date", default="", help="YYYYMMDD or YYYYMMDD-YYYYMMDD")
    find.add_argument("--json", action="store_true", help="print one JSON object")
    get = actions.add_parser("get", help="fetch a study")
    get.set_defaults(run=_get)
    get.add_argument("name")
    get.add_argument("study_uid", metavar="STUDY_UID")
    get.add_argument("--out", type=Path, default=Path(), metavar="DIR")
    listen = actions.add_parser("listen", help="receive what archives send, until interrupted")
    listen.set_defaults(run=_listen)
    listen.add_argument("--aet", default="TUMORVIEWER")
    listen.add_argument("--port", type=int, default=11112)
    listen.add_argument("--host", default="127.0.0.1", help="(default: %(default)s)")
    listen.add_argument("--callers", nargs="+", required=True, metavar="AET", help="who may send")
    listen.add_argument("--out", type=Path, default=Path("received"), metavar="DIR")


def _add_sending(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    send = actions.add_parser("send", help="send files, and make sure that they arrived")
    send.set_defaults(run=_send)
    send.add_argument("name")
    send.add_argument("files", nargs="+", type=Path, metavar="FILE")
    outbox = actions.add_parser("outbox", help="what was sent, and how far it is")
    outbox.set_defaults(run=_outbox)
    outbox.add_argument("--retry", action="store_true", help="try at once what waits or failed")
    outbox.add_argument("--json", action="store_true", help="print one JSON object")


def _add(options: argparse.Namespace) -> int:
    names = ArchiveAddress.__dataclass_fields__
    values = {name: value for name, value in vars(options).items() if name in names}
    password = sys.stdin.readline().rstrip("\n") if options.password_stdin else ""
    AddressBook().add(ArchiveAddress(**values), password)
    return 0


def _list(_: argparse.Namespace) -> int:
    for one in AddressBook().list_addresses():
        place = one.url or f"{one.aet}@{one.host}:{one.port}{' (TLS)' if one.tls else ''}"
        print(f"{one.name:16} {place}")
    return 0


def _test(options: argparse.Namespace) -> int:
    from tumorviewer.pacs.connection import connect

    print(connect(AddressBook().find(options.name)).test())
    return 0


def _remove(options: argparse.Namespace) -> int:
    AddressBook().remove(options.name)
    return 0


def _find(options: argparse.Namespace) -> int:
    from tumorviewer.pacs.connection import connect

    query = StudyQuery(options.patient_id, options.accession, options.date, options.patient_name)
    matches = connect(AddressBook().find(options.name)).find(query)
    if options.json:
        print(json.dumps({"studies": [asdict(match) for match in matches]}, indent=2))
        return 0
    for match in matches:
        told = (match.study_uid, match.date, match.modalities, match.patient_id,
                match.patient_name, match.description)  # fmt: skip
        print("  ".join(told))
    if not matches:
        print(tr("The archive says that it has no such study."))
    return 0


def _get(options: argparse.Namespace) -> int:
    from tumorviewer.pacs.connection import connect

    fetched = connect(AddressBook().find(options.name)).fetch(options.study_uid, options.out)
    for path in fetched.files:
        print(path)
    for problem in fetched.problems:
        sys.stderr.write(f"{problem}\n")
    if not fetched.files:
        sys.stderr.write(tr("Nothing came.") + "\n")
    return 1 if fetched.problems or not fetched.files else 0


def _send(options: argparse.Namespace) -> int:
    from tumorviewer.pacs.delivery import queue_files

    AddressBook().find(options.name)
    with Records() as records:
        queued = queue_files(records.outbox, options.name, options.files)
        _deliver(records)
        numbers = {entry.id for entry in queued}
        sent = [entry for entry in records.outbox.list_entries() if entry.id in numbers]
    _print(sent)
    return 0 if all(entry.state is OutboxState.CONFIRMED for entry in sent) else 1


def _outbox(options: argparse.Namespace) -> int:
    with Records() as records:
        if options.retry:
            records.outbox.retry()
            _deliver(records)
        entries = records.outbox.list_entries()
    if options.json:
        listed = [asdict(entry) | {"state": entry.state.value} for entry in entries]
        print(json.dumps({"outbox": listed}, indent=2))
    else:
        _print(entries)
    return 1 if any(entry.state is OutboxState.FAILED for entry in entries) else 0


def _deliver(records: Records) -> None:
    from tumorviewer.pacs.delivery import Delivery

    Delivery(records.outbox, AddressBook()).run(datetime.now(UTC))


def _print(entries: Sequence[OutboxEntry]) -> None:
    for entry in entries:
        print(f"{entry.state.value:10} {entry.destination:16} {entry.sop_instance}  {entry.reason}")


def _listen(options: argparse.Namespace) -> int:
    from tumorviewer.pacs.listener import ListenerSettings, StorageListener, parse_callers

    settings = ListenerSettings(
        options.out, parse_callers(options.callers), options.aet, options.port, options.host
    )
    with StorageListener(settings, lambda path: print(path, flush=True)):
        threading.Event().wait()
    return 0
