"""The jars of a real Apache Kafka broker, from Maven Central, kept under the checkout's `var/`.

Maven runs once per pom; after that a start needs neither Maven nor the network.
"""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

POM = Path(__file__).with_name("apache_kafka.pom.xml")
OLDEST_JAVA = 17  # what Kafka 4 brokers are built for
RESOLVE_TIMEOUT_S = 600.0


class ApacheKafkaMissing(RuntimeError):
    """What a real Kafka broker needs is not on this machine; the message says what to install."""


def kafka_version() -> str:
    """The Kafka version that the pom pins."""
    found = re.search(r"<kafka\.version>([^<]+)</kafka\.version>", POM.read_text(encoding="utf-8"))
    if found is None:
        raise ApacheKafkaMissing(f"{POM} pins no kafka.version: restore it from the repository.")
    return found[1]


def classpath(home: Path | None = None) -> str:
    """The classpath of the pinned broker, resolved with Maven the first time.

    `home` is where the jars are kept, `var/kafka-jars` of the checkout unless told. Raises ApacheKafkaMissing.
    """
    home = home or _var() / "kafka-jars"
    jars = home / kafka_version()
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once resolve once
        if not _answers_the_pom(jars):
            _resolve(jars)
    return str(jars / "*")


def java() -> str:
    """The java command, of version 17 or newer: the one in JAVA_HOME, else the one on PATH.

    Raises ApacheKafkaMissing.
    """
    home = os.environ.get("JAVA_HOME")
    command = str(Path(home, "bin", "java")) if home else "java"
    try:
        answer = subprocess.run([command, "-version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise ApacheKafkaMissing(f"Apache Kafka runs on Java: install a JRE, {OLDEST_JAVA} or newer.") from error
    version = re.search(r'version "(\d+)', answer.stderr)
    if version is None or int(version[1]) < OLDEST_JAVA:
        raise ApacheKafkaMissing(f"Apache Kafka needs Java {OLDEST_JAVA} or newer: {command} is older, install one.")
    return command


def _answers_the_pom(jars: Path) -> bool:
    """Whether what is kept was resolved from the pom as it is now. The pom's copy is written last."""
    kept = jars / POM.name
    return kept.is_file() and kept.read_bytes() == POM.read_bytes()


def _resolve(jars: Path) -> None:
    """Fill `jars` wholly or not at all."""
    shutil.rmtree(jars, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=jars.parent, prefix="resolving-") as scratch:
        fresh = Path(scratch, "jars")
        _run_maven(fresh, repository=Path(scratch, "m2"))
        shutil.copyfile(POM, fresh / POM.name)
        fresh.rename(jars)


def _run_maven(target: Path, *, repository: Path) -> None:
    """Copy the pom's jars to `target`. A repository of our own, since nothing outside `var/` is touched."""
    goal = "org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies"
    command = ["mvn", "--quiet", "--batch-mode", "--strict-checksums", "--file", str(POM), goal]
    command += [f"-DoutputDirectory={target}", "-DincludeScope=runtime", f"-Dmaven.repo.local={repository}"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=RESOLVE_TIMEOUT_S, check=False)
    except FileNotFoundError as error:
        raise ApacheKafkaMissing("Apache Kafka's jars come through Maven: install Maven 3 (mvn).") from error
    except subprocess.TimeoutExpired as error:
        raise ApacheKafkaMissing(f"Maven gave no jars in {RESOLVE_TIMEOUT_S:.0f} s: check its network.") from error
    if run.returncode != 0:
        said = "\n".join((run.stdout + run.stderr).splitlines()[:20])
        raise ApacheKafkaMissing(f"Maven could not fetch Apache Kafka's jars: check its network.\n{said}")


def _var() -> Path:
    """`var/` of the checkout; installed as a wheel there is none, and it is the working directory's."""
    checkout = Path(__file__).resolve().parents[1]
    return (checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()) / "var"
