"""The configuration of the decision service: one frozen structure per section."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from pdp.api.private import Private

Positive = Annotated[int, Meta(ge=1)]


class Opa(Struct, frozen=True, forbid_unknown_fields=True):
    """The section `[opa]`: the policy engine."""

    path: str = ""
    """The opa binary. Empty: `--opa`, `TIPSTAFF_OPA`, or the one that `tipstaff opa install` got."""
    timeout_ms: Positive = 1000
    """Milliseconds to wait for OPA before the call is denied."""
    known_answers: Annotated[int, Meta(ge=0)] = 10_000
    """Most answers that are kept for calls in which rules read the same; with 0 OPA is asked about every call."""
    gogc: Positive = 400
    """OPA's garbage collection target, in percent; higher is faster and takes more memory."""
    memory_limit: str = "200MiB"
    """OPA's soft memory limit, as in GOMEMLIMIT."""


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """The section `[policy]`: the rules."""

    dir: str = "policy"
    """The folder of the rules."""
    poll_seconds: Annotated[float, Meta(gt=0)] = 0.5
    """Seconds between two looks for changed files."""
    changes: str = ""
    """The file of tools that have changed since they were accepted. Empty: `changed.json` in the state folder."""


class Limits(Private, frozen=True, forbid_unknown_fields=True):
    """The section `[limits]`: where budgets are kept."""

    SECRET = frozenset({"url"})

    store: Literal["sqlite", "memory", "redis"] = "sqlite"
    """`sqlite` survives a restart, `memory` does not, `redis` (or Valkey) is shared by several services."""
    url: str = ""
    """Where the Redis is: `redis://HOST:PORT/DB`, `rediss://…`, `unix:///PATH`, or `env:NAME`, `file:PATH`."""
    timeout_ms: Positive = 100
    """Milliseconds to wait for the Redis; there is no second try."""
    replicas: Positive = 1
    """How many decision services share the store: the share of `on_store_error: local`."""
    path: str = ""
    """The SQLite file. Empty: `limits.db` in the state folder."""
    durable: Literal["process", "power"] = "process"
    """What a SQLite commit survives: the end of the process, or a power failure too, which is slower."""
    principal_factor: Positive = 10
    """How many times a limit per session all sessions of one principal may take together."""


class Journal(Struct, frozen=True, forbid_unknown_fields=True):
    """The section `[journal]`: the records."""

    path: str = ""
    """The file of the records. Empty: `decisions.jsonl` in the state folder."""


class ConfiguredPerson(Struct, frozen=True, forbid_unknown_fields=True):
    """An entry of `[[approvals.people]]`: somebody who may answer for held calls."""

    id: str
    """The name that the person answers under: the user of the machine, or what the login proves."""
    groups: tuple[str, ...] = ()
    """The groups that rules name as `approvers`."""
    principals: tuple[str, ...] = ()
    """Callers that act for this person, who then may not approve their calls: `token:NAME`, `jwt:SUB`."""
    role: Literal["approver", "viewer"] = "approver"
    """What the console lets the person do."""


class Webhook(Private, frozen=True, forbid_unknown_fields=True):
    """The section `[approvals.webhook]`: whom a program tells that calls wait for people."""

    SECRET = frozenset({"url", "secret"})

    url: str = ""
    """Where messages are sent: `https://HOST/…`, or `env:NAME`, `file:PATH`. Empty: nowhere."""
    secret: str = ""
    """The key they are signed with: `env:NAME` or `file:PATH`, which hold `whsec_` and base64, or a text."""
    hosts: tuple[str, ...] = ()
    """Hosts that the url may have. Empty: its own. Private addresses and `localhost` must stand here."""
    link: str = ""
    """The base URL of the place where people answer, for the link in a message. Empty: no link."""


class ApprovalsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The section `[approvals]`: who answers for held calls, and where that is kept."""

    path: str = ""
    """The SQLite file. Empty: `approvals.db` in the state folder. With `[limits] store = "redis"` it is the Redis."""
    people: tuple[ConfiguredPerson, ...] = ()
    """Who may answer. Empty: whoever can reach the decision service."""
    webhook: Webhook = field(default_factory=Webhook)
    """Whom a program tells that calls wait."""

    def __post_init__(self) -> None:
        """Refuse two people of one name, since a quorum counts names."""
        names = [person.id for person in self.people]
        for name in names:
            if not name.strip():
                raise ValueError("approvals: a person needs an id")
            if names.count(name) > 1:
                raise ValueError(f"approvals: two people are called {name!r}")


class Batching(Struct, frozen=True, forbid_unknown_fields=True):
    """The section `[batching]`: how calls share queries."""

    max_calls: Positive = 32
    """Most calls in one query."""
    in_flight: Positive = 2
    """Most queries at a time."""
    max_waiting: Positive = 10_000
    """Most calls that wait; more are refused at once."""
    max_waiting_per_caller: Positive = 2_000
    """Most calls of one caller that wait; callers are served in turn."""
    max_wait_ms: Positive = 2000
    """Milliseconds that a call may wait; what has waited longer is refused unjudged, as nobody waits for it any more."""


class ServiceTls(Struct, frozen=True, forbid_unknown_fields=True):
    """The section `[pdp.tls]`: how the decision service and those who ask it know each other."""

    certificate: str = ""
    """The file of the service's certificate chain (PEM). Empty: plain, on this machine only."""
    key: str = ""
    """The file of its private key (PEM)."""
    client_ca: str = ""
    """The file of the authorities whose client certificates may ask (PEM)."""
    clients: tuple[str, ...] = ()
    """Which of them: names in their certificates (URI, DNS). Empty: all that the authorities know."""

    def __post_init__(self) -> None:
        """Refuse an incomplete section: a client without a certificate could reset limits."""
        parts = (self.certificate, self.key, self.client_ca)
        if any(parts) != all(parts) or (self.clients and not any(parts)):
            raise ValueError("tls: certificate, key and client_ca belong together")


class PdpConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The section `[pdp]`, with the sections of its parts."""

    listen: str = ""
    """Where the decision service listens: `unix:PATH` or `HOST:PORT`. Empty: a private socket."""
    reflection: bool = False
    """Whether gRPC reflection is served, for tools such as grpcurl."""
    labels: dict[str, str] = {}
    """Written into every record, for example the name of the environment."""
    tls: ServiceTls = field(default_factory=ServiceTls)
    """Certificates, without which no other machine can ask."""
    opa: Opa = field(default_factory=Opa)
    """The policy engine."""
    policy: Policy = field(default_factory=Policy)
    """The rules."""
    limits: Limits = field(default_factory=Limits)
    """Where budgets are kept."""
    approvals: ApprovalsConfig = field(default_factory=ApprovalsConfig)
    """Who answers for held calls."""
    journal: Journal = field(default_factory=Journal)
    """The records."""
    batching: Batching = field(default_factory=Batching)
    """How calls share queries."""
