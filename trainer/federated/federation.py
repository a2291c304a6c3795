"""Training between sites that keep their data, on Flower: weights travel, pictures do not.

Federated averaging (McMahan et al., AISTATS 2017): in each round every site trains the common
weights on its own items for some epochs, and the server averages what comes back, weighted by
items. Flower's single-port gRPC transport is used, which needs nothing but the two processes: its
SuperLink would install the site's code from an archive that the server sends. Arrays travel as
NumPy's own format without pickle. Without certificates the server listens on loopback only.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import time
import tomllib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trainer.audit import audit
from trainer.data.material import PreparedData
from trainer.federated.rounds import (
    Arrays,
    build_initial_network,
    export_arrays,
    load_arrays,
    train_round,
)
from trainer.runs import publish
from trainer.runs.config import Config
from trainer.runs.run_context import RunContext
from trainer.tools.atomic_files import write_json
from trainer.tools.options import build_settings, export_plain, export_toml
from trainer.training import checkpoint, initial_weights
from trainer.training.checkpoint import Checkpoint
from tumorviewer.errors import InputError
from tumorviewer.models import ModelCard
from tumorviewer.models import bundle as bundles
from tumorviewer.networks import Classifier

if TYPE_CHECKING:
    from flwr.common import Parameters, Scalar
    from flwr.server.client_proxy import ClientProxy

ROUND = "round.safetensors"
"""The averaged weights after the last whole round."""
AUDIT = "audit.json"
_PATIENCE = 600
"""Seconds that a site waits for a server that is not there, at the start or after a restart."""
_PAUSE = 1.0
"""Seconds between two tries."""


@dataclass(frozen=True)
class Federation:
    """What the server decides."""

    address: str
    """``HOST:PORT`` to listen on."""
    sites: int
    """A round begins when so many have joined."""
    rounds: int
    tls: tuple[Path, Path, Path] | None = None
    """Certificate of the authority, the server's own, and its key, PEM."""


@dataclass
class _State:
    """How far a federation is."""

    finished: int = 0
    """Rounds."""
    sites: list[dict[str, Any]] = field(default_factory=list)
    """Items and groups of each, as it says."""
    problem: str = ""


def serve_federation(todo: Federation, config: Config, run: RunContext) -> ModelCard:
    """Lead a federation to its last round and publish the common weights; no data are read.

    Raises
    ------
    InputError
        If a site fails or leaves (the last whole round is kept, ``resume`` goes on from it), the
        address is not loopback and there are no certificates, or the folder holds another run.
    """
    start_server = _flower().server.start_server
    from flwr.server import ServerConfig

    _check_address(todo)
    if not config.data.classes:
        raise InputError("[data]", "The sites must agree on classes.", "Give --classes A,B,…")
    run.claim(config, ROUND, "federation")
    network, state = _begun(config, run)
    if left := max(0, todo.rounds - state.finished):
        start_server(
            server_address=todo.address,
            config=ServerConfig(num_rounds=left),
            strategy=_strategy(network, state, todo, config, run),
            certificates=todo.tls and tuple(path.read_bytes() for path in todo.tls),
        )
    if state.problem:
        raise InputError("federation", state.problem, "Mend that and repeat with --resume.")
    return _publish(network, state, todo, config, run)


def _begun(config: Config, run: RunContext) -> tuple[Classifier, _State]:
    """The start, or the last whole round."""
    network = build_initial_network(config)
    if run.resume and (run.out / ROUND).is_file():
        stored = checkpoint.read_checkpoint(run.out / ROUND)
        network.load_state_dict(stored.tensors)
        return network, _State(stored.notes["round"], stored.notes["sites"])
    if config.model.initial_weights:
        initial_weights.start_from_weights(
            network, config.model.initial_weights, config.data.classes, fetch=run.fetch
        )
        if initial_weights.has_folded_norms(network):
            reason = "These weights need pictures to restore their statistics; a server has none."
            raise InputError(config.model.initial_weights, reason, "Start from another file.")
    return network, _State()


def join_federation(
    gathered: Callable[[Config], PreparedData],
    address: str,
    run: RunContext,
    authority: Path | None = None,
) -> None:
    """Take part with a site's own items until the server ends the federation.

    The site's audit stays in its own folder. The server learns the number of items and groups.

    Parameters
    ----------
    gathered
        The site's items, prepared as the server's configuration asks.
    authority
        Certificate of the authority that vouches for the server, PEM; without, no encryption.

    Raises
    ------
    InputError
        If the server cannot be reached, or asks for what this site cannot do.
    """
    start_client = _flower().client.start_client
    from grpc import RpcError  # type: ignore[import-untyped]

    contact = _Contact()
    site = _site(_once(gathered), run, contact)
    while not contact.is_over:
        try:
            start_client(
                server_address=address,
                client=site.to_client(),
                insecure=authority is None,
                root_certificates=authority and authority.read_bytes(),
            )
            contact.is_over = True
        except (RpcError, StopIteration) as error:
            if time.monotonic() - contact.heard > _PATIENCE:
                reason = f"There is no server, or none for {_PATIENCE // 60} minutes now."
                raise InputError(address, reason, "Join again when it is there.") from error
            time.sleep(_PAUSE)


@dataclass
class _Contact:
    """Of a site with its server."""

    is_over: bool = False
    heard: float = field(default_factory=time.monotonic)


