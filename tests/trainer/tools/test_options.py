from __future__ import annotations

import tomllib

import pytest

from trainer.runs import config
from trainer.runs.config import Config
from trainer.tools.options import build_settings, describe_options, export_plain, export_toml
from trainer.unsupervised.generator import GeneratorConfig
from trainer.unsupervised.pretrain import PretrainConfig
from tumorviewer.errors import InputError


def test_every_default_is_written_and_read_back():
    text = export_toml(Config())
    assert build_settings(Config, tomllib.loads(text), "defaults") == Config()
    for table in export_plain(Config()).values():
        assert all(f"\n{key} = " in text for key in table)


@pytest.mark.parametrize("kind", [Config, PretrainConfig, GeneratorConfig])
def test_every_setting_says_what_it_means(kind):
    options = describe_options(kind())
    assert [one["name"] for one in options if len(one["description"]) < 8] == []
    file = export_toml(kind())
    assert all(f"# {one['description']}\n" in file for one in options)


def test_a_file_and_overrides_change_the_defaults(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('[model]\narchitecture = "light"\noptions = { width = 8 }\n')
    read = config.read_config(
        path, ["training.lr=1", "model.options.dropout=0.1", "split.validation=none"]
    )
    assert read.model.options == {"width": 8, "dropout": 0.1}
    assert read.training.lr == 1.0
    assert read.split.validation == "none"
    assert read.preprocessing == Config().preprocessing


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[training]\nepoch = 3", "'training.epoch'. Did you mean 'epochs'"),
        ("[trainin]\nepochs = 3", "'trainin'. Did you mean 'training'"),
        ("training = 3", "is a table"),
        ('[training]\nepochs = "3"', "must be int"),
        ("[training]\nepochs = true", "must be int"),
        ("[training]\nepochs = 0", "at least 1"),
        ('[training]\noptimiser = "adam"', "one of adamw, sgd"),
        ('[split]\nvalidation = "fold 5"', "count from 0 to 4"),
        ('[split]\nvalidation = "third"', "must be"),
        ("[data]\nclasses = [1]", "must hold str only"),
        ("[training", "cannot be read"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, reason):
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=reason):
        config.read_config(path)


def test_an_override_needs_a_table_and_a_value():
    with pytest.raises(InputError, match=r"table\.key=value"):
        config.read_config(None, ["epochs=3"])
