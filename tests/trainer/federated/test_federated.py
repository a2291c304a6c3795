"""Training between sites: what is averaged, what is refused, and two real sites on loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from processes import start_command

from trainer import cli
from trainer.federated.federation import Federation, _begun, _flower, _strategy, serve_federation
from trainer.federated.rounds import (
    build_initial_network,
    export_arrays,
    load_arrays,
    make_local_settings,
)
from trainer.runs.config import Config, DataSettings, ModelSettings
from trainer.runs.run_context import RunContext
from trainer.tools.progress import Progress
from trainer.training import checkpoint
from trainer.training.optimise import TrainingSettings
from tumorviewer.errors import InputError
from tumorviewer.models import weights

CONFIG = Config(
    data=DataSettings(classes=("disc", "ring", "square")),
    model=ModelSettings("light", {"width": 8}),
)
SMALL = [
    "--set=preprocessing.size=32",
    "--set=model.architecture=light",
    "--set=model.options.width=8",
    "--set=training.epochs=1",
    "--set=training.batch=8",
]
QUIET = Progress("none")


def answer(arrays, items):
    from flwr.common import ndarrays_to_parameters

    parameters = ndarrays_to_parameters(arrays)
    return None, SimpleNamespace(
        parameters=parameters, num_examples=items, metrics={"items": items}
    )


@pytest.fixture
def strategy(tmp_path):
    _flower()
    run = RunContext(tmp_path, torch.device("cpu"), QUIET)
    network, state = _begun(CONFIG, run)
    todo = Federation("127.0.0.1:1", 2, 5)
    return network, state, _strategy(network, state, todo, CONFIG, run)


def test_the_average_is_weighted_by_items_and_kept(strategy, tmp_path):
    network, state, averaging = strategy
    ones = [np.ones_like(array) for array in export_arrays(network)]
    fives = [5 * one for one in ones]
    averaging.aggregate_fit(1, [answer(ones, 30), answer(fives, 10)], [])
    assert all((array == 2).all() for array in export_arrays(network))
    stored = checkpoint.read_checkpoint(tmp_path / "round.safetensors")
    assert stored.notes["round"] == state.finished == 1
    assert [site["items"] for site in stored.notes["sites"]] == [30, 10]
    resumed, again = _begun(CONFIG, RunContext(tmp_path, torch.device("cpu"), QUIET, resume=True))
    assert again.finished == 1
    assert all((array == 2).all() for array in export_arrays(resumed))


def test_a_round_that_is_not_whole_changes_nothing_and_ends_it(strategy, tmp_path):
    network, state, averaging = strategy
    before = [array.copy() for array in export_arrays(network)]
    assert averaging.aggregate_fit(1, [answer(before, 30)], [RuntimeError()]) == (None, {})
    assert "a site failed" in state.problem.lower()
    assert averaging.configure_fit(2, None, None) == []
    assert all(map(np.array_equal, before, export_arrays(network)))
    assert not (tmp_path / "round.safetensors").exists()


def test_weights_that_are_not_finite_or_of_another_network_are_refused(strategy):
    network, state, averaging = strategy
    good = export_arrays(network)
    bad = [array * np.nan if array.dtype.kind == "f" else array for array in good]
    averaging.aggregate_fit(1, [answer(good, 30), answer(bad, 10)], [])
    assert "not finite" in state.problem
    other = build_initial_network(replace(CONFIG, model=ModelSettings("light", {"width": 16})))
    with pytest.raises(InputError, match="another network"):
        load_arrays(network, export_arrays(other))


def test_the_rate_of_a_round_follows_the_schedule_over_the_rounds():
    settings = TrainingSettings(epochs=2, lr=1.0, warmup_epochs=1.0, final_lr=0.1)
    rates = [make_local_settings(settings, number, 10).lr for number in range(10)]
    assert rates[0] == pytest.approx(0.5)
    assert rates[1] == 1.0
    assert all(a > b for a, b in pairwise(rates[1:]))
    assert {make_local_settings(settings, number, 10).seed for number in range(10)} == set(
        range(1, 11)
    )


def test_no_listening_beyond_loopback_without_certificates(tmp_path):
    todo = Federation("0.0.0.0:0", 2, 1)
    with pytest.raises(InputError, match="unencrypted"):
        serve_federation(todo, CONFIG, RunContext(tmp_path, torch.device("cpu"), QUIET))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.mark.slow
def test_a_killed_server_goes_on_with_the_same_sites(shapes, cache, tmp_path):
    address = f"--address=127.0.0.1:{free_port()}"
    server, kept = tmp_path / "server", tmp_path / "server" / "round.safetensors"
    serving = ["serve", "--classes=disc,ring,square", "--sites=1", "--rounds=3", *SMALL]
    serving += [f"--out={server}", address, "--progress=none"]
    joining = ["join", str(shapes), f"--out={tmp_path / 'site'}", f"--cache={cache}", address]
    site = start_command("federate", *joining, "--progress=none")
    first = start_command("federate", *serving)
    try:
        while not kept.is_file():
            assert first.is_alive()
            time.sleep(0.02)
        os.kill(first.pid, signal.SIGKILL)
        first.join()
        reached = checkpoint.read_checkpoint(kept).notes["round"]
        resumed = start_command("federate", *serving, "--resume")
        for process in (resumed, site):
            process.join()
            assert process.exitcode == 0
    finally:
        site.kill()
        first.kill()
    assert 1 <= reached <= 3
    assert checkpoint.read_checkpoint(kept).notes["round"] == 3
    assert json.loads((tmp_path / "site" / "audit.json").read_text())


@pytest.mark.slow
def test_two_sites_on_loopback_beside_pooled_and_single_training(shapes, cache, tmp_path):
    arguments = ["federate", "example", str(shapes), "--rounds=2", f"--out={tmp_path}"]
    arguments += [f"--cache={cache}", "--set=split.folds=3", "--progress=none", *SMALL]
    assert cli.main(arguments) == 0
    result = json.loads((tmp_path / "comparison.json").read_text())
    assert list(result["figures"]) == ["federated", "pooled", "site 0 alone", "site 1 alone"]
    assert {figures["n"] for figures in result["figures"].values()} == {12}
    assert sum(result["site_items"]) == 24
    card, network = weights.load_weights(tmp_path / "server" / "bundle")
    assert [site["items"] for site in card.training["data"]["sites"]] == result["site_items"]
    assert not torch.equal(
        network.state_dict()["head.3.weight"], build_initial_network(CONFIG).head[3].weight
    )
    seen = {path.name for path in (tmp_path / "server").iterdir()}
    assert seen == {"bundle", "config.toml", "round.safetensors"}


def test_the_server_needs_classes(tmp_path):
    with pytest.raises(InputError, match="agree on classes"):
        serve_federation(
            Federation("127.0.0.1:0", 2, 1),
            Config(),
            RunContext(tmp_path, torch.device("cpu"), QUIET),
        )
