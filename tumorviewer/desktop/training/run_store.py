"""Data sets and training runs of this workstation: folders that every window finds. No Qt."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from tumorviewer.desktop.training.job import TrainerProcess
from tumorviewer.errors import InputError
from tumorviewer.files import replace_atomically
from tumorviewer.language import later, tr
from tumorviewer.resources import home_path

_SET, _CHOICES, _PROTOCOL = "set.json", "choices.json", "protocol.json"
BUNDLE, FIGURES, LOG, LAST, CONFIG, REPORT = (
    "bundle", "figures.json", "log.jsonl", "last.safetensors", "config.toml", "report.html",
)  # fmt: skip
"""What the trainer leaves in a run's folder."""
COMPARE = "compare"
"""Name of the job that compares a model."""
VALIDATION = "split.validation"
"""The setting that says what is kept back."""


class RunState(Enum):
    """How far a run has come."""

    DRAFT = later("not started")
    RUNNING = later("training")
    PAUSED = later("paused")
    """It can be gone on with after its last finished epoch."""
    DONE = later("trained")
    FAILED = later("not trained")


class EvaluationProtocol(Enum):
    """How a run is judged: the trainer's command."""

    SPLIT = "fit"
    """One model; a part of the data is kept back."""
    FOLDS = "crossval"
    """A model for each fold, which is kept back from it."""


@dataclass(frozen=True)
class DataSet:
    """Labelled studies in the trainer's form."""

    folder: Path
    """Where its audit and its runs lie."""
    data: Path
    """A table, or a folder with a folder per class."""
    also: tuple[Path, ...] = ()
    """More of it, joined with the first."""

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def audit(self) -> TrainerProcess:
        """``audit.json`` and ``audit.html`` are in its folder when it is done."""
        return TrainerProcess(self.folder / "audit", "audit")

    def arguments(self) -> list[str]:
        """How the trainer is told of it."""
        return [str(self.data), *(part for one in self.also for part in ("--also", str(one)))]

    def findings(self) -> dict[str, Any] | None:
        """What the audit found; None if it was not made."""
        found = _read(self.audit.folder / "audit.json")
        return found if isinstance(found, dict) else None

    def runs(self) -> tuple[TrainingRun, ...]:
        """The oldest first."""
        return tuple(TrainingRun(folder, self) for folder in _folders(self.folder / "runs"))

    def new_run(self) -> TrainingRun:
        """A run that was not started.

        Raises
        ------
        InputError
            If there is no room for it.
        """
        numbers = [int(run.name) for run in self.runs() if run.name.isdecimal()]
        run = TrainingRun(self.folder / "runs" / f"{max(numbers, default=0) + 1:03}", self)
        _make(run.folder)
        return run


@dataclass(frozen=True)
class TrainingRun:
    """One training: of a model, or of one for each fold."""

    folder: Path
    data: DataSet

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def fit(self) -> TrainerProcess:
        return TrainerProcess(self.folder, "fit")

    @property
    def measuring(self) -> TrainerProcess:
        """The process that measures how far its model may be trusted."""
        return TrainerProcess(self.folder, "trust")

    @property
    def comparing(self) -> TrainerProcess:
        """Its model with the one in use."""
        return TrainerProcess(self.folder, COMPARE)

    @property
    def is_busy(self) -> bool:
        """Whether a process writes in its folder."""
        jobs = (self.fit, self.measuring, self.comparing)
        return any(job.is_running() for job in jobs)

    @property
    def protocol(self) -> EvaluationProtocol:
        is_crossval = _read(self.folder / _PROTOCOL) == EvaluationProtocol.FOLDS.value
        return EvaluationProtocol.FOLDS if is_crossval else EvaluationProtocol.SPLIT

    @property
    def is_crossval(self) -> bool:
        return self.protocol is EvaluationProtocol.FOLDS

    def folds(self) -> tuple[TrainingRun, ...]:
        """Those of a cross-validation that was begun; each is a run in a folder of its own."""
        if not self.is_crossval:
            return ()
        try:
            settings = tomllib.loads((self.folder / CONFIG).read_text("utf-8"))
            numbers = range(settings["split"]["folds"])
        except (OSError, ValueError, KeyError):
            return ()
        return tuple(TrainingRun(self.folder / f"fold-{number}", self.data) for number in numbers)

    @property
    def bundle(self) -> Path:
        """The model that came out; a cross-validation leaves none."""
        return self.folder / BUNDLE

    @property
    def state(self) -> RunState:
        """The state of the run, as its files tell."""
        if self.fit.is_running():
            return RunState.RUNNING
        is_whole = self.is_crossval or (self.bundle / "card.json").is_file()
        if is_whole and self.figures() is not None:
            return RunState.DONE
        if self._has_checkpoint():
            return RunState.PAUSED
        return RunState.FAILED if self.fit.was_started else RunState.DRAFT

    def _has_checkpoint(self) -> bool:
        return any((one.folder / LAST).is_file() for one in (self, *self.folds()))

    def arguments(self) -> list[str]:
        """Arguments of the command that starts the run, or goes on with it."""
        config = self.folder / CONFIG
        is_begun = self._has_checkpoint() and config.is_file()
        chosen = ["--config", str(config)] if is_begun else self.settings()
        out = ["--out", str(self.folder), "--resume", "--progress", "json"]
        return [self.protocol.value, *self.data.arguments(), *chosen, *out]

    def settings(self) -> list[str]:
        """How the trainer is told of the choices; a cross-validation begins with its first fold,
        whatever else was to be kept back."""
        chosen = self.choices()
        if self.is_crossval:
            is_nested = str(chosen.get(VALIDATION)).startswith("nested")
            chosen[VALIDATION] = "nested 0" if is_nested else "fold 0"
        return as_arguments(chosen)

    def choices(self) -> dict[str, Any]:
        """Settings that differ from the trainer's own, by ``table.key``."""
        found = _read(self.folder / _CHOICES)
        return found if isinstance(found, dict) else {}

    def choose(
        self, choices: dict[str, Any], protocol: EvaluationProtocol = EvaluationProtocol.SPLIT
    ) -> None:
        """Keep settings for the start.

        Raises
        ------
        InputError
            If they cannot be written.
        """
        _write(self.folder / _CHOICES, choices)
        _write(self.folder / _PROTOCOL, protocol.value)

    def figures(self) -> dict[str, Any] | None:
        """What the run is worth; empty if nothing was kept back to judge it by."""
        found = _read(self.folder / FIGURES)
        return found.get("figures") if isinstance(found, dict) else None

    def log(self) -> list[dict[str, Any]]:
        """A line for each finished epoch."""
        try:
            lines = (self.folder / LOG).read_text("utf-8").splitlines()
            return [json.loads(line) for line in lines]
        except (OSError, ValueError):
            return []


