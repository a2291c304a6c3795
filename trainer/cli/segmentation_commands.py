"""The commands ``segment …``: networks that find and outline."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.cli.arguments import add_config, find_cache_folder, split_names

if TYPE_CHECKING:
    from trainer.segmentation.runs import SegmentationRun


def add_commands(commands: Any) -> None:
    """Enter the commands' parsers."""
    segment = commands.add_parser("segment", help="train and judge networks that outline")
    actions = segment.add_subparsers(required=True, metavar="ACTION")
    fit = actions.add_parser("fit", help="train on all of a table, and write the bundle")
    _add_training(fit)
    fit.add_argument("--figures-from", type=Path, metavar="DIR", help="a finished crossval")
    fit.set_defaults(run=_fit)
    crossval = actions.add_parser("crossval", help="judge by folds of whole groups")
    _add_training(crossval)
    crossval.add_argument("--folds", default="", metavar="0,1,…", help="those only; else all")
    crossval.set_defaults(run=_crossval)
    judge = actions.add_parser("judge", help="judge a bundle on a table that it never saw")
    _add_table(judge)
    judge.add_argument("--model", type=Path, required=True, metavar="BUNDLE")
    judge.set_defaults(run=_judge)
    brains = actions.add_parser("brains", help="write a bundle's brain outlines of a table, as PNG")
    _add_table(brains)
    brains.add_argument("--model", type=Path, required=True, metavar="BUNDLE")
    brains.set_defaults(run=_brains)


def _add_table(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "table", type=Path, help="CSV path,label,…; or boxes: a COCO file, a YOLO folder"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--classes", default="", metavar="A,B,…", help="of a YOLO folder")
    parser.add_argument("--progress", default="human", choices=("human", "json", "none"))


def _add_training(parser: argparse.ArgumentParser) -> None:
    _add_table(parser)
    add_config(parser)
    parser.add_argument("--cache", type=Path, default=None, metavar="DIR", help="cut squares")


def _run(options: argparse.Namespace) -> SegmentationRun:
    from trainer.segmentation.config import read_config
    from trainer.segmentation.runs import SegmentationRun
    from trainer.segmentation.table import read_outlined
    from trainer.tools.progress import Progress

    return SegmentationRun(
        read_outlined(options.table, split_names(options.classes)),
        read_config(options.config, options.set),
        options.out,
        options.cache or find_cache_folder() / "squares",
        options.command_line,
        Progress(options.progress),
    )


def _fit(options: argparse.Namespace) -> None:
    from trainer.segmentation.runs import fit_segmenter, with_figures

    folder = fit_segmenter(_run(options))
    if options.figures_from:
        with_figures(folder, options.figures_from)
    print(folder)


def _crossval(options: argparse.Namespace) -> None:
    from trainer.segmentation.runs import crossval_segmenter

    run = _run(options)
    folds = [int(one) for one in options.folds.split(",") if one]
    figures = crossval_segmenter(run, folds or range(run.config.data.folds))
    print(json.dumps(figures, indent=2))


def _judge(options: argparse.Namespace) -> None:
    from trainer.segmentation.runs import judge_segmenter
    from trainer.segmentation.table import read_outlined
    from trainer.tools.progress import Progress

    items = read_outlined(options.table, split_names(options.classes))
    figures = judge_segmenter(options.model, items, options.out, Progress(options.progress))
    print(json.dumps(figures, indent=2))


def _brains(options: argparse.Namespace) -> None:
    from trainer.segmentation.brains import write_brains
    from trainer.segmentation.table import read_outlined
    from trainer.tools.progress import Progress

    items = read_outlined(options.table, split_names(options.classes))
    write_brains(options.model, items, options.out, Progress(options.progress))
