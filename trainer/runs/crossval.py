"""Grouped cross-validation: a resumable run for each fold, pooled out-of-fold figures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from trainer.data.material import PreparedData
from trainer.runs import crossval_results
from trainer.runs.config import Config
from trainer.runs.fit import fit_run
from trainer.runs.run_context import FIGURES, RunContext
from trainer.tools.atomic_files import write_json, write_text
from trainer.tools.options import export_plain, export_toml
from trainer.training import distributed
from trainer.training.loop import LAST
from tumorviewer.errors import InputError

GROUPS = "groups.csv"


def cross_validate(
    material: PreparedData,
    config: Config,
    run: RunContext,
    jobs: int,
    arguments: Sequence[str],
) -> dict[str, Any]:
    """Train and judge every fold; finished folds are not repeated.

    Parameters
    ----------
    jobs
        Folds trained at the same time, each in a process of its own.
    arguments
        Of the command line that each such process shares: the data and where its cache is.
    """
    if distributed.is_first():
        run.claim(config, f"fold-*/{LAST}", "cross-validation")
        material.write_groups(run.out / GROUPS)
    distributed.wait_for_all()
    folds = [run.out / f"fold-{number}" for number in range(config.split.folds)]
    settings = [
        replace(config, split=config.split.at(number)) for number in range(config.split.folds)
    ]
    todo = [
        (folder, one)
        for folder, one in zip(folds, settings, strict=True)
        if not (folder / FIGURES).is_file()
    ]
    if jobs == 1:
        for folder, one in todo:
            run.progress("fold", folds.index(folder), len(folds))
            fit_run(material, one, replace(run, out=folder, resume=True))
    else:
        _in_processes(todo, run, jobs, arguments)
    if not distributed.is_first():
        return {"figures": {}}
    result = crossval_results.pool_folds(run.out, folds, material)
    result |= {"config": export_plain(config), "classes": list(material.dataset.classes)}
    write_json(run.out / FIGURES, result)
    return result


def _in_processes(
    todo: Sequence[tuple[Path, Config]], run: RunContext, jobs: int, arguments: Sequence[str]
) -> None:
    def start(one: tuple[Path, Config]) -> int:
        folder, config = one
        settings = folder.with_suffix(".toml")
        write_text(settings, export_toml(config))
        command = [sys.executable, "-m", "trainer", "fit", *arguments]
        command += ["--out", str(folder), "--config", str(settings)]
        command += ["--groups", str(run.out / GROUPS), "--device", str(run.device)]
        command += ["--tensorboard"] if run.tensorboard else []
        return subprocess.run([*command, "--resume"], check=False).returncode

    _require(todo, start, jobs)


def _require(
    todo: Sequence[tuple[Path, Config]], start: Callable[[tuple[Path, Config]], int], jobs: int
) -> None:
    with ThreadPoolExecutor(jobs) as pool:
        failed = [
            folder.name
            for (folder, _), code in zip(todo, pool.map(start, todo), strict=True)
            if code
        ]
    if failed:
        reason = f"{', '.join(failed)} did not finish; its message is above."
        raise InputError("crossval", reason, "Mend that and repeat with --resume.")
