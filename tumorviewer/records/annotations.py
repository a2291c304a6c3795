"""Measurements and notes on the pixels, in patient space, saved as they are drawn."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row

from tumorviewer.records.entries import Annotation, digest_json
from tumorviewer.records.storage.tables import annotation_table
from tumorviewer.records.store import RecordStore, current_time, key_of


class Annotations:
    """Keeps the annotations of each study. They stay when their series is gone: the window lists
    those whose :attr:`Annotation.volume` it does not find."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def save(self, study: int, mark: Annotation) -> None:
        """Keep an annotation, in place of the one of the same id."""
        document = asdict(mark)
        values = {"study": study, "time": current_time(), "document": json.dumps(document)}
        with self._store.writing() as connection:
            key = key_of(connection, study)
            changed = connection.execute(
                annotation_table.update()
                .where(annotation_table.c.id == mark.id, annotation_table.c.study == study)
                .values(values)
            )
            if not changed.rowcount:
                connection.execute(annotation_table.insert().values(id=mark.id, **values))
            action = "changed mark" if changed.rowcount else "marked"
            self._store.note(connection, action, key, mark=mark.id, sha256=digest_json(document))

    def remove(self, study: int, identifier: str) -> None:
        """Delete an annotation; nothing happens if there is none."""
        with self._store.writing() as connection:
            key = key_of(connection, study)
            gone = connection.execute(
                annotation_table.delete().where(
                    annotation_table.c.id == identifier, annotation_table.c.study == study
                )
            )
            if gone.rowcount:
                self._store.note(connection, "removed mark", key, mark=identifier)

    def on_study(self, study: int) -> list[Annotation]:
        """The annotations of a study, in no order that means something."""
        query = (
            sa.select(annotation_table)
            .where(annotation_table.c.study == study)
            .order_by(annotation_table.c.id)
        )
        with self._store.reading() as connection:
            return [_mark(row) for row in connection.execute(query)]


def _mark(row: Row[Any]) -> Annotation:
    content = json.loads(row.document)
    x_y_z = tuple(tuple(point) for point in content["points_mm"])
    return Annotation(**content | {"points_mm": x_y_z})
