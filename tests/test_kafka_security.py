"""Kafka that asks who is there: TLS, SCRAM and an authorizer with the very lines of docs/production.md."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from faust.auth import SASLCredentials, SSLCredentials
from pydantic import ValidationError

from agents.gateways.simulator import Simulator
from console import demo_network as network
from console.client import Client
from console.demo import carry_out
from console.requests import Request
from console.stack import Stack
from streams.apache_kafka import ApacheKafka
from streams.clients import producer
from streams.ends import Ends
from streams.keyring import load_operator_key
from streams.reach import credentials, reach
from streams.settings import Settings
from streams.topics import ALERTS, LEDGER, PAYMENTS, REPLIES
from tests.network import Network, until
from tests.self_signed import certificate
from tests.test_production_doc import ROLES, grants

SAFE = "SAFE"
_JAAS = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
_KINDS = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
}


# --- the settings


def test_plaintext_is_the_default_and_says_nothing_of_users() -> None:
    settings = Settings(kafka="kafka:9092")
    assert reach(settings) == {"bootstrap.servers": "kafka:9092", "security.protocol": "plaintext"}
    assert credentials(settings) is None


def test_a_user_and_a_password_reach_both_kinds_of_client() -> None:
    settings = Settings(kafka_security="sasl_plaintext", kafka_user="worker", kafka_password="secret")
    told = reach(settings)
    assert (told["sasl.mechanism"], told["sasl.username"], told["sasl.password"]) == (
        "SCRAM-SHA-512", "worker", "secret",
    )  # fmt: skip
    faust = credentials(settings)
    assert isinstance(faust, SASLCredentials)
    assert (faust.protocol.value, faust.mechanism.value) == ("SASL_PLAINTEXT", "SCRAM-SHA-512")
    assert (faust.username, faust.password) == ("worker", "secret")


def test_a_client_certificate_reaches_both_kinds_of_client(tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    settings = Settings(kafka_security="ssl", kafka_ca=pem, kafka_certificate=pem, kafka_key=pem)
    told = reach(settings)
    assert {told["ssl.ca.location"], told["ssl.certificate.location"], told["ssl.key.location"]} == {str(pem)}
    faust = credentials(settings)
    assert isinstance(faust, SSLCredentials)
    assert faust.context.verify_mode is ssl.CERT_REQUIRED
    assert faust.context.check_hostname


def test_sasl_without_a_user_is_refused_at_once_and_a_password_is_never_shown() -> None:
    with pytest.raises(ValidationError, match="kafka_user and kafka_password"):
        Settings(kafka_security="sasl_ssl")
    assert "secret" not in repr(Settings(kafka_security="sasl_ssl", kafka_user="worker", kafka_password="secret"))


# --- a broker that asks


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Network, Path, str]]:
    """A stack whose worker and sink come in through the guarded listener, each as its own user."""
    place = tmp_path_factory.mktemp("guarded")
    pem = certificate(place, "127.0.0.1")
    with (
        Stack(place, workers=0, sink=False, start_broker=lambda at: _guarded_kafka(at, pem)) as stack,
        Simulator.start(place / "run" / "simulator", network.BEHAVIOURS, 1) as simulator,
    ):
        assert isinstance(stack.broker, ApacheKafka)
        safe = stack.broker.bootstrap_at(SAFE)
        _allow(stack.broker.bootstrap)
        stack.tell(simulator=simulator.url)
        for name, role in (("worker-1", "worker"), ("sink-1", "sink")):
            stack.start(name, role, {"KASSA_WORKER_ID": name, **_environment(safe, pem, role)})
        stack.wait_ready(120)
        fleet = network.terminals(stack.settings)
        yield Network(stack, simulator, fleet, Ends(stack.settings)), pem, safe


@pytest.mark.kafka
@pytest.mark.timeout(280)
def test_a_payment_goes_all_the_way_with_the_rights_of_the_production_page(
    guarded: tuple[Network, Path, str],
) -> None:
    place, pem, safe = guarded
    operator, terminals = (_as(place.stack.settings, safe, pem, role) for role in ("operator", "terminals"))
    key = load_operator_key(operator, "root")
    with Client(operator, ["root"], many=True) as client:
        first = network.first_commands(place.simulator.url_of, place.fleet)
        for step in (first, network.sub_agents(), network.deposits(enough=True)):
            carry_out(client, step, key, 60)
    states = set[str]()
    with Client(terminals, [one.id for one in place.fleet], many=True) as client:
        sent = list(place.messages(1, 20))
        for message in sent:
            client.send(Request(PAYMENTS, message.key, message.value, message.terminal, message.id))
        assert client.flush(60) == 0
        final = set[str]()

        def heard() -> bool:
            reply = client.poll(0.1)
            if reply is not None:
                states.add(reply.state)
                if reply.final:
                    final.add(reply.id)
            return final >= {message.id for message in sent}

        until("every payment is final", heard, 60, lambda: states)
    assert "POSTED" in states


@pytest.mark.kafka
@pytest.mark.timeout(280)
@pytest.mark.parametrize(
    ("role", "topic"),
    [("terminals", LEDGER), ("terminals", REPLIES), ("operator", LEDGER), ("operator", PAYMENTS), ("sink", REPLIES),
     ("analyst", LEDGER), ("sink", ALERTS)],
    ids=lambda value: getattr(value, "name", value),
)  # fmt: skip
def test_nobody_writes_what_is_not_his(guarded: tuple[Network, Path, str], role: str, topic: object) -> None:
    place, pem, safe = guarded
    assert _produce(_as(place.stack.settings, safe, pem, role), getattr(topic, "name", "")) in (
        KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC,
    )  # fmt: skip


@pytest.mark.kafka
@pytest.mark.timeout(280)
def test_nobody_but_a_worker_may_take_a_workers_place_at_the_ledger(guarded: tuple[Network, Path, str]) -> None:
    place, pem, safe = guarded
    stranger = producer(_as(place.stack.settings, safe, pem, "operator"), transactional_id="kassa-ledger-0")
    with pytest.raises(KafkaException) as refused:
        stranger.init_transactions(30)
    assert refused.value.args[0].code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED


@pytest.mark.kafka
@pytest.mark.timeout(280)
def test_a_wrong_password_does_not_get_in(guarded: tuple[Network, Path, str]) -> None:
    place, pem, safe = guarded
    settings = _as(place.stack.settings, safe, pem, "worker").model_copy(update={"kafka_password": "guessed"})
    with pytest.raises(KafkaException):
        AdminClient({**reach(settings), "log_level": 0}).list_topics(timeout=5)


def _guarded_kafka(place: Path, pem: Path) -> ApacheKafka:
    """One more listener, SASL_SSL; the plain one is the administrator's."""
    own = f"listener.name.{SAFE.lower()}"
    return ApacheKafka.start(
        place / "kafka",
        doors={SAFE: lambda port: port},
        users={role: _password(role) for role in ROLES},
        properties={
            "listener.security.protocol.map": f"PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,{SAFE}:SASL_SSL",
            f"{own}.ssl.keystore.type": "PEM",
            f"{own}.ssl.keystore.location": str(pem),
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            f"{own}.scram-sha-512.sasl.jaas.config": _JAAS,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": "User:ANONYMOUS",
        },
    )


