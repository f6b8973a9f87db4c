"""The deployment files of docs/cluster: what can be told of them without a cluster."""

from __future__ import annotations

import argparse
import configparser
import importlib
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from srcnn.commands import runs
from srcnn.commands.search_flags import search_parser

from checkout import ROOT

DOCS = ROOT / "docs"
FILES = sorted(file for file in (DOCS / "cluster").iterdir() if file.is_file() and file.name != ".env")
PAGE = DOCS / "cluster.md"


def load(name: str) -> list[Any]:
    return list(yaml.safe_load_all((DOCS / "cluster" / name).read_text(encoding="utf-8")))


def text_of(file: Path) -> str:
    """With the lines joined that a backslash continues."""
    return re.sub(r"\\\n\s*#?\s*", " ", file.read_text(encoding="utf-8"))


def flags_of(parser: argparse.ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings}


def named_flags(command: str, text: str) -> set[str]:
    """The flags behind every mention of a command, up to the end of the command."""
    ends = (match[1] for match in re.finditer(command + r"([^;|&`'\n]*)", text))
    return {flag for end in ends for flag in re.findall(r"(?<!\S)--[a-z][a-z-]*", end)}


@pytest.mark.parametrize("file", [f for f in FILES if f.suffix == ".yaml"], ids=lambda file: file.name)
def test_yaml_parses(file: Path) -> None:
    assert all(isinstance(document, dict) for document in load(file.name))


def test_ray_accepts_its_cluster_file() -> None:
    util = importlib.import_module("ray.autoscaler._private.util")
    if not (hasattr(util, "validate_config") and hasattr(util, "prepare_config")):
        pytest.skip("this Ray has its validation elsewhere")
    (config,) = load("ray-cluster.yaml")
    util.validate_config(util.prepare_config(config))  # raises


def test_ray_asks_for_its_token_and_the_firewall_knows_its_ports() -> None:
    (config,) = load("ray-cluster.yaml")
    provider = config["provider"]
    starts = [config[f"{kind}_start_ray_commands"][-1] for kind in ("head", "worker")]
    assert all("RAY_AUTH_MODE=token" in start for start in starts)
    assert f"--node-ip-address={provider['head_ip']}" in starts[0]
    assert "--dashboard-host=127.0.0.1" in starts[0]
    firewall = (DOCS / "cluster" / "ray-firewall.nft").read_text(encoding="utf-8")
    allowed = re.search(r"define cluster = \{ (.*) \}", firewall)
    closed = re.search(r"tcp dport \{ (.*) \} drop", firewall)
    assert allowed and closed
    assert allowed[1].split(", ") == [provider["head_ip"], *provider["worker_ips"]]
    ranges = [(int(low), int(high or low)) for low, _, high in (part.partition("-") for part in closed[1].split(", "))]
    ports = {int(port) for start in starts for port in re.findall(r"-port=(\d+)", start)}
    assert len(ports) == 10
    assert all(any(low <= port <= high for low, high in ranges) for port in ports)


