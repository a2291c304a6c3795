"""Hyper-parameter search over declared ranges: TPE, pruned by epoch, resumable after a kill.

Trials are chosen by the tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011), all on
the validation part of the one split; a test part is never read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.data.material import PreparedData
from trainer.reports.html import COLOURS, FAINT, draw_figure, export_svg, render_page
from trainer.runs.config import Config
from trainer.runs.fit import fit_run
from trainer.runs.run_context import RunContext
from trainer.runs.search_ranges import Range, Scalar
from trainer.tools.atomic_files import write_csv, write_json, write_text
from trainer.tools.options import export_toml
from trainer.tools.progress import Progress
from trainer.training.loop import LOG
from tumorviewer.errors import InputError
from tumorviewer.models.card import Preprocessing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial

JOURNAL, RANGES, BEST, TABLE, RESULT, PAGE = (
    "journal.log",
    "ranges.toml",
    "best.toml",
    "trials.csv",
    "search.json",
    "search.html",
)
PRUNERS = ("median", "halving", "none")


@dataclass(frozen=True)
class Search:
    """What to search, and how long."""

    configured: Callable[[list[str]], Config]
    """Overrides ``table.key=value`` to a whole configuration."""
    gathered: Callable[[Preprocessing], PreparedData]
    ranges: tuple[Range, ...]
    trials: int
    pruner: str = "median"


def search_settings(todo: Search, run: RunContext) -> dict[str, Any]:
    """Run trials until so many have ended; answers what ``search.json`` holds.

    A trial that was killed is marked failed and taken up where it stopped.

    Raises
    ------
    InputError
        If the folder holds another search, nothing is validated on, or no trial came to its end.
    """
    base = todo.configured([])
    if base.split.validation == "none":
        raise InputError("[split]", "A search needs a validation part.", 'Use "fold 0".')
    _check(todo)
    run.claim(base, JOURNAL, "search")
    _claim_ranges(todo, run.out)
    study = _study(todo, base, run.out)
    _repeat_killed(study)
    while (ended := len(_ended(study))) < todo.trials:
        study.sampler = _sampler(base.training.seed + ended)
        _one(study, todo, run)
        _report(study, base, todo, run.out)
        run.progress("trial", ended + 1, todo.trials, **_best(study))
    if not _best(study):
        raise InputError(str(run.out), "No trial came to its end.", "Its messages are above.")
    return _report(study, base, todo, run.out)


def _check(todo: Search) -> None:
    """Unknown settings and wrong types are refused before anything is trained."""
    for one in todo.ranges:
        for value in one.choices or (one.low, one.high):
            todo.configured([_override(one.key, value)])


def _override(key: str, value: Scalar) -> str:
    return f"{key}={json.dumps(value)}"


def _claim_ranges(todo: Search, folder: Path) -> None:
    stored, text = folder / RANGES, "".join(f"{one}\n" for one in todo.ranges)
    if stored.is_file() and stored.read_text(encoding="utf-8") != text:
        raise InputError(str(folder), "The search in this folder has other ranges.")
    write_text(stored, text)


def _study(todo: Search, base: Config, folder: Path) -> Study:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = folder / JOURNAL
    _drop_half_line(path)
    for lock in folder.glob(f"{JOURNAL}.lock*"):  # of a killed search: one at a time claims DIR
        lock.unlink()
    storage = JournalStorage(JournalFileBackend(str(path), JournalFileOpenLock(str(path))))
    minimise = base.training.monitor == "log_loss"
    return optuna.create_study(
        storage=storage,
        study_name="search",
        pruner=_pruner(todo.pruner),
        direction="minimize" if minimise else "maximize",
        load_if_exists=True,
    )


def _sampler(seed: int) -> BaseSampler:
    """Of one trial: seeded anew for each, so that a search that was killed tries what it would have
    tried, and nothing twice."""
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed)


def _pruner(name: str) -> BasePruner:
    from optuna import pruners

    if name == "halving":
        return pruners.SuccessiveHalvingPruner()
    return pruners.MedianPruner() if name == "median" else pruners.NopPruner()


def _drop_half_line(journal: Path) -> None:
    """What a killed search left of its last entry."""
    if journal.is_file():
        content = journal.read_bytes()
        journal.write_bytes(content[: content.rfind(b"\n") + 1])


def _repeat_killed(study: Study) -> None:
    from optuna.trial import TrialState

    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params, {"folder": _folder(trial)})


def _folder(trial: Trial | FrozenTrial) -> str:
    """Of a trial's run; a repeated one goes on in the first one's."""
    return str(trial.user_attrs.get("folder", f"trial-{trial.number:03}"))


def _ended(study: Study) -> list[FrozenTrial]:
    """Trials that count: those that were repeated do not."""
    from optuna.trial import TrialState

    ended = study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL))
    return list({_folder(trial): trial for trial in ended}.values())


def _one(study: Study, todo: Search, run: RunContext) -> None:
    from optuna import TrialPruned
    from optuna.trial import TrialState

    trial = study.ask()
    values = {one.key: one.suggest(trial) for one in todo.ranges}
    config = todo.configured([_override(key, value) for key, value in values.items()])
    folder = run.out / _folder(trial)
    told = _Told(trial, config.training.monitor, run.progress)
    try:
        told.again(folder / LOG)
        material = todo.gathered(config.preprocessing)
        fit_run(material, config, replace(run, out=folder, resume=True, progress=told))
    except TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except InputError as error:
        run.progress.say(f"{folder.name} failed: {error.reason}")
        study.tell(trial, state=TrialState.FAIL)
    else:
        study.tell(trial, _value(folder / LOG, config))


def _value(log: Path, config: Config) -> float:
    """What was kept: the best epoch's figure, or the last one's."""
    figures = [json.loads(line)[config.training.monitor] for line in log.read_text().splitlines()]
    if config.training.keep == "last":
        return float(figures[-1])
    return float(min(figures) if config.training.monitor == "log_loss" else max(figures))


class _Told(Progress):
    """Passes on what a trial says, and each epoch's figure to its pruner."""

    def __init__(self, trial: Trial, monitor: str, progress: Progress) -> None:
        super().__init__("none")
        self._trial, self._monitor, self._progress = trial, monitor, progress

    def __call__(self, stage: str, done: int, total: int, **values: Any) -> None:
        if stage == "epoch" and self._monitor in values:
            self._report(done, values[self._monitor])
            values["trial"] = self._trial.number
        self._progress(stage, done, total, **values)

    def say(self, text: str) -> None:
        self._progress.say(text)

    def again(self, log: Path) -> None:
        """Report what was measured before the trial was killed."""
        if log.is_file():
            for entry in map(json.loads, log.read_text().splitlines()):
                self._report(entry["epoch"], entry[self._monitor])

    def _report(self, epoch: int, value: float) -> None:
        from optuna import TrialPruned

        self._trial.report(value, epoch)
        if self._trial.should_prune():
            raise TrialPruned


