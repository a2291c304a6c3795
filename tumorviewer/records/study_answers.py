"""What the models said of whole studies: the answer, its candidates and their outlines."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorviewer.analysis.whole_study.study_answer import StudyAnswer
from tumorviewer.export.study_json import study_answer_from_json, study_answer_to_json
from tumorviewer.records.entries import digest_json
from tumorviewer.records.states import find_latest_answer, refresh_worklist, stamp_study
from tumorviewer.records.storage.tables import study_answers
from tumorviewer.records.store import RecordStore, current_time, key_of


class StudyAnswers:
    """Keeps the answers for studies; the latest counts, as long as no file has changed since."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def add(self, study: int, answer: StudyAnswer) -> None:
        """Keep an answer; the worklist then shows and sorts by it."""
        document = study_answer_to_json(answer) | {"labels": dict(answer.labels)}
        packed = _pack([one.packed for one in answer.candidates])
        with self._store.writing() as connection:
            key = key_of(connection, study)
            row = {
                "study": study,
                "stamp": stamp_study(connection, study),
                "time": current_time(),
                "answer": answer.answer,
                "document": json.dumps(document),
                "masks": packed,
            }
            connection.execute(study_answers.insert().values(row))
            refresh_worklist(connection, study)
            self._store.note(
                connection, "study answered", key,
                sha256=digest_json(document), outlines=hashlib.sha256(packed).hexdigest(),
            )  # fmt: skip

    def latest(self, study: int) -> StudyAnswer | None:
        """The last answer for a study as it is now."""
        with self._store.reading() as connection:
            row = find_latest_answer(connection, study)
        if row is None:
            return None
        document = json.loads(row.document)
        return study_answer_from_json(document, _unpack(row.masks), document["labels"])


def _pack(masks: list[NDArray[np.uint8]]) -> bytes:
    stream = io.BytesIO()
    arrays: dict[str, Any] = {str(at): mask for at, mask in enumerate(masks)}
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def _unpack(packed: bytes) -> list[NDArray[np.uint8]]:
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        return [arrays[str(at)] for at in range(len(arrays.files))]