def test_the_batch_script_is_bash() -> None:
    file = DOCS / "cluster" / "search.sbatch"
    done = subprocess.run(["bash", "-n", str(file)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    text = file.read_text(encoding="utf-8")
    assert "export RAY_AUTH_MODE=token" in text
    assert '--name "$name" --resume "$name"' in text


def test_every_flag_exists() -> None:
    texts = [text_of(file) for file in (*FILES, PAGE)]
    named = {
        flag
        for text in texts
        for flag in named_flags(r"experiments/search\.py", text) | named_flags(r"search\.sbatch\s+\w+", text)
    }
    named |= set(re.findall(r"`(--[a-z][a-z-]*)", PAGE.read_text(encoding="utf-8")))  # in prose
    assert {"--address", "--storage", "--tracking-uri", "--name", "--resume", "--gpus-per-trial"} <= named
    assert named <= flags_of(search_parser(None))
    verify = {flag for text in texts for flag in named_flags(r"experiments/runs\.py verify", text)}
    assert verify
    assert verify <= flags_of(runs._parser())


def test_no_port_is_published_to_everybody() -> None:
    (compose,) = load("compose.yaml")
    services = compose["services"]
    assert services["mlflow"]["ports"] == ["${MLFLOW_HOST:-127.0.0.1}:5000:5000"]
    assert not services["postgres"].keys() & {"ports", "expose", "network_mode"}
    assert compose["networks"]["store"]["internal"] is True
    open_to_all = {
        (file.name, line.strip())
        for file in (*FILES, PAGE)
        for line in file.read_text(encoding="utf-8").splitlines()
        if re.search(r"\b0\.0\.0\.0\b|\[::\]|hostNetwork|hostPort|nodePort|NodePort|LoadBalancer", line)
    }
    # Inside its container the server must listen to what Docker passes on.
    inside = "- --host=0.0.0.0 # inside the container; what the machine publishes stands under ports"
    assert open_to_all == {("compose.yaml", inside)}
    unit = (DOCS / "cluster" / "mlflow.service").read_text(encoding="utf-8")
    assert "--host" not in unit  # MLFLOW_HOST, which ExecStartPre looks at
    assert "IPAddressDeny=any" in unit
    assert all("basic-auth" in text for text in (unit, " ".join(services["mlflow"]["command"])))


def test_kubernetes_shows_the_password_to_the_head_alone() -> None:
    claim, _, policy, job = load("kuberay-job.yaml")
    cluster = job["spec"]["rayClusterSpec"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert cluster["authOptions"] == {"mode": "token"}
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for group in groups:
        template = group["template"]
        assert template["metadata"]["labels"] == policy["spec"]["podSelector"]["matchLabels"]
        assert {"persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}, "name": "shared"} in template[
            "spec"
        ]["volumes"]
    (head,), *workers = (group["template"]["spec"]["containers"] for group in groups)
    assert [source["secretRef"]["name"] for source in head["envFrom"]] == ["srcnn-mlflow"]
    for (worker,) in workers:
        assert "envFrom" not in worker
        assert int(worker["resources"]["limits"]["nvidia.com/gpu"]) >= 1
    image = (DOCS / "cluster" / "search.Dockerfile").read_text(encoding="utf-8")
    assert f"rayproject/ray:{cluster['rayVersion']}-" in image
    assert f"=={cluster['rayVersion']}" in image


def test_no_password_is_written_down() -> None:
    example = (DOCS / "cluster" / "env.example").read_text(encoding="utf-8")
    given = dict(line.split("=", 1) for line in example.splitlines() if line and not line.startswith("#"))
    assert set(given.values()) == {""}
    compose = (DOCS / "cluster" / "compose.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(\w+)", compose)) == set(given)
    for name in given:  # a secret that is missing stops the start
        assert ("PASSWORD" in name or "KEY" in name) == (f"${{{name}:?" in compose)
    auth = configparser.ConfigParser()
    auth.read(DOCS / "cluster" / "mlflow-auth.ini", encoding="utf-8")
    assert not auth["mlflow"].get("admin_password")
    secret = re.compile(r"(?i)\b\w*(?:password|secret_key|auth_token)\b[\"\\]*[ \t]*[:=][ \t]*[\"\\]*([^\s\"\\]+)")
    for file in (*FILES, PAGE):
        for value in secret.findall(file.read_text(encoding="utf-8")):
            assert value.startswith(("$", "%s", "~/")), f"{file.name}: {value}"
        assert not re.search(r"://[^/\s@]+:[^/\s@]+@", file.read_text(encoding="utf-8")), file.name


def test_both_servers_have_the_same_mlflow() -> None:
    pins = [
        set(re.findall(r"mlflow\[auth\]==([\d.]+)", file.read_text(encoding="utf-8")))
        for file in (DOCS / "cluster" / "mlflow.Dockerfile", PAGE)
    ]
    assert pins[0] == pins[1]
    assert len(pins[0]) == 1
