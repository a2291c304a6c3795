"""``tumorviewer models``: the catalogue on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.terminal import OK, SOME_REFUSED, complain, plain_text


def main(arguments: list[str]) -> int:
    """Run the command; answers the exit code."""
    options = _parser().parse_args(arguments)
    code: int = options.run(options)
    return code


def _parser() -> argparse.ArgumentParser:
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
        complain(f"{error.source}: {error.message}")
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
        complain(f"{plain_text(error.source)}: {plain_text(error.message)}")
        return SOME_REFUSED
    return OK
