"""The command line: ``tumorviewer-train`` and ``python -m trainer``."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tumorviewer import language
from tumorviewer.errors import InputError

if TYPE_CHECKING:
    import torch

    from trainer.data.material import Material, Source
    from trainer.runs.config import Config, DataSettings
    from trainer.runs.fit import Run
    from trainer.tools.progress import Progress


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0: done, 1: something that the user brought cannot be used, 2: usage."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(given)
    options.command_line = shlex.join(["tumorviewer-train", *given])
    # Before torch is imported: spinning OpenMP threads cost three times the time on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    language.use_language("en")  # as its reports
    _end_as_by_hand()
    try:
        options.run(options)
        sys.stdout.flush()
    except InputError as error:
        print(f"tumorviewer-train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; --resume continues after the last finished epoch", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _end_as_by_hand() -> None:
    """What a scheduler or the window ends (SIGTERM) ends as by Ctrl+C, which a program that was
    started in the background does not hear; torchrun's processes, which wait for each other, end
    at once."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and "TORCHELASTIC_RUN_ID" not in os.environ:
        for name in ("SIGTERM", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.default_int_handler)


def _parser() -> argparse.ArgumentParser:
    from trainer.cli import generative  # which imports this module

    parser = argparse.ArgumentParser(
        "tumorviewer-train", description="Train and judge classifiers. Research use only."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    config = commands.add_parser("config", help="print every setting with its default")
    _add_config(config)
    config.add_argument("--of", choices=("fit", "pretrain", "generate"), default="fit")
    config.add_argument("--json", action="store_true", help="with choices, to make a form of")
    config.set_defaults(run=_config)
    fit = commands.add_parser("fit", help="train one model and write its bundle")
    _add_training(fit)
    fit.add_argument(
        "--figures-from",
        type=Path,
        metavar="DIR",
        help='a finished crossval, whose figures a model of all data (validation = "none") takes',
    )
    fit.set_defaults(run=_fit)
    crossval = commands.add_parser("crossval", help="judge by grouped cross-validation")
    _add_training(crossval)
    crossval.add_argument("--jobs", type=int, default=1, help="folds trained at the same time")
    crossval.set_defaults(run=_crossval)
    evaluate = commands.add_parser("evaluate", help="judge a model on labelled data")
    _add_data(evaluate)
    evaluate.add_argument("--model", metavar="M", help="name or bundle folder; else the default")
    evaluate.add_argument("--json", action="store_true", help="every figure as one object")
    evaluate.add_argument("--split", choices=("train", "val", "test"), help="of the official split")
    _add_training_data(evaluate, "--training-data", "to count twins in")
    evaluate.add_argument("--predictions", type=Path, help="write path,label,group,fold,p_…")
    evaluate.add_argument("--report", type=Path, metavar="HTML", help="a page with charts")
    evaluate.set_defaults(run=_evaluate)
    compare = commands.add_parser("compare", help="may a model replace the current one?")
    for name in ("candidate", "current"):
        compare.add_argument(name, help="name, bundle folder, or predictions.csv")
    _add_data(compare)
    compare.add_argument("--split", choices=("train", "val", "test"), help="of the official split")
    for side in ("candidate", "current"):
        _add_training_data(compare, f"--{side}-training", "to find twins in")
    compare.add_argument("--out", type=Path, required=True, metavar="JSON")
    compare.add_argument("--report", type=Path, metavar="HTML", help="a page with a chart")
    compare.set_defaults(run=_compare)
    reproduce = commands.add_parser("reproduce", help="a paper's protocol, on its split and ours")
    _add_reproduce(reproduce)
    audit = commands.add_parser("audit", help="duplicates, conflicts and balance of a data set")
    _add_data(audit)
    audit.add_argument("--out", type=Path, required=True, help="folder for report and tables")
    audit.add_argument("--against", type=Path, metavar="DATA", help="to find copies in as well")
    audit.set_defaults(run=_audit)
    export = commands.add_parser("export-onnx", help="a model as ONNX, checked for equal answers")
    export.add_argument("model", help="name or bundle folder")
    export.add_argument("out", type=Path, metavar="OUT.onnx")
    export.set_defaults(run=_export_onnx)
    generative.add(commands)
    from trainer.cli import commands as of_several  # which imports this module
    from trainer.cli import preview

    of_several.add(commands)
    preview.add(commands)
    return parser


def _add_reproduce(parser: argparse.ArgumentParser) -> None:
    from trainer.papers import protocol

    parser.add_argument("paper", choices=protocol.names())
    _add_training(parser)
    parser.add_argument("--networks", default="", metavar="TEXT", help="those with it in the name")
    parser.set_defaults(run=_reproduce)


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML")
    parser.add_argument(
        "--set", action="append", default=[], metavar="TABLE.KEY=VALUE", help="one setting"
    )


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, help="folder with a folder per class, or a CSV")
    parser.add_argument(
        "--also", type=Path, action="append", default=[], metavar="DATA", help="joined with it"
    )
    parser.add_argument("--groups", default="", metavar="FILE[:COLUMN]", help="CSV path,group")
    parser.add_argument("--classes", default="", metavar="A,B,…", help="those only")
    parser.add_argument("--cache", type=Path, default=None, metavar="DIR", help="decoded pictures")
    parser.add_argument("--skip-unreadable", action="store_true")
    parser.add_argument(
        "--slices", metavar="RULE", help='of unmarked volumes: "refuse", "all" or "middle N"'
    )
    _add_device(parser)


