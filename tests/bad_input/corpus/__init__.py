"""Some hundred bad and odd files, made by code, each with what opening it must answer."""

from __future__ import annotations

import warnings

from corpus import archives, damaged, dicoms, niftis, picture_files, places, strange
from corpus.case import Case

CASES: dict[str, Case] = {}
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pydicom's and Pillow's, of what is made wrong on purpose
    for _module in (damaged, strange, niftis, picture_files, dicoms, archives, places):
        for _case in _module.cases():
            if _case.name in CASES:
                raise ValueError(_case.name)
            CASES[_case.name] = _case