def _once(gathered: Callable[[Config], PreparedData]) -> Callable[[Config], PreparedData]:
    kept: list[PreparedData] = []

    def first(config: Config) -> PreparedData:
        if not kept:
            kept.append(gathered(config))
        return kept[0]

    return first


def _flower() -> Any:
    """The library, silent, with its reports to its makers switched off."""
    os.environ["FLWR_TELEMETRY_ENABLED"] = "0"  # read when it is imported
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of its command line
            import flwr
            import flwr.client
            import flwr.server
            import flwr.server.strategy
    except ImportError as error:
        remedy = "Install it: pip install tumorviewer[federated]"
        raise InputError("flwr", "Federated training needs Flower.", remedy) from error
    logging.getLogger("flwr").setLevel(logging.CRITICAL)
    return flwr


def _check_address(todo: Federation) -> None:
    host = todo.address.rpartition(":")[0].strip("[]")
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not local and todo.tls is None:
        remedy = "Give --tls CA CERTIFICATE KEY, or listen on 127.0.0.1."
        raise InputError(todo.address, "Weights would travel unencrypted.", remedy)


def _site(
    gathered: Callable[[Config], PreparedData],
    run: RunContext,
    contact: _Contact,
) -> Any:
    from flwr.client import NumPyClient

    class Site(NumPyClient):
        """Trains on its own items when asked to."""

        def fit(
            self, parameters: Arrays, config: dict[str, Scalar]
        ) -> tuple[Arrays, int, dict[str, Scalar]]:
            contact.heard = time.monotonic()
            answer = _answer(gathered, parameters, config, run)
            contact.heard = time.monotonic()
            return answer

    return Site()


def _answer(
    gathered: Callable[[Config], PreparedData],
    arrays: Arrays,
    asked: dict[str, Scalar],
    run: RunContext,
) -> tuple[Arrays, int, dict[str, Scalar]]:
    """What a site sends back in a round: weights, the number of items, and of groups."""
    number, rounds = int(asked["round"]), int(asked["rounds"])
    config = build_settings(
        Config, tomllib.loads(str(asked["config"])), "the server's configuration"
    )
    material = gathered(config)
    if not (run.out / AUDIT).is_file():
        write_json(run.out / AUDIT, audit.summarise_audit(material))
    network, items = build_initial_network(config), len(material.dataset.items)
    load_arrays(network, arrays)
    train_round(network, material, np.arange(items), config, (number, rounds), run)
    run.progress("round", number + 1, rounds)
    groups = len(np.unique(material.groups))
    return export_arrays(network), items, {"items": items, "groups": groups}


def _strategy(
    network: Classifier,
    state: _State,
    todo: Federation,
    config: Config,
    run: RunContext,
) -> Any:
    """Averaging weighted by items; a round that is not whole ends the federation."""
    from flwr.common import ndarrays_to_parameters, parameters_to_ndarrays
    from flwr.server.strategy import FedAvg

    class Averaging(FedAvg):
        def configure_fit(
            self, server_round: int, parameters: Parameters, client_manager: Any
        ) -> Any:
            if state.problem:
                return []
            return super().configure_fit(server_round, parameters, client_manager)

        def aggregate_fit(
            self, server_round: int, results: list[tuple[ClientProxy, Any]], failures: list[Any]
        ) -> tuple[Parameters | None, dict[str, Scalar]]:
            try:
                if failures or len(results) < todo.sites:
                    raise InputError("federation", "A site failed or left.")  # noqa: TRY301
                for _, answer in results:
                    load_arrays(network, parameters_to_ndarrays(answer.parameters))
            except (InputError, ValueError) as error:
                reason = error.reason if isinstance(error, InputError) else str(error)
                state.problem = f"Round {state.finished + 1} of {todo.rounds}: {reason}"
                return None, {}
            averaged, metrics = super().aggregate_fit(server_round, results, failures)
            assert averaged is not None
            load_arrays(network, parameters_to_ndarrays(averaged))
            state.finished += 1
            state.sites = [dict(answer.metrics) for _, answer in results]
            notes = {"round": state.finished, "sites": state.sites}
            checkpoint.write_checkpoint(run.out / ROUND, Checkpoint(network.state_dict(), notes))
            run.progress("round", state.finished, todo.rounds)
            return averaged, metrics

    text, before = export_toml(config), state.finished
    return Averaging(
        fraction_evaluate=0,
        min_fit_clients=todo.sites,
        min_available_clients=todo.sites,
        on_fit_config_fn=lambda number: {
            "round": before + number - 1,
            "rounds": todo.rounds,
            "config": text,
        },
        fit_metrics_aggregation_fn=lambda _answers: {},
        accept_failures=False,
        inplace=False,  # in place it drops the fractions of counters
        initial_parameters=ndarrays_to_parameters(export_arrays(network)),
    )


def _publish(
    network: Classifier, state: _State, todo: Federation, config: Config, run: RunContext
) -> ModelCard:
    named = f"federated-{config.model.architecture}"
    card = replace(
        publish.make_blank_card(config, config.data.classes, named),
        training={
            "data": {"name": config.data.name, "sites": state.sites},
            "selection": (
                f"Federated averaging, {todo.rounds} rounds between {todo.sites} sites; the last "
                "round. No figures and no temperature: the server has no data; each site judges "
                "it on its own held-out items with `tumorviewer-train evaluate`."
            ),
            "config": export_plain(config),
            **publish.describe_provenance(run.device, run.command),
        },
    )
    return bundles.write_bundle(run.out / "bundle", card, network.state_dict())
