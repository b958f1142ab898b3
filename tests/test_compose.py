"""docker-compose.yml and Dockerfile agree with the code they run, as far as can be told without Docker."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from typer.main import get_command

from streams.kafka_broker import LARGEST_MESSAGE_BYTES
from streams.kafka_jars import kafka_version
from streams.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text(encoding="utf-8"))
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ENGINES = ("kafka", "clickhouse")
KASSA = tuple(name for name in SERVICES if name not in ENGINES)


def environment(service: str) -> dict[str, str]:
    """As the container would see it, with a value in place of what must come from .env."""
    wanted = SERVICES[service]["environment"]
    return {name: re.sub(r"\$\{[^}]+\}", "from .env", str(value)) for name, value in wanted.items()}


@pytest.mark.parametrize("service", SERVICES)
def test_images_are_pinned_to_a_version(service: str) -> None:
    assert re.search(r":\d+(\.\d+)+$", SERVICES[service]["image"])


def test_the_broker_is_the_one_that_tests_run() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{kafka_version()}"
    assert int(environment("kafka")["KAFKA_MESSAGE_MAX_BYTES"]) == LARGEST_MESSAGE_BYTES
    assert len(base64.urlsafe_b64decode(environment("kafka")["CLUSTER_ID"] + "==")) == 16


@pytest.mark.parametrize("service", ENGINES)
def test_engines_say_when_they_serve(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"]
    assert SERVICES[service]["restart"] == "unless-stopped"


@pytest.mark.parametrize("service", [name for name in KASSA if name != "init"])
def test_parts_are_asked_how_they_are_where_they_listen(service: str) -> None:
    program, flag, code = SERVICES[service]["healthcheck"]["test"][1:]
    assert (program, flag) == ("python", "-c")
    host, port = environment(service)["KASSA_HTTP"].split(":")
    assert host == "0.0.0.0", "Prometheus could not reach it"
    assert f"http://127.0.0.1:{port}/health" in code
    compile(code, service, "exec")


@pytest.mark.parametrize("service", KASSA)
def test_every_kassa_variable_is_a_setting_with_a_fitting_value(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = environment(service)
    assert {name.removeprefix("KASSA_").lower() for name in given} <= Settings.model_fields.keys()
    monkeypatch.chdir(CHECKOUT / "tests")  # no kassa.toml here
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.kafka, settings.clickhouse) == ("kafka:9092", "http://clickhouse:8123")
    assert (settings.partitions, settings.replication, settings.dir) == (12, 1, Path("/var/lib/kassa"))


@pytest.mark.parametrize("service", KASSA)
def test_the_warehouse_lets_kassa_in(service: str) -> None:
    mine, theirs = environment(service), environment("clickhouse")
    assert mine["KASSA_CLICKHOUSE_USER"] == theirs["CLICKHOUSE_USER"]
    assert SERVICES[service]["environment"]["KASSA_CLICKHOUSE_PASSWORD"].startswith("${KASSA_CLICKHOUSE_PASSWORD:?")


@pytest.mark.parametrize("service", KASSA)
def test_commands_are_kassas(service: str) -> None:
    from console.cli import create_app

    program, command = SERVICES[service]["command"]
    assert program == "kassa"
    assert command in getattr(get_command(create_app()), "commands")  # noqa: B009 (a click group, typed as a command)


@pytest.mark.parametrize("service", SERVICES)
def test_dependencies_can_be_met(service: str) -> None:
    for other, wanted in SERVICES[service].get("depends_on", {}).items():
        match wanted["condition"]:
            case "service_healthy":
                assert "healthcheck" in SERVICES[other]
            case "service_completed_successfully":
                assert "restart" not in SERVICES[other], f"{other} would never be complete"
            case condition:
                pytest.fail(f"{service} waits for {other} to be {condition}")


@pytest.mark.parametrize("service", SERVICES)
def test_named_volumes_are_declared(service: str) -> None:
    short = [volume.split(":")[0] for volume in SERVICES[service]["volumes"] if isinstance(volume, str)]
    assert {name for name in short if not name.startswith(".")} <= COMPOSE["volumes"].keys()


@pytest.mark.parametrize("service", [name for name in KASSA if name != "init"])
def test_only_init_may_write_the_keys(service: str) -> None:
    keys = [volume for volume in SERVICES[service]["volumes"] if "keys" in str(volume)]
    assert [volume["target"] for volume in keys if volume["read_only"]] == ["/var/lib/kassa/keys"]
    assert len(keys) == 1


def test_ports_are_open_to_this_machine_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_replicas_tell_themselves_apart() -> None:
    assert SERVICES["worker"]["deploy"]["replicas"] > 1
    assert "KASSA_WORKER_ID" not in environment("worker"), "every replica would be the same member"
    assert "KASSA_WORKER_ID=${KASSA_WORKER_ID:-$(hostname)}" in DOCKERFILE


def test_the_image_is_built_from_locked_packages_and_does_not_run_as_root() -> None:
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["python:3.11-slim-trixie"] * 2
    assert "--require-hashes" in DOCKERFILE
    assert "--no-index" in DOCKERFILE
    assert re.search(r"^USER (?!root|0)\w+", DOCKERFILE, re.MULTILINE)
