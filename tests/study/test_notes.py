"""Notes: sentences for readers that programs can read too."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import dicom_files as files
import pytest

from tumorviewer import language
from tumorviewer.language import later
from tumorviewer.study import open_paths
from tumorviewer.study.notes import Note, make_note


def test_a_note_is_a_sentence_with_a_code_and_values() -> None:
    note = make_note("infinite", later("{n} voxels are infinite."), n=3)
    assert note == "3 voxels are infinite."
    told = {"code": "infinite", "text": "3 voxels are infinite.", "values": {"n": 3}}
    assert json.loads(json.dumps(note.to_json())) == told


def test_a_note_goes_whole_to_another_process() -> None:
    note = make_note("infinite", later("{n} voxels are infinite."), n=3)
    copy = pickle.loads(pickle.dumps(note))
    assert isinstance(copy, Note)
    assert copy.to_json() == note.to_json()


def test_codes_are_the_same_in_every_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in (0, 1, 2, 4):
        files.save(files.instance(index), tmp_path / f"{index}.dcm")
    told = []
    for spoken in ("en", "tr"):
        monkeypatch.setenv(language.VARIABLE, spoken)
        language.current_language.cache_clear()
        told += open_paths([tmp_path]).studies[0].series[0].volumes[0].notes
    language.current_language.cache_clear()
    assert [note.code for note in told] == ["missing_slices"] * 2
    assert told[0] != told[1]
