"""What the real broker says when the machine lacks what it needs: one sentence, and what to install."""

from pathlib import Path

import pytest

from streams import kafka_broker, kafka_jars
from streams.apache_kafka import ApacheKafka
from streams.kafka_jars import ApacheKafkaMissing


def a_command(directory: Path, name: str, script: str) -> None:
    command = directory / name
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it but what a test puts there."""
    commands = tmp_path / "bin"
    commands.mkdir()
    monkeypatch.setenv("PATH", str(commands))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return commands


def test_without_java_it_says_to_install_one(path: Path) -> None:
    with pytest.raises(ApacheKafkaMissing, match=r"install a JRE, 17 or newer"):
        kafka_jars.java()


@pytest.mark.parametrize("version", ["1.8.0_412", "11.0.23"])
def test_an_older_java_is_refused(path: Path, version: str) -> None:
    a_command(path, "java", f"echo 'openjdk version \"{version}\"' >&2")
    with pytest.raises(ApacheKafkaMissing, match=r"needs Java 17 or newer"):
        kafka_jars.java()


def test_the_java_of_java_home_goes_first(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jdk" / "bin").mkdir(parents=True)
    a_command(tmp_path / "jdk" / "bin", "java", "echo 'openjdk version \"21\"' >&2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert kafka_jars.java() == str(tmp_path / "jdk" / "bin" / "java")


def test_without_maven_it_says_to_install_one(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ApacheKafkaMissing, match=r"install Maven 3"):
        kafka_jars.classpath(tmp_path / "jars")


def test_a_maven_that_fails_leaves_nothing_behind(path: Path, tmp_path: Path) -> None:
    a_command(path, "mvn", "echo '[ERROR] no route to anywhere'; exit 1")
    with pytest.raises(ApacheKafkaMissing, match=r"no route to anywhere"):
        kafka_jars.classpath(tmp_path / "jars")
    assert [left.name for left in (tmp_path / "jars").iterdir()] == ["lock"]


def test_maven_runs_once(path: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    a_command(
        path, "mvn", f'echo >>{ran}; for a; do case $a in -DoutputDirectory=*) /bin/mkdir "${{a#*=}}";; esac; done'
    )
    assert kafka_jars.classpath(tmp_path / "jars") == kafka_jars.classpath(tmp_path / "jars")
    assert ran.read_text() == "\n"


def test_a_broker_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["/bin/sh", "-c", "echo no such class as $0; exit 1"]
    monkeypatch.setattr("streams.apache_kafka.jvm", lambda: command)
    with pytest.raises(kafka_broker.ApacheKafkaFailed, match=r"could not format its storage(.|\n)*no such class"):
        ApacheKafka.start(tmp_path / "kafka")


def test_a_cluster_does_not_become_another_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broker-1").mkdir()
    with pytest.raises(ValueError, match=r"a cluster of 1, not 3"):
        ApacheKafka.start(tmp_path, brokers=3)


def test_a_held_port_is_given_to_nobody_else() -> None:
    port = kafka_broker.Port()
    others = [kafka_broker.Port() for _ in range(50)]
    assert port.number not in {other.number for other in others}
    for held in (port, *others):
        held.release()