class RunStore:
    """All data sets.

    Parameters
    ----------
    root
        ``training`` in the user's folder by default; only the user can enter it.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or home_path("training")

    def sets(self) -> tuple[DataSet, ...]:
        """The data sets, ordered by name."""
        return tuple(filter(None, map(_data_set, _folders(self.root / "sets"))))

    def place(self, name: str) -> Path:
        """Where a new data set of that name is written, unless the reader says otherwise."""
        return self.root / "data" / name

    def make_private(self) -> None:
        """Make the root, if it is not there; only the user can enter it.

        Raises
        ------
        InputError
            If there is no room for it.
        """
        _make(self.root)

    def free_name(self, wanted: str) -> str:
        """`wanted`, or with a number behind it."""
        name, number = wanted, 1
        while (self.root / "sets" / name).exists() or self.place(name).exists():
            number += 1
            name = f"{wanted}-{number}"
        return name

    def add(self, name: str, data: Path, also: Sequence[Path] = ()) -> DataSet:
        """Add a data set to the store.

        Raises
        ------
        InputError
            If the name is taken or none, or there is no room.
        """
        if make_slug(name) != name:
            remedy = tr("Use lower case letters, digits and hyphens.")
            raise InputError(name, tr("It cannot be called so."), remedy)
        folder = self.root / "sets" / name
        if (folder / _SET).exists():
            raise InputError(
                name, tr("There is a data set of that name."), tr("Choose another name.")
            )
        made = DataSet(folder, data.resolve(), tuple(one.resolve() for one in also))
        _make(folder)
        document = {"data": str(made.data), "also": [str(one) for one in made.also]}
        _write(folder / _SET, document | {"made": datetime.now(UTC).isoformat(timespec="seconds")})
        return made

    def pictures(self, data: DataSet) -> Path | None:
        """The folder of what was written for a data set; None if it is the user's own."""
        folder = self.place(data.name).resolve()
        return folder if data.data.is_relative_to(folder) else None

    def joined_with(self, data: DataSet) -> tuple[DataSet, ...]:
        """Other data sets that take pictures from the folder of this one."""
        folder = self.pictures(data)
        if folder is None:
            return ()
        others = (one for one in self.sets() if one.folder != data.folder)
        return tuple(
            one
            for one in others
            if any(part.is_relative_to(folder) for part in (one.data, *one.also))
        )

    def running(self) -> Iterator[TrainingRun]:
        """Runs that are being trained, by whichever window they were started."""
        return (run for one in self.sets() for run in one.runs() if run.state is RunState.RUNNING)


def make_slug(text: str) -> str:
    """A name for a folder and for a model."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:48]


def as_arguments(choices: Mapping[str, Any]) -> list[str]:
    """Settings as the trainer is told them."""
    settings = (f"{name}={write_toml(value)}" for name, value in choices.items())
    return [part for one in settings for part in ("--set", one)]


def write_toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, dict):
        inside = ", ".join(f"{json.dumps(key)} = {write_toml(one)}" for key, one in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(write_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _data_set(folder: Path) -> DataSet | None:
    found = _read(folder / _SET)
    if not isinstance(found, dict) or "data" not in found:
        return None
    return DataSet(folder, Path(found["data"]), tuple(map(Path, found.get("also", ()))))


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(one for one in folder.iterdir() if one.is_dir() and one.name[0] != ".")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _make(folder: Path) -> None:
    try:
        for each in (*reversed(folder.parents), folder):
            if not each.exists():
                each.mkdir(mode=0o700)
    except OSError as error:
        raise _full(folder, error) from error


def _write(path: Path, document: Any) -> None:
    try:
        with replace_atomically(path) as beside:
            beside.touch(mode=0o600)
            beside.write_text(json.dumps(document, ensure_ascii=False), "utf-8")
    except OSError as error:
        raise _full(path, error) from error


def _full(path: Path, error: OSError) -> InputError:
    reason = tr("It cannot be written: {error}.", error=error.strerror or error)
    return InputError(str(path), reason, tr("Make room, and try again."))
