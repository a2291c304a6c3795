"""Plays the trainer for the window: the same words and files, without learning anything.

``PLAYED`` names a folder: with a file ``hold`` in it a training waits after its first epoch, with
one ``few`` in it the data are too few for folds. ``PLAYED_BUNDLE`` is the model that comes out,
and in ``PLAYED_MODELS`` are those that it is compared with.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

PLAYED = Path(os.environ["PLAYED"])
UNSEEN = {"known": "files", "share": 0.0, "in_files": 0.0, "twins": None, "is_leaky": False}
OPTIONS = [
    ("card.name", "", "folder name in the catalogue", []),
    ("card.title", "", "what a list shows", []),
    ("card.labels", {}, "what a reader sees for each class", []),
    ("data.name", "", "of the data set", []),
    ("training.epochs", 2, "at most", []),
    ("training.lr", 2e-3, "highest learning rate", []),
    ("training.keep", "best", "which epoch is kept", ["best", "last"]),
    ("training.oversample", False, "rarer classes are repeated", []),
    ("model.architecture", "light_residual", "the network", []),
    ("model.initial_weights", "", "where the weights come from", []),
    ("preprocessing.size", 224, "side of the square that the network sees, pixels", []),
    ("split.validation", "fold 0", "what is kept back", []),
    ("split.folds", 5, "number of folds", []),
]


def say(**line: object) -> None:
    print(json.dumps(line), file=sys.stderr, flush=True)


def refuse(reason: str) -> None:
    sys.exit(f"tumorviewer-train: /data: {reason}")


def config(_: argparse.Namespace) -> None:
    names = ("name", "value", "description", "choices")
    described = [dict(zip(names, one, strict=True)) for one in OPTIONS]
    print(json.dumps({"architectures": ["light", "light_residual"], "options": described}))


def check_split(settings: list[str]) -> None:
    if (PLAYED / "few").exists() and 'split.validation="none"' not in settings:
        refuse("The class glioma has 2 groups, fewer than 5 folds. Use fewer folds or more data.")


def split(options: argparse.Namespace) -> None:
    check_split(options.set)
    part = {"items": 3, "groups": 3, "classes": {"glioma": 2, "notumor": 1}}
    none = {"items": 0, "groups": 0, "classes": {"glioma": 0, "notumor": 0}}
    print(json.dumps({"train": part, "validation": part, "test": none, "grouped_by": "patients"}))


def audit(options: argparse.Namespace) -> None:
    say(stage="comparing", done=1, total=1, seconds_left=None)
    found = {
        "classes": {"glioma": 2, "notumor": 2},
        "groups_of_classes": {"glioma": 2, "notumor": 2},
        "items": 4, "groups": 4, "patients": 4, "parts": {"not stated": {}},
    }  # fmt: skip
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "audit.json").write_text(json.dumps(found))


def fit(options: argparse.Namespace) -> None:
    check_split(options.set)
    (options.out / "arguments.json").write_text(json.dumps(sys.argv[1:]))
    (options.out / "config.toml").write_text("")
    train(options.out)
    shutil.copytree(os.environ["PLAYED_BUNDLE"], options.out / "bundle", dirs_exist_ok=True)
    judge(options.out, "grouped_validation")


def crossval(options: argparse.Namespace) -> None:
    check_split(options.set)
    (options.out / "arguments.json").write_text(json.dumps(sys.argv[1:]))
    (options.out / "config.toml").write_text("[split]\nfolds = 2\n")
    folds = [options.out / f"fold-{number}" for number in range(2)]
    for number, fold in enumerate(folds):
        if not (fold / "figures.json").exists():
            say(stage="fold", done=number, total=2, seconds_left=None)
            fold.mkdir(exist_ok=True)
            train(fold)
            judge(fold, "grouped_validation")
    judge(options.out, "grouped_crossval")


def train(out: Path) -> None:
    log = out / "log.jsonl"
    done = len(log.read_text().splitlines()) if log.exists() else 0
    say(stage="note", text=f"begun after epoch {done}")
    for epoch in range(done + 1, 4):
        entry = {"loss": 1 / epoch, "log_loss": 0.9 / epoch, "accuracy": 0.3 * epoch,
                 "macro_f1": 0.25 * epoch, "seconds": 0.1}  # fmt: skip
        with log.open("a") as stream:
            stream.write(json.dumps({"epoch": epoch, **entry}) + "\n")
        (out / "last.safetensors").write_bytes(b"checkpoint")
        say(stage="epoch", done=epoch, total=3, seconds_left=3.0 - epoch, **entry)
        while (PLAYED / "hold").exists():
            time.sleep(0.02)


def judge(out: Path, name: str) -> None:
    figure = {"accuracy": 0.9, "macro_f1": 0.85, "log_loss": 0.3, "n": 3, "groups": 3}
    ends = {"accuracy": [0.8, 1.0], "macro_f1": [0.7, 1.0], "log_loss": [0.1, 0.5]}
    figure["intervals"] = ends
    found = figure | {
        "folds": [figure, figure],
        "confusion": {"classes": ["glioma", "notumor"], "matrix": [[2, 0], [1, 0]]},
    }  # fmt: skip
    (out / "figures.json").write_text(json.dumps({"figures": {name: found}}))


def compare(options: argparse.Namespace) -> None:
    folders = (Path(options.models[0]), Path(os.environ["PLAYED_MODELS"]) / options.models[1])
    cards = [json.loads((folder / "card.json").read_text()) for folder in folders]
    sides = [
        {"name": c["name"], "version": c["version"], "sha256": c["weights"]["sha256"]}
        for c in cards
    ]
    figure = {"candidate": 0.9, "current": 0.8, "difference": 0.1, "interval": [0.05, 0.15]}
    result = {
        "schema": 1, "candidate": sides[0], "current": sides[1],
        "data": {
            "name": "kept", "sha256": "1" * 64, "n": 60, "groups": 40,
            "classes": dict.fromkeys(cards[0]["classes"], 10),
        },
        "verdict": "better", "words": "The new one is better than the old one.",
        "figures": dict.fromkeys(("accuracy", "macro_f1", "roc_auc", "log_loss"), figure),
        "overlap": {"candidate": 0.0, "current": 0.0},
        "seen": dict.fromkeys(("candidate", "current"), UNSEEN),
    }  # fmt: skip
    options.out.write_text(json.dumps(result))


def trust(options: argparse.Namespace) -> None:
    say(stage="calibration", done=1, total=2)
    path = Path(options.models[0]) / "bundle" / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"trust": {"items": 3, "groups": 3}}))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "command", choices=["config", "split", "audit", "fit", "crossval", "trust", "compare"]
    )
    parser.add_argument("models", nargs="*")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--out", type=Path)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options, _ = parser.parse_known_intermixed_args()
    try:
        globals()[options.command](options)
    except KeyboardInterrupt:
        print("stopped; --resume continues after the last finished epoch", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