def _add_training_data(parser: argparse.ArgumentParser, name: str, why: str) -> None:
    parser.add_argument(
        name, type=Path, action="append", default=[], metavar="DATA", help=f"{why}; may be repeated"
    )


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument("--progress", default="human", choices=("human", "json", "none"))


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_config(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--resume", action="store_true")


def _add_training(parser: argparse.ArgumentParser) -> None:
    _add_data(parser)
    _add_run(parser)
    parser.add_argument("--tensorboard", action="store_true", help="live curves in DIR/tensorboard")
    parser.add_argument("--fetch", action="store_true", help="pretrained weights may be downloaded")


def _source(options: argparse.Namespace, data: DataSettings | None = None) -> Source:
    from trainer.data.material import Source
    from trainer.runs.config import DataSettings

    data = data or DataSettings()

    named = tuple(name for name in options.classes.split(",") if name)
    return Source(
        options.data,
        options.cache or _default_cache(),
        options.groups,
        named or data.classes,
        options.skip_unreadable,
        options.slices or data.slices,
        Path(data.synthetic) if data.synthetic else None,
        tuple(options.also),
    )


def _default_cache() -> Path:
    if home := os.environ.get("TUMORVIEWER_HOME"):
        return Path(home) / "cache" / "trainer"
    from platformdirs import user_cache_path

    return user_cache_path("tumorviewer") / "trainer"


def _read_config(options: argparse.Namespace) -> Config:
    from trainer.runs import config

    rule = getattr(options, "slices", None)
    return config.read(options.config, options.set + ([f"data.slices={rule}"] if rule else []))


def _run(options: argparse.Namespace, device: torch.device) -> Run:
    from trainer.runs.fit import Run

    return Run(
        options.out,
        device,
        options.resume,
        getattr(options, "figures_from", None),
        options.command_line,
        options.cache or _default_cache(),
        options.tensorboard,
        options.fetch,
    )


@contextmanager
def _training(options: argparse.Namespace) -> Iterator[tuple[Run, Progress]]:
    """As one process, or as one of those that torchrun started, of which the first speaks."""
    from trainer.tools.progress import Progress
    from trainer.training import distributed
    from tumorviewer.analysis import device

    with distributed.joined(device.choose_device(options.device)) as own:
        form = options.progress if distributed.is_first() else "none"
        yield _run(options, own), Progress(form)


def _gather(source: Source, config: Config, progress: Progress) -> Material:
    from trainer.audit import audit
    from trainer.data.material import gather
    from trainer.training import distributed

    with distributed.one_first():
        material = gather(source, config.preprocessing, progress)
    if distributed.is_first():
        for warning in audit.summary(material)["warnings"]:
            progress.say(warning)
    return material


def _config(options: argparse.Namespace) -> None:
    from trainer.cli import generative
    from trainer.tools.options import described, to_toml
    from tumorviewer.networks import list_architectures

    own = generative.settings(options) if options.of != "fit" else _read_config(options)
    if options.json:
        print(json.dumps({"architectures": list_architectures(), "options": described(own)}))
        return
    print(f"# architectures: {', '.join(list_architectures())}")
    print(to_toml(own), end="")


def _fit(options: argparse.Namespace) -> None:
    from trainer.runs.fit import fit

    config = _read_config(options)
    with _training(options) as (run, progress):
        material = _gather(_source(options, config.data), config, progress)
        _finish(fit(material, config, run, progress), material, run)


def _crossval(options: argparse.Namespace) -> None:
    from trainer.runs.crossval import crossval

    config = _read_config(options)
    source = _source(options, config.data)
    shared = [str(source.data), "--cache", str(source.cache), "--progress", options.progress]
    shared += ["--classes", ",".join(source.classes)] if source.classes else []
    shared += [part for one in source.also for part in ("--also", str(one))]
    shared += ["--skip-unreadable"] if source.skip_unreadable else []
    shared += ["--fetch"] if options.fetch else []
    with _training(options) as (run, progress):
        material = _gather(source, config, progress)
        _finish(crossval(material, config, run, progress, options.jobs, shared), material, run)


def _finish(result: dict[str, Any], material: Material, run: Run) -> None:
    from trainer.runs import run_report
    from trainer.training import distributed

    _print_summary(result)
    if distributed.is_first():
        run_report.of_run(run.out, material, str(run.device))


def _reproduce(options: argparse.Namespace) -> None:
    from trainer.papers import protocol, reproduce
    from trainer.runs import config

    chosen = protocol.read(options.paper).only(options.networks)
    overrides = config.tables(options.config, options.set)
    with _training(options) as (run, progress):
        result = reproduce.reproduce(chosen, _source(options), run, overrides, progress)
    print(reproduce.table(result))


def _evaluate(options: argparse.Namespace) -> None:
    from trainer.evaluation import evaluate
    from trainer.runs import run_report
    from trainer.tools.atomic_files import write_text
    from trainer.tools.progress import Progress
    from tumorviewer.models.catalogue import Catalogue

    folder = Catalogue().find(options.model)
    result, judged = evaluate.on_data(
        folder,
        _source(options),
        _parts(options),
        options.device,
        Progress(options.progress),
        options.training_data,
        options.predictions,
    )
    if options.report:
        write_text(options.report, run_report.of_data(result, judged, folder, options.device))
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        _print_figures(evaluate.LEAKY if result["overlap"]["is_leaky"] else "", result)
        print(f"  {result['overlap']['words']}")


def _parts(options: argparse.Namespace) -> tuple[str, ...]:
    return (options.split,) if options.split else ("", "train", "val", "test")


def _compare(options: argparse.Namespace) -> None:
    from trainer.evaluation import compare
    from trainer.tools.atomic_files import write_json, write_text
    from trainer.tools.progress import Progress

    result = compare.compare(
        options.candidate,
        options.current,
        _source(options),
        _parts(options),
        options.device,
        Progress(options.progress),
        (options.candidate_training, options.current_training),
    )
    write_json(options.out, result)
    if options.report:
        write_text(options.report, compare.page(result))
    print(result["words"])


def _audit(options: argparse.Namespace) -> None:
    from trainer.audit import audit
    from trainer.tools.progress import Progress

    progress = Progress(options.progress)
    result = audit.audit(_source(options), options.out, progress, options.against)
    print(json.dumps(result, indent=2, ensure_ascii=False))


def _export_onnx(options: argparse.Namespace) -> None:
    from trainer.runs import onnx_export
    from tumorviewer.models.catalogue import Catalogue

    worst = onnx_export.export(Catalogue().find(options.model), options.out)
    print(f"{options.out}: its probabilities differ from the bundle's by at most {worst:.1e}")


def _print_summary(result: dict[str, Any]) -> None:
    for name, figures in result["figures"].items():
        _print_figures(name, figures)


def _print_figures(name: str, figures: dict[str, Any]) -> None:
    print(f"{name.replace('_', ' ')} n {figures['n']}, {figures['groups']} groups".strip())
    for key, (low, high) in figures["intervals"].items():
        if figures[key] is not None:
            print(f"  {key:18} {figures[key]:.4f}  ({low:.4f}–{high:.4f})")
    for key in ("twin_share", "copyist_accuracy"):
        if key in figures:
            print(f"  {key:18} {figures[key]:.4f}")
