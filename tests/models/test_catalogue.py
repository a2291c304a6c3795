"""The catalogue: shipped and own models, damaged ones listed, names that are only names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tumorviewer import resources
from tumorviewer.errors import InputError
from tumorviewer.models.catalogue import Catalogue


@pytest.fixture
def shipped(random_bundle: Path, tmp_path: Path) -> Path:
    root = tmp_path / "shipped"
    shutil.copytree(random_bundle, root / "random")
    (root / "DEFAULT").write_text("random\n")
    return root


@pytest.fixture
def own(random_bundle: Path, tmp_path: Path) -> Path:
    root = tmp_path / "own"
    shutil.copytree(random_bundle, root / "mine")
    path = root / "mine" / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"name": "mine"}))
    return root


def test_both_folders_are_listed(own, shipped) -> None:
    catalogue = Catalogue(own, shipped)
    assert [card.name for card in catalogue.cards()] == ["mine", "random"]
    assert catalogue.folder("mine") == own / "mine"
    assert catalogue.default() == "random"


def test_own_models_and_choice_come_first(own, shipped) -> None:
    shutil.copytree(shipped / "random", own / "random")
    (own / "DEFAULT").write_text("mine")
    catalogue = Catalogue(own, shipped)
    assert catalogue.folder("random") == own / "random"
    assert len(catalogue.entries()) == 2
    assert catalogue.default() == "mine"


def test_damaged_models_do_not_hide_the_others(own, shipped) -> None:
    (own / "broken").mkdir()
    (own / "Bad Name").mkdir()
    (own / ".mine.0123").mkdir()
    shutil.copytree(own / "mine", own / "renamed")
    catalogue = Catalogue(own, shipped)
    problems = {entry.name: entry.problem for entry in catalogue.entries() if entry.problem}
    assert sorted(problems) == ["Bad Name", "broken", "renamed"]
    assert "card names the model mine" in str(problems["renamed"])
    assert [card.name for card in catalogue.cards()] == ["mine", "random"]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../shipped/random", "/etc", "random/", "RANDOM", "a\0b"]
)
def test_names_are_only_names(own, shipped, name) -> None:
    with pytest.raises(InputError, match="Known are mine, random"):
        Catalogue(own, shipped).folder(name)


def test_a_default_that_is_gone_is_said(own, shipped) -> None:
    shutil.rmtree(shipped / "random")
    with pytest.raises(InputError, match="no model of that name"):
        Catalogue(own, shipped).default()
    (shipped / "DEFAULT").unlink()
    with pytest.raises(InputError, match="None is chosen"):
        Catalogue(own, shipped).default()


def test_nothing_there_is_no_error(tmp_path) -> None:
    assert Catalogue(tmp_path / "a", tmp_path / "b").entries() == ()


def test_home_can_be_put_elsewhere(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(resources.HOME_VARIABLE, str(tmp_path))
    assert resources.home_path("models") == tmp_path / "models"
    monkeypatch.delenv(resources.HOME_VARIABLE)
    assert resources.home_path().is_absolute()


def test_resources_are_found() -> None:
    assert resources.resource_path().is_dir()
