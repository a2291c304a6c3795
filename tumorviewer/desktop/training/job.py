"""A command of the trainer as a process of its own, which outlives the window. No Qt.

What it says goes into files, so that another window finds it again. It holds a lock on one of them
(flock(2): the lock belongs to the open file that the process inherits) as long as it lives, which
tells it from another process that was given the same number later.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tumorviewer.errors import InputError
from tumorviewer.files import replace_atomically
from tumorviewer.language import tr

if sys.platform != "win32":
    import fcntl

_NICE = 10
"""Reading goes before training."""
_PREFIX = "tumorviewer-train: "
_running: dict[Path, subprocess.Popen[bytes]] = {}
"""Those that this process started, by the file that they write."""


def make_trainer_command() -> list[str]:
    """How the trainer is called."""
    return [sys.executable, "-m", "trainer"]


@dataclass(frozen=True)
class TrainerProcess:
    """One command, in a folder.

    Parameters
    ----------
    folder
        Where its files lie.
    name
        What they are called, with the suffixes ``.job`` (who it is), ``.progress`` (JSON lines,
        and the error that ended it) and ``.answer`` (its standard output).
    """

    folder: Path
    name: str

    @property
    def words(self) -> Path:
        return self.folder / f"{self.name}.progress"

    @property
    def was_started(self) -> bool:
        return self.words.is_file()

    def start(self, arguments: Sequence[str]) -> None:
        """Start it, or start it anew.

        Raises
        ------
        InputError
            If it runs already, or cannot be started.
        """
        if self.is_running():
            raise InputError(
                self.name, tr("It is running already."), tr("Wait until it has ended.")
            )
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            process = self._launch([*make_trainer_command(), *arguments])
            _running[self.words] = process
            with replace_atomically(self._note) as beside:
                beside.write_text(json.dumps({"pid": process.pid, "arguments": list(arguments)}))
        except OSError as error:
            reason = tr("The trainer cannot be started: {error}.", error=error.strerror or error)
            raise InputError(str(self.folder), reason, tr("Make room, and try again.")) from error

    def _launch(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self.words.open("ab") as words, self._answer.open("wb") as answer:
            if sys.platform == "win32":
                words.truncate(0)
                flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.BELOW_NORMAL_PRIORITY_CLASS
                return subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=answer, stderr=words,
                    creationflags=flags,
                )  # fmt: skip
            fcntl.flock(words, fcntl.LOCK_EX | fcntl.LOCK_NB)  # another window may be as quick
            words.truncate(0)
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=answer, stderr=words,
                start_new_session=True,
            )  # fmt: skip
        os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
        return process

    def is_running(self) -> bool:
        """Whether the process, which any window may have started, lives."""
        child = _running.get(self.words)
        if child is not None:
            if child.poll() is None:
                return True
            del _running[self.words]
        return self.was_started and _is_held(self.words)

    def stop(self, *, at_once: bool = False) -> None:
        """Ask it to end; what a training has kept on the disk is gone on with later.

        The trainer ends upon SIGTERM (CTRL_BREAK_EVENT on Windows), and its last finished epoch
        stands.

        Parameters
        ----------
        at_once
            End it although it does not stop: files are replaced as a whole, so that none is
            left half written.
        """
        if not self.is_running():
            return
        pid = int(self._said_of_itself()["pid"])
        with suppress(ProcessLookupError):  # it has just ended
            if sys.platform == "win32":
                os.kill(pid, signal.SIGTERM if at_once else signal.CTRL_BREAK_EVENT)
            else:
                os.kill(pid, signal.SIGKILL if at_once else signal.SIGTERM)

    def said(self, since: int = 0) -> tuple[list[dict[str, Any]], int]:
        """What it said after byte `since` of its words, and how far that is read.

        A line is a :class:`dict` as :class:`trainer.tools.progress.Progress` writes it.
        """
        try:
            with self.words.open("rb") as stream:
                stream.seek(since)
                new = stream.read()
        except OSError:
            return [], since
        whole = new[: new.rfind(b"\n") + 1]
        return [line for line in map(_parsed, whole.splitlines()) if line], since + len(whole)

    def answer(self) -> Any:
        """What it printed, from JSON; None if it printed something else or nothing."""
        try:
            return json.loads(self._answer.read_text("utf-8"))
        except (OSError, ValueError):
            return None

    def problem(self) -> InputError | None:
        """Why it ended without an answer, as it said itself; None if it did not say."""
        return find_refusal(self._last_words())

    def clear(self) -> None:
        """Forget that it ever ran."""
        for path in (self._note, self.words, self._answer):
            path.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.folder / f"{self.name}.job"

    @property
    def _answer(self) -> Path:
        return self.folder / f"{self.name}.answer"

    def _said_of_itself(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._note.read_text("utf-8")))
        except (OSError, ValueError) as error:
            reason = tr("It is not known which process it is.")
            raise InputError(str(self._note), reason, tr("Wait until it has ended.")) from error

    def _last_words(self) -> str:
        try:
            return self.words.read_text("utf-8", errors="replace")
        except OSError:
            return ""


def find_refusal(words: str) -> InputError | None:
    """The error that ended the trainer, from what it wrote on standard error."""
    lines = [line for line in words.splitlines() if line.strip() and not line.startswith("{")]
    for line in reversed(lines):
        if line.startswith(_PREFIX):
            source, _, message = line.removeprefix(_PREFIX).partition(": ")
            return InputError(source, message or source)
    if lines and not lines[-1].startswith("stopped;"):
        return InputError("trainer", tr("The trainer broke off: {line}.", line=lines[-1]))
    return None


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _is_held(path: Path) -> bool:
    """Whether a process has a lock on the file."""
    try:
        if sys.platform == "win32":
            path.rename(path)  # refused while another process has it open
            return False
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except (BlockingIOError, PermissionError):
        return True
    return False
