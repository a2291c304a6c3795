"""Commands that judge models: ``evaluate``, ``compare``, ``trust``; and what ONNX needs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from trainer.cli.arguments import add_data, add_training_data, make_source, split_names
from trainer.cli.printing import print_metrics


def add_commands(commands: Any) -> None:
    """Enter the commands' parsers."""
    _add_evaluate(commands.add_parser("evaluate", help="judge a model on labelled data"))
    _add_compare(commands.add_parser("compare", help="may a model replace the current one?"))
    _add_trust(commands.add_parser("trust", help="measure how far a run's model may be believed"))
    export = commands.add_parser("export-onnx", help="a model as ONNX, checked for equal answers")
    export.add_argument("model", help="name or bundle folder")
    export.add_argument("out", type=Path, metavar="OUT.onnx")
    export.set_defaults(run=_export_onnx)
    graphs = commands.add_parser("graphs", help="let ONNX Runtime run a bundle, without torch")
    graphs.add_argument("bundle", type=Path, metavar="BUNDLE", help="its graphs are put into it")
    graphs.set_defaults(run=_graphs)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    parser.add_argument("--model", metavar="M", help="name or bundle folder; else the default")
    parser.add_argument("--json", action="store_true", help="every figure as one object")
    parser.add_argument("--split", choices=("train", "val", "test"), help="of the official split")
    add_training_data(parser, "--training-data", "to count twins in")
    parser.add_argument("--predictions", type=Path, help="write path,label,group,fold,p_…")
    parser.add_argument("--report", type=Path, metavar="HTML", help="a page with charts")
    parser.set_defaults(run=_evaluate)


def _add_compare(parser: argparse.ArgumentParser) -> None:
    for name in ("candidate", "current"):
        parser.add_argument(name, help="name, bundle folder, or predictions.csv")
    add_data(parser)
    parser.add_argument("--split", choices=("train", "val", "test"), help="of the official split")
    for side in ("candidate", "current"):
        add_training_data(parser, f"--{side}-training", "to find twins in")
    parser.add_argument("--out", type=Path, required=True, metavar="JSON")
    parser.add_argument("--report", type=Path, metavar="HTML", help="a page with a chart")
    parser.set_defaults(run=_compare)


def _add_trust(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("training", type=Path, metavar="RUN", help="folder of a finished fit")
    add_data(parser)
    parser.add_argument("--outlines", default="", metavar="DIR", help="of the lesions, PNG files")
    parser.add_argument(
        "--outside", type=Path, nargs="*", default=[], metavar="PATH", help="images of other kinds"
    )
    elsewhere = "data sets of the model's own kind from elsewhere"
    parser.add_argument(
        "--elsewhere", type=Path, nargs="*", default=[], metavar="DIR", help=elsewhere
    )
    for what, example in (("sequences", "T1,T1 + contrast,…"), ("planes", "axial,…")):
        words = f"of the training data, if they do not say: {example}"
        parser.add_argument(f"--{what}", default="", metavar="A,B,…", help=words)
    parser.set_defaults(run=_trust)


def _evaluate(options: argparse.Namespace) -> None:
    from trainer.evaluation import evaluate
    from trainer.runs import run_report
    from trainer.tools.atomic_files import write_text
    from trainer.tools.progress import Progress
    from tumorviewer.models.catalogue import Catalogue

    folder = Catalogue().find(options.model)
    result, judged = evaluate.evaluate_bundle(
        folder,
        make_source(options),
        _parts(options),
        options.device,
        Progress(options.progress),
        options.training_data,
        options.predictions,
    )
    if options.report:
        write_text(
            options.report, run_report.render_evaluation(result, judged, folder, options.device)
        )
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        print_metrics(evaluate.LEAKY if result["overlap"]["is_leaky"] else "", result)
        print(f"  {result['overlap']['words']}")


def _parts(options: argparse.Namespace) -> tuple[str, ...]:
    return (options.split,) if options.split else ("", "train", "val", "test")


def _compare(options: argparse.Namespace) -> None:
    from trainer.evaluation import compare
    from trainer.tools.atomic_files import write_json, write_text
    from trainer.tools.progress import Progress

    result = compare.compare_models(
        options.candidate,
        options.current,
        make_source(options),
        _parts(options),
        options.device,
        Progress(options.progress),
        (options.candidate_training, options.current_training),
    )
    write_json(options.out, result)
    if options.report:
        write_text(options.report, compare.render_comparison(result))
    print(result["words"])


def _trust(options: argparse.Namespace) -> None:
    from trainer.runs import config
    from trainer.runs.run_context import CONFIG
    from trainer.tools.progress import Progress
    from trainer.trust import trust_report
    from trainer.trust.measure_trust import TrustAids, measure_trust
    from trainer.trust.out_of_distribution import OodSources
    from tumorviewer.models import trust_table

    settings = config.read_config(options.training / CONFIG, [])
    sequences, planes = split_names(options.sequences), split_names(options.planes)
    aims = OodSources(tuple(options.outside), tuple(options.elsewhere), sequences, planes)
    aids = TrustAids(options.outlines, aims)
    source, progress = make_source(options, settings.data), Progress(options.progress)
    card = measure_trust(options.training, settings, source, aids, options.device, progress)
    print("\n".join(trust_table.trust_lines(card.trust)))
    print(f"\n{trust_report.write_trust_report(options.training, card)}")


def _export_onnx(options: argparse.Namespace) -> None:
    from trainer.runs import onnx_export
    from tumorviewer.models.catalogue import Catalogue

    worst = onnx_export.export_onnx(Catalogue().find(options.model), options.out)
    print(f"{options.out}: its probabilities differ from the bundle's by at most {worst:.1e}")


def _graphs(options: argparse.Namespace) -> None:
    from trainer.runs.onnx_graphs import add_graphs

    card = add_graphs(options.bundle)
    assert card.graphs is not None
    print(f"{options.bundle}: {', '.join(f'{name}.onnx' for name in card.graphs.sha256)}")
