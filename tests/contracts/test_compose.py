"""docker-compose.yml and what it mounts: valid, on the loopback only, and in step with the rest of the house."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from connectors.channels.kinds import kind_named
from schemas.policies import policy_of_text
from streams.cli.root import COMMANDS
from streams.local.jars import kafka_version
from streams.settings import Settings
from streams.sink.settings import SinkSettings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name for name, service in SERVICES.items() if service["image"].startswith("atstream:")}


def specification() -> dict[str, Any]:
    found = importlib.util.find_spec("check_jsonschema")  # a package of data for us: nothing of it is run
    if found is None or found.origin is None:
        pytest.skip("check-jsonschema is not installed: it brings the compose specification")
    bundled = Path(found.origin).parent / "builtin_schemas" / "vendor" / "compose-spec.json"
    content: dict[str, Any] = json.loads(bundled.read_text())
    return content


def problems(document: dict[str, Any]) -> list[str]:
    return [
        f"{error.json_path}: {error.message}"
        for error in Draft202012Validator(specification()).iter_errors(document)
    ]


def test_the_file_follows_the_compose_specification() -> None:
    assert problems(COMPOSE) == []


def test_the_specification_would_find_a_mistake() -> None:
    broken = {"services": {"kafka": {"image": "x", "helthcheck": {}, "depends_on": 3}}}
    assert len(problems(broken)) >= 1


def test_the_whole_stack_is_there() -> None:
    images = " ".join(service["image"].partition(":")[0] for service in SERVICES.values())
    for part in ("apache/kafka", "schema-registry", "valkey", "prometheus", "grafana"):
        assert part in images
    started = {shlex.join(service.get("command", [])) for name, service in SERVICES.items() if name in OURS}
    assert {"worker", "sink web"} <= started


@pytest.mark.parametrize("service", SERVICES)
def test_every_published_port_is_on_the_loopback(service: str) -> None:
    for port in SERVICES[service].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+:-\d+\}:\d+", port), port


@pytest.mark.parametrize("service", SERVICES)
def test_every_image_is_pinned(service: str) -> None:
    _, _, tag = SERVICES[service]["image"].rpartition(":")
    assert tag == "local" if service in OURS else re.search(r"\d+\.\d+", tag), SERVICES[service]["image"]


@pytest.mark.parametrize("service", sorted(set(SERVICES) - OURS))
def test_every_service_that_others_use_says_when_it_is_healthy(service: str) -> None:
    check = SERVICES[service]["healthcheck"]
    assert {"test", "interval", "timeout", "retries"} <= check.keys()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_waits_for_services_that_can_tell(service: str) -> None:
    for needed, how in SERVICES[service].get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[needed]
        else:
            assert how["condition"] == "service_completed_successfully"
            assert SERVICES[needed]["restart"] == "no"


@pytest.mark.parametrize("service", SERVICES)
def test_every_mount_exists(service: str) -> None:
    for volume in SERVICES[service].get("volumes", []):
        source = volume.split(":")[0]
        assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], volume


@pytest.mark.parametrize("service", sorted(OURS))
def test_every_setting_of_ours_exists(service: str) -> None:
    for name in SERVICES[service]["environment"]:
        if name.startswith("ATSTREAM_SINK__"):
            kind = kind_named(SERVICES[service]["environment"]["ATSTREAM_SINK__KIND"])
            known = {*SinkSettings.model_fields, *kind.settings.model_fields}
            assert name.removeprefix("ATSTREAM_SINK__").lower() in known
            continue
        group, _, field = name.removeprefix("ATSTREAM_").lower().partition("__")
        assert group in Settings.model_fields, name
        if field:
            nested = Settings.model_fields[group].annotation
            assert nested is not None
            assert field in nested.model_fields, name


def test_addresses_between_containers_name_services() -> None:
    told = [value for service in SERVICES.values() for value in service.get("environment", {}).values()]
    prometheus = yaml.safe_load((ROOT / "ops/prometheus/prometheus.yml").read_text())
    told += [
        target
        for job in prometheus["scrape_configs"]
        for each in job.get("static_configs", [])
        for target in each["targets"]
    ]
    sources = yaml.safe_load((ROOT / "ops/grafana/provisioning/datasources/prometheus.yaml").read_text())
    told += [source["url"] for source in sources["datasources"]]
    hosts = {host for value in told for host in re.findall(r"(?:^|//|@)([a-z][a-z-]*):\d+", str(value))}
    assert hosts <= {*SERVICES, "localhost"}
    assert {"kafka", "registry", "prometheus", "grafana"} <= hosts


def test_prometheus_finds_every_worker_on_its_admin_port() -> None:
    prometheus = yaml.safe_load((ROOT / "ops/prometheus/prometheus.yml").read_text())
    [found] = next(job for job in prometheus["scrape_configs"] if job["job_name"] == "worker")["dns_sd_configs"]
    assert set(found["names"]) <= SERVICES.keys()
    settings = SERVICES["worker"]["environment"]
    assert settings["ATSTREAM_WORKER__ADMIN_PORT"] == str(found["port"])
    assert "ports" not in SERVICES["worker"]


def test_the_deploy_step_calls_commands_that_exist() -> None:
    script = (ROOT / "ops/compose/deploy.sh").read_text()
    calls = re.findall(r"^atstream ([a-z]+)", script, re.MULTILINE)
    assert calls == ["topics", "schemas", "policy"]
    assert set(calls) <= COMMANDS.keys()


def test_the_policy_that_is_deployed_is_valid_and_has_a_channel_for_each_sink() -> None:
    policy = policy_of_text((ROOT / "ops/compose/policy.yaml").read_text())
    sinks = {each["command"][1] for each in SERVICES.values() if each.get("command", [""])[0] == "sink"}
    assert sinks == set(policy.channels)


def test_compose_and_the_local_profile_run_the_same_kafka() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{kafka_version()}"


def test_the_image_is_built_with_the_uv_of_the_makefile_from_every_package() -> None:
    dockerfile, makefile = (ROOT / "Dockerfile").read_text(), (ROOT / "Makefile").read_text()
    version = re.search(r"^UV_VERSION := (\S+)$", makefile, re.MULTILINE)
    assert version is not None
    assert f"uv=={version.group(1)}" in dockerfile
    kept = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = {
        word
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE)
        for word in line.split()
    }
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert copied == kept
    assert packages <= copied
