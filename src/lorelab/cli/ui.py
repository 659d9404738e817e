"""``lorelab ui``: MLflow's own browser interface on this store, for this machine only."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from lorelab.errors import LorelabError, StoreError
from lorelab.tracking.database import artifact_root, experiment_id, resolve_uri, sqlite_path
from lorelab.tracking.mlflow_store import MLflowStore

HOST, PORT = "127.0.0.1", 5000


def main(argv: Sequence[str]) -> int:
    """Prints the address, then becomes MLflow's server; ends with Ctrl-C. Returns only if there is a server already."""
    args = _parser().parse_args(argv)
    uri = resolve_uri(args.uri)
    if uri.startswith("databricks"):
        raise StoreError(f"The store is '{uri}'; lorelab ui serves databases. Open it in the Databricks workspace.")
    if uri.startswith(("http:", "https:")):
        print(f"The store is a server already; open {uri}")
    else:
        _require_free(args.port)
        with suppress(StoreError):  # closes, as every command does, what SIGKILL left running
            MLflowStore(uri, experiment=None).runs(limit=1)
        print(f"{_address(uri, args.experiment, args.port)}\nCtrl-C stops it.", flush=True)
        _become_server(uri, args.port)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lorelab ui", description="Starts MLflow's browser interface on this store.")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--uri", help="the store (default MLFLOW_TRACKING_URI, else mlruns/mlflow.db in the checkout)")
    parser.add_argument("--experiment", default="lorelab", help="MLflow experiment to open at (default lorelab)")
    return parser


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise LorelabError(
                f"--port {port}: cannot listen on {HOST}:{port} ({error}). Another program has it, perhaps an earlier "
                f"lorelab ui; stop that, or choose another, e.g. lorelab ui --port {port + 1 if port < 65535 else 5001}"
            ) from error


def experiment_page(uri: str, experiment: str | None, port: int = PORT) -> str:
    """Where the interface shows an experiment; "" if it is not there yet or the store is no file of ours."""
    path = sqlite_path(uri)
    found = experiment_id(path, experiment) if path is not None and experiment else None
    return "" if found is None else f"http://{HOST}:{port}/#/experiments/{found}"


def _address(uri: str, experiment: str, port: int) -> str:
    """The page of the experiment's runs. An empty store is made ready first: MLflow's server would not lock it."""
    root = f"http://{HOST}:{port}/"
    if sqlite_path(uri) is None:
        return root
    if not (place := experiment_page(uri, experiment, port)):
        from lorelab.tracking.mlflow_client import connect

        connect(uri)
        return f"{root}\nThere are no runs of the experiment '{experiment}' yet. Train one: lorelab train"
    return f"{place}/runs?workflowType=machine_learning"


def _become_server(uri: str, port: int) -> NoReturn:
    from lorelab.tracking.mlflow_client import prepare_environment

    prepare_environment()
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # background jobs are for language-model evaluation
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    store = ["--backend-store-uri", uri, "--default-artifact-root", artifact_root(uri) or ""]
    quiet = ["--uvicorn-opts", "--log-level warning"]
    os.execv(sys.executable, command + store + quiet)