def _allow(bootstrap: str) -> None:
    """Every line of the page."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    wanted = [
        AclBinding(
            _KINDS[one.kind],
            one.name,
            ResourcePatternType.PREFIXED if one.is_prefix else ResourcePatternType.LITERAL,
            f"User:{one.role}",
            "*",
            AclOperation[one.operation.upper()],
            AclPermissionType.ALLOW,
        )
        for one in grants()
    ]
    for made in admin.create_acls(wanted, request_timeout=30).values():
        made.result(30)


def _password(role: str) -> str:
    return f"of-{role}-1"


def _environment(safe: str, pem: Path, role: str) -> dict[str, str]:
    return {
        "KASSA_KAFKA": safe,
        "KASSA_KAFKA_SECURITY": "sasl_ssl",
        "KASSA_KAFKA_CA": str(pem),
        "KASSA_KAFKA_USER": role,
        "KASSA_KAFKA_PASSWORD": _password(role),
    }


def _as(settings: Settings, safe: str, pem: Path, role: str) -> Settings:
    update = {
        "kafka": safe,
        "kafka_security": "sasl_ssl",
        "kafka_ca": pem,
        "kafka_user": role,
        "kafka_password": _password(role),
    }
    return settings.model_copy(update=update)


def _produce(settings: Settings, topic: str) -> int:
    """The code of the error that Kafka answers a record with; 0: none."""
    answers: list[int] = []

    def answered(error: KafkaError | None, _: Message) -> None:
        answers.append(error.code() if error is not None else 0)

    client = producer(settings, enable_idempotence=False)
    client.produce(topic, b"not mine", on_delivery=answered)
    client.flush(30)
    return answers[0]
