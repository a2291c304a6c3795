"""The command ``split``: what would be trained on and what would judge, before it is done."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from trainer.cli import _add_config, _add_data, _read_config, _source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from trainer.data.material import Material


def add(commands: Any) -> None:
    """Enter the command's parser."""
    parser = commands.add_parser("split", help="the parts of the data, as fit would take them")
    _add_data(parser)
    _add_config(parser)
    parser.set_defaults(run=_split)


def _split(options: argparse.Namespace) -> None:
    from trainer.data import split
    from trainer.data.material import gather
    from trainer.tools.progress import Progress

    config, progress = _read_config(options), Progress(options.progress)
    material = gather(_source(options, config.data), config.preprocessing, progress)
    parts = split.choose(material.dataset, material.groups, config.split)
    found = {name: counted(material, rows) for name, rows in vars(parts).items()}
    print(json.dumps(found | {"grouped_by": material.grouped_by}))


def counted(material: Material, rows: NDArray[np.int64]) -> dict[str, Any]:
    """How much some rows are."""
    return {
        "items": len(rows),
        "groups": len(set(material.groups[rows].tolist())),
        "classes": material.dataset.rows(rows).counts(),
    }