def _best(study: Study) -> dict[str, Any]:
    from optuna.trial import TrialState

    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        return {}
    return {"best": study.best_value, "of": study.best_trial.number}


def _report(study: Study, base: Config, todo: Search, folder: Path) -> dict[str, Any]:
    """Write the table, and the best configuration and the page once a trial came to its end."""
    trials = [_row(trial) for trial in _ended(study)]
    keys = [one.key for one in todo.ranges]
    lines = [
        [row["folder"], row["state"], row["value"], *(row["settings"].get(key) for key in keys)]
        for row in trials
    ]
    write_csv(folder / TABLE, ("folder", "state", base.training.monitor, *keys), lines)
    result: dict[str, Any] = {"monitor": base.training.monitor, "trials": trials}
    if _best(study):
        best = study.best_trial
        overrides = [_override(key, value) for key, value in best.params.items()]
        write_text(folder / BEST, export_toml(todo.configured(overrides)))
        result |= {"best": _row(best), "importance": _importance(study)}
        write_text(folder / PAGE, _page(result, keys))
    write_json(folder / RESULT, result)
    return result


def _row(trial: FrozenTrial) -> dict[str, Any]:
    value = trial.value
    if value is None and trial.intermediate_values:
        value = trial.intermediate_values[max(trial.intermediate_values)]
    return {
        "folder": _folder(trial),
        "state": trial.state.name.lower(),
        "epochs": len(trial.intermediate_values),
        "value": value,
        "settings": trial.params,
    }


def _importance(study: Study) -> dict[str, float]:
    """Share of the spread of the figure that each setting explains (fANOVA, Hutter et al., ICML
    2014); empty while there are too few trials."""
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    try:
        return dict(get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0)))
    except (RuntimeError, ValueError):  # a single trial, or all alike
        return {}


def _page(result: dict[str, Any], keys: list[str]) -> str:
    done = [row for row in result["trials"] if row["value"] is not None]
    return render_page(
        "search.html",
        result=result,
        keys=keys,
        coordinates=export_svg(
            draw_figure(lambda axes: _coordinates(axes, done, keys, result), 170, 75)
        ),
        importance=export_svg(draw_figure(lambda axes: _bars(axes, result["importance"]), 85, 50)),
    )


def _coordinates(
    axes: Axes, rows: list[dict[str, Any]], keys: list[str], result: dict[str, Any]
) -> None:
    """One line a trial across its settings to its figure; the best one stands out."""
    names = [*keys, result["monitor"]]
    columns = [
        _placed([{**row["settings"], names[-1]: row["value"]}[n] for row in rows]) for n in names
    ]
    for index, row in enumerate(rows):
        best = row["folder"] == result["best"]["folder"]
        heights = [column[index] for column in columns]
        axes.plot(
            heights, color=COLOURS[1] if best else FAINT, lw=2 if best else 0.6, zorder=1 + best
        )
    axes.set_xticks(range(len(names)), names, rotation=20, ha="right")
    axes.set_yticks([0, 1], ["lowest", "highest"])


def _placed(values: list[Scalar]) -> list[float]:
    """Between 0 and 1 by rank, so that a logarithmic range is not squeezed."""
    levels = sorted(set(values), key=lambda one: (isinstance(one, str), one))
    return [levels.index(one) / max(1, len(levels) - 1) for one in values]


def _bars(axes: Axes, importance: dict[str, float]) -> None:
    names = list(importance)[::-1]
    axes.barh(names, [importance[name] for name in names], color=COLOURS[0])
    axes.set_xlabel("share of the spread explained")
