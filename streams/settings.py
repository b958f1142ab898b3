"""Every setting in one place: environment (KASSA_*), then kassa.toml, then the stack running on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

STACK_FILE = "stack.toml"


class SettingsUnreadable(Exception):
    """A file of settings is not TOML; the text names it and says where."""


class _File(TomlConfigSettingsSource):
    def _read_file(self, file_path: Any) -> dict[str, Any]:
        try:
            return super()._read_file(file_path)
        except (ValueError, RecursionError) as error:  # no TOML, no text, or nested without end
            raise SettingsUnreadable(f"{file_path} is not TOML: {error}") from None


class Settings(BaseSettings):
    """Read once at start. A value that cannot be used raises pydantic.ValidationError naming it."""

    model_config = SettingsConfigDict(env_prefix="KASSA_", extra="forbid", frozen=True)

    dir: Annotated[Path, Field(description="where keys, state and exports live")] = Path("var")
    kafka: Annotated[str, Field(description="bootstrap servers, host:port[,host:port]; empty: no broker known")] = ""
    kafka_security: Annotated[
        Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"],
        Field(description="how to talk to the brokers; in production sasl_ssl, or ssl with a client certificate"),
    ] = "plaintext"
    kafka_ca: Annotated[
        Path | None, Field(description="PEM file of who signed the brokers' certificates; none: the system's own")
    ] = None
    kafka_certificate: Annotated[Path | None, Field(description="PEM file of our own certificate, for mutual TLS")] = (
        None
    )
    kafka_key: Annotated[Path | None, Field(description="PEM file of its key; none: in the certificate's file")] = None
    kafka_mechanism: Annotated[
        Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"], Field(description="how sasl_* proves who we are")
    ] = "SCRAM-SHA-512"
    kafka_user: str = ""
    kafka_password: Annotated[str, Field(repr=False)] = ""
    clickhouse: Annotated[str, Field(description="ClickHouse's HTTP URL; empty: no warehouse known")] = ""
    clickhouse_user: str = "default"
    clickhouse_password: Annotated[str, Field(repr=False)] = ""
    database: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="ClickHouse database")] = "kassa"
    embedded: Annotated[bool, Field(description="the broker is the embedded one, whose faults are worked around")] = (
        False
    )
    partitions: Annotated[
        int, Field(ge=1, le=256, description="of payments, commands and ledger; fixed once the first payment was taken")
    ] = 4
    replication: Annotated[int, Field(ge=1, le=5, description="copies of every topic; 3 in production")] = 1
    worker_id: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9._-]{1,80}$", description="static group membership: unique and kept per worker")
    ] = "worker-1"
    sink_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,80}$", description="the same for a sink")] = "sink-1"
    session_time_out_s: Annotated[int, Field(ge=6, le=300, description="a silent worker loses its partitions")] = 10
    batch_max: Annotated[int, Field(ge=1, le=10_000, description="messages decided in one transaction at most")] = 1000
    batch_within_ms: Annotated[int, Field(ge=1, le=5_000, description="how long a batch waits to fill")] = 10
    snapshot_every: Annotated[
        int,
        Field(ge=0, le=10_000_000, description="ledger entries of a partition between snapshots; 0: none are taken"),
    ] = 10_000
    transaction_time_out_ms: Annotated[int, Field(ge=5_000, le=900_000)] = 60_000
    gateway_backlog: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000,
            description="payments that may wait for one gateway on one partition, held or unclear; further ones are "
            "declined (1, repeat later). Bounds the memory and the money that a dead payee can tie up",
        ),
    ] = 20_000
    change_days: Annotated[
        int,
        Field(ge=1, le=36_500, description="days without a touch after which payers' change goes to account unclaimed"),
    ] = 1_096
    four_eyes_above: Annotated[
        int,
        Field(
            ge=0,
            le=10**15,
            description="minor units up to which one operator makes a correction; above it another must approve",
        ),
    ] = 0
    check_within_ms: Annotated[
        int,
        Field(
            ge=50,
            le=60_000,
            description="how long a terminal's check waits for the payee; then it is told 1, repeat later",
        ),
    ] = 900
    check_stale_s: Annotated[
        int, Field(ge=1, le=3_600, description="a check older than this is not asked: nobody waits for it any more")
    ] = 10
    check_connections: Annotated[
        int, Field(ge=1, le=100, description="checks before payment in flight to one gateway, beside its payments'")
    ] = 4
    check_kept_s: Annotated[
        int,
        Field(ge=0, le=300, description="so long a payee's clear answer to a check answers the same question again"),
    ] = 10
    voucher_reserve_s: Annotated[
        int,
        Field(ge=5, le=86_400, description="how long a voucher is kept for a payment before its cash is taken"),
    ] = 300
    rejects_per_s: Annotated[
        int,
        Field(
            ge=1,
            le=100_000,
            description="how fast a partition of payments or commands is read while it has too much to reject; the "
            "rest waits in Kafka, since quarantine is kept for ever",
        ),
    ] = 200
    rejects_burst: Annotated[
        int, Field(ge=1, le=1_000_000, description="rejects at once before that; half of it free again ends the storm")
    ] = 5_000
    rejects_in_a_row: Annotated[
        int, Field(ge=1, le=1_000_000, description="rejected messages of one sender, without a good one, for an alert")
    ] = 20
    limit_quiet_s: Annotated[
        int,
        Field(
            ge=0,
            le=86_400,
            description="so long no payment of an agent was refused for its limits, then LIMIT_HIT ends",
        ),
    ] = 900
    unknown_alert_s: Annotated[
        int,
        Field(ge=1, le=30 * 86_400, description="how long a payment may be SENT, UNKNOWN or MANUAL before an alert"),
    ] = 3_600
    waiting_alert_s: Annotated[
        int, Field(ge=1, le=30 * 86_400, description="how long a payment may wait for funds before an alert")
    ] = 3_600
    registry_late_s: Annotated[
        int, Field(ge=1, le=30 * 86_400, description="how long a registry may be cut and not delivered before an alert")
    ] = 3_600
    registry_answer_s: Annotated[
        int,
        Field(ge=1, le=365 * 86_400, description="how long a delivered registry may lack answers before an alert"),
    ] = 3 * 86_400
    shortage_above: Annotated[
        int, Field(ge=0, le=10**12, description="minor units that a collection may be short of, for no alert")
    ] = 0
    gateway_alert_bad: Annotated[
        int, Field(ge=1, le=1_000, description="unclear answers of a gateway to a partition, for an alert …")
    ] = 5
    gateway_alert_of: Annotated[int, Field(ge=1, le=1_000, description="… among so many of its last answers")] = 10
    gateway_alert_good: Annotated[
        int, Field(ge=1, le=1_000, description="clear answers in a row after which that alert is over")
    ] = 5
    statement_every_s: Annotated[
        int,
        Field(ge=1, le=86_400, description="how soon, and how often at most, a payee's statement is looked into"),
    ] = 300
    statement_days: Annotated[
        int, Field(ge=0, le=31, description="for how long a payment in doubt is looked for in statements; 0: never")
    ] = 3
    clock_ahead_s: Annotated[int, Field(ge=0, description="how far a terminal's clock may run ahead")] = 600
    clock_behind_s: Annotated[int, Field(ge=0, description="how late an offline payment may be uploaded")] = 30 * 86_400
    sink_batch_rows: Annotated[int, Field(ge=1, le=1_000_000, description="rows in one insert at most")] = 20_000
    sink_within_ms: Annotated[
        int, Field(ge=10, le=60_000, description="how old a row may get before it is inserted")
    ] = 300
    smtp: Annotated[
        str,
        Field(
            pattern=r"^([A-Za-z0-9.-]+:[0-9]{1,5})?$",
            description="host:port of the mail server that alerts are handed to; empty: no mail is sent",
        ),
    ] = ""
    smtp_tls: Annotated[
        str,
        Field(pattern="^(starttls|tls|none)$", description="starttls or tls: verified; none: for a server at home"),
    ] = "starttls"
    smtp_from: Annotated[str, Field(description="the address alerts come from")] = "kassa@localhost"
    smtp_login: Annotated[
        str, Field(description="name of a secret file user:password in keys/notify; empty: no login")
    ] = ""
    webhook_plain: Annotated[
        bool, Field(description="also http:// webhooks; without it alerts leave over TLS only")
    ] = False
    notify_time_out_ms: Annotated[
        int, Field(ge=100, le=120_000, description="how long one try of a delivery may take")
    ] = 15_000
    notify_retry_ms: Annotated[
        int, Field(ge=10, le=3_600_000, description="wait after a delivery's first failure; doubles to an hour")
    ] = 10_000
    notify_tries: Annotated[int, Field(ge=1, le=100, description="tries of a delivery before it is given up")] = 12
    simulator: Annotated[
        str, Field(description="URL of the payee simulator, whose book the audit compares; empty: none")
    ] = ""
    http: Annotated[
        str,
        Field(
            pattern=r"^([A-Za-z0-9.-]+:[0-9]{1,5})?$",
            description="host:port where worker and sink answer /health, /ready and /metrics; port 0: a free one; "
            "empty: nowhere",
        ),
    ] = ""

    clock_shift: Annotated[
        Path | None,
        Field(description="for fault tests: a file with the ms by which the clock is wrong when the process starts"),
    ] = None
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"

    @model_validator(mode="after")
    def _kafka_user_is_named(self) -> Self:
        if self.kafka_security.startswith("sasl") and not (self.kafka_user and self.kafka_password):
            raise ValueError(f"kafka_security={self.kafka_security} needs kafka_user and kafka_password")
        return self

    @property
    def keys(self) -> Path:
        """Operators' public keys, the server's signing key and gateways' secrets."""
        return self.dir / "keys"

    @property
    def snapshots(self) -> Path:
        """Snapshots of the folds of this machine's workers."""
        return self.dir / "snapshots"

    @property
    def registries(self) -> Path:
        """Below it, a directory for each payee that is served offline and fetches its registries here."""
        return self.dir / "registries"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        stack = Path(os.environ.get("KASSA_DIR", "var")) / STACK_FILE
        return (
            init_settings,
            env_settings,
            _File(settings_cls, Path(os.environ.get("KASSA_CONFIG", "kassa.toml"))),
            _File(settings_cls, stack),
        )
