"""What a long job says while it runs: lines for people, or JSON lines for a program."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, TextIO


class Progress:
    """Reports stages of a job on a stream.

    In the form ``"json"`` a line is one object, either ``{"stage": "note", "text": …}`` or
    ``{"stage", "done", "total", "seconds_left", …}``: ``done`` of ``total`` steps of ``stage``
    are over and the rest takes ``seconds_left`` (null while that is not known). Stages are
    ``reading`` and the like, a line a second at most, ``fold``, a line before each fold of a
    cross-validation, and ``epoch``, a line for every epoch with its figures: ``loss``,
    ``seconds``, and where there is a validation part ``log_loss``, ``accuracy`` and ``macro_f1``.
    A window draws its curves from these; the epochs before a resumed run's first line stand in
    the run's ``log.jsonl`` under the same names.

    Parameters
    ----------
    form
        ``"human"``: a line a second at most, with the time left; ``"json"``: one object a line;
        ``"none"``.
    stream
        Standard error unless given, so that results on standard output stay clean.
    """

    def __init__(self, form: str = "human", stream: TextIO | None = None) -> None:
        self._form = form
        self._stream = stream or sys.stderr
        self._stage = ""
        self._started = (0.0, 0)
        self._said = 0.0

    def __call__(self, stage: str, done: int, total: int, **values: Any) -> None:
        """``done`` of ``total`` steps of ``stage`` are over; ``values`` were measured."""
        now = time.monotonic()
        if stage != self._stage:
            self.begin(stage, done)
        if not values and done < total and now - self._said < 1.0:
            return
        self._said = now
        since, first = self._started
        left = (now - since) / (done - first) * (total - done) if done > first else None
        self._write(stage, done, total, left, values)

    def begin(self, stage: str, done: int) -> None:
        """``stage`` begins at step ``done``; its time counts from here."""
        self._stage, self._started, self._said = stage, (time.monotonic(), done), 0.0

    def say(self, text: str) -> None:
        """One remark."""
        if self._form == "json":
            self._line(json.dumps({"stage": "note", "text": text}))
        elif self._form == "human":
            self._line(text)

    def _write(
        self, stage: str, done: int, total: int, left: float | None, values: dict[str, Any]
    ) -> None:
        if self._form == "json":
            record = {"stage": stage, "done": done, "total": total, "seconds_left": left}
            self._line(json.dumps(record | values))
        elif self._form == "human":
            measured = "".join(f"  {name} {_short(value)}" for name, value in values.items())
            remaining = f"  {_duration(left)} left" if left is not None and done < total else ""
            self._line(f"{stage} {done}/{total}{measured}{remaining}")

    def _line(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
