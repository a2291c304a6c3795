"""Commands that look at data and settings: ``config``, ``audit`` and ``split``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.cli.arguments import add_config, add_data, make_source, read_config
from trainer.cli.unsupervised_commands import read_own_config

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from trainer.data.material import PreparedData


def add_commands(commands: Any) -> None:
    """Enter the commands' parsers."""
    config = commands.add_parser("config", help="print every setting with its default")
    add_config(config)
    config.add_argument("--of", choices=("fit", "pretrain", "generate"), default="fit")
    config.add_argument("--json", action="store_true", help="with choices, to make a form of")
    config.set_defaults(run=_config)
    audit = commands.add_parser("audit", help="duplicates, conflicts and balance of a data set")
    add_data(audit)
    audit.add_argument("--out", type=Path, required=True, help="folder for report and tables")
    audit.add_argument("--against", type=Path, metavar="DATA", help="to find copies in as well")
    audit.set_defaults(run=_audit)
    split = commands.add_parser("split", help="the parts of the data, as fit would take them")
    add_data(split)
    add_config(split)
    split.set_defaults(run=_split)


def _config(options: argparse.Namespace) -> None:
    from trainer.tools.options import describe_options, export_toml
    from tumorviewer.networks import list_architectures

    own = read_own_config(options) if options.of != "fit" else read_config(options)
    if options.json:
        print(json.dumps({"architectures": list_architectures(), "options": describe_options(own)}))
        return
    print(f"# architectures: {', '.join(list_architectures())}")
    print(export_toml(own), end="")


def _audit(options: argparse.Namespace) -> None:
    from trainer.audit import audit
    from trainer.tools.progress import Progress

    progress = Progress(options.progress)
    result = audit.audit_data(make_source(options), options.out, progress, options.against)
    print(json.dumps(result, indent=2, ensure_ascii=False))


def _split(options: argparse.Namespace) -> None:
    from trainer.data import split
    from trainer.data.material import prepare_data
    from trainer.tools.progress import Progress

    config, progress = read_config(options), Progress(options.progress)
    material = prepare_data(make_source(options, config.data), config.preprocessing, progress)
    parts = split.choose_parts(material.dataset, material.groups, config.split)
    found = {name: _count(material, rows) for name, rows in vars(parts).items()}
    print(json.dumps(found | {"grouped_by": material.grouped_by}))


def _count(material: PreparedData, rows: NDArray[np.int64]) -> dict[str, Any]:
    """Items, groups and classes of some rows."""
    return {
        "items": len(rows),
        "groups": len(set(material.groups[rows].tolist())),
        "classes": material.dataset.rows(rows).counts(),
    }
