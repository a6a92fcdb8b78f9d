"""The settings of the enforcement point, from the section `[pep]`; the values are checked here."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

from pdp.api.private import Private, PrivateBytes
from pep.choices import DenialStyle, ToolNames
from tipstaff.common.jwt_algorithms import JWT_ALGORITHMS

Positive = Annotated[int, Meta(ge=1)]
HoldSeconds = Annotated[int, Meta(ge=0, le=3600)]
NotNegative = Annotated[int, Meta(ge=0)]
Proof = Literal["jwt", "token", "mtls", "anonymous"]
SERVER_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
# Header lines of the protocol or the connection; `bearer` is for Authorization.
_OURS = frozenset(
    "host content-length content-type transfer-encoding connection accept authorization cookie "
    "mcp-session-id mcp-protocol-version mcp-method mcp-name".split()
)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_LOCAL_HOSTS = ("127.0.0.1:*", "localhost:*", "[::1]:*")


class Server(Private, frozen=True, forbid_unknown_fields=True):
    """One upstream MCP server, reached at `/NAME/mcp`."""

    # People put keys into URLs and command lines.
    SECRET = frozenset({"url", "command", "environment", "bearer", "headers"})

    name: str
    """How the server is called in the URL and in rules: `[a-z][a-z0-9_]{0,62}`."""
    url: str = ""
    """Where the server listens: the whole http or https URL of its MCP endpoint."""
    command: tuple[str, ...] = ()
    """Or how it is started, to speak stdio: the program and its arguments, as a list."""
    environment: dict[str, str] = field(default_factory=dict)
    """What its process finds in its environment beside PATH, HOME and the like: a text, `env:NAME` or
    `file:PATH`."""
    idle_seconds: Positive = 600
    """Seconds after which a process that nobody uses is ended."""
    max_processes: Positive = 32
    """Processes of it at a time: one per legacy session, one per caller in the modern era. One caller
    has at most three quarters of them."""
    poll_ms: NotNegative = 0
    """Milliseconds of silence after which a legacy client is asked to come back for the answer, so
    that no stream is open for long; 0 keeps it open."""
    auth: Literal["strip", "passthrough"] = "strip"
    """Whether the client's Authorization header is kept back, or passed on to this server."""
    accept: tuple[Proof, ...] = ()
    """What proves who calls. Empty: anybody, while the proxy listens on this machine only."""
    bearer: str = ""
    """The proxy's own token for this server: `env:NAME` or `file:PATH`, sent as Authorization."""
    headers: dict[str, str] = field(default_factory=dict)
    """More header lines for this server, each value `env:NAME` or `file:PATH`."""
    tool_names: ToolNames = "strict"
    """Whether a tool's name must be 1 to 128 letters, digits, `_`, `-` and `.`, or may be any text."""
    denial: DenialStyle = "result"
    """How a refused tool call is shown: as a tool result the model reads, or a JSON-RPC error."""
    hold_seconds: Annotated[int, Meta(ge=-1, le=3600)] = -1
    """Seconds for which a call that waits for approval is held here; -1: `[pep] hold_seconds`."""
    approval_rounds: Annotated[int, Meta(ge=0, le=9)] = 0
    """How many times a client of the modern era is then told to make the call again by itself, before its model
    hears of it. Some clients make no more than two."""

    def __post_init__(self) -> None:
        """Refuse names and URLs that cannot be used."""
        if not SERVER_NAME.fullmatch(self.name):
            raise ValueError(
                f"server name {self.name!r}: use lower-case letters, digits and _, "
                "a letter first, at most 63"
            )
        if bool(self.url) == bool(self.command):
            raise ValueError(f"server {self.name!r} needs either url or command")
        if self.url:
            _check_url(self.name, self.url)
        elif self.auth != "strip" or self.bearer or self.headers:
            raise ValueError(
                f"server {self.name!r}: a command gets no header lines; use its environment"
            )
        if self.auth == "passthrough" and (self.bearer or {"jwt", "token"} & set(self.accept)):
            raise ValueError(
                f'server {self.name!r}: auth = "passthrough" hands the caller\'s Authorization on, '
                "so it can neither prove the caller here nor be replaced"
            )
        for name in self.headers:
            if not _HEADER.fullmatch(name) or name.lower() in _OURS:
                raise ValueError(f"server {self.name!r}: {name!r} cannot be a header of your own")

    @property
    def authority(self) -> bytes:
        """What the Host header says to this server."""
        return urlsplit(self.url).netloc.encode()

    @property
    def credentials(self) -> tuple[tuple[bytes, bytes], ...]:
        """The proxy's own header lines for this server, once references have been resolved."""
        bearer = {"authorization": f"Bearer {self.bearer}"} if self.bearer else {}
        lines = {**bearer, **self.headers}
        return tuple(
            (name.lower().encode(), PrivateBytes(value.encode())) for name, value in lines.items()
        )


class Jwt(Private, frozen=True, forbid_unknown_fields=True):
    """The section `[jwt]`: whose tokens are believed."""

    SECRET = frozenset({"jwks"})

    issuer: str = ""
    """The `iss` of the tokens: the authorization server's identifier."""
    audience: str = ""
    """The `aud` of the tokens. Empty: the server's own public URL (RFC 8707)."""
    jwks: str = ""
    """The issuer's keys: an https URL, or the path of a file."""
    algorithms: tuple[str, ...] = ("RS256", "ES256", "EdDSA")
    """Signature algorithms that are accepted, among the asymmetric ones."""
    leeway_seconds: Annotated[int, Meta(ge=0, le=300)] = 30
    """Seconds by which the issuer's clock may differ."""

    def __post_init__(self) -> None:
        """Refuse settings that could accept a forged token."""
        unknown = [algorithm for algorithm in self.algorithms if algorithm not in JWT_ALGORITHMS]
        if unknown or not self.algorithms:
            listed = ", ".join(JWT_ALGORITHMS)
            raise ValueError(f"algorithms: {unknown or 'none'} cannot be accepted; known: {listed}")
        host = urlsplit(self.jwks).hostname
        if self.jwks.startswith("http://") and host not in _LOOPBACK:
            raise ValueError("jwks: keys come over https, or from a file")


class Tls(Struct, frozen=True, forbid_unknown_fields=True):
    """The section `[tls]`: the listener's own certificate, and whose clients' are believed."""

    certificate: str = ""
    """The file of the certificate chain (PEM). Empty: plain HTTP."""
    key: str = ""
    """The file of its private key (PEM)."""
    client_ca: str = ""
    """The file of the authorities whose client certificates prove a caller (PEM)."""

    def __post_init__(self) -> None:
        """Refuse a certificate without its key, or authorities without either."""
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key belong together")
        if self.client_ca and not self.certificate:
            raise ValueError("client_ca has no effect without certificate and key")


class PdpTls(Struct, frozen=True, forbid_unknown_fields=True):
    """The section `[pep.pdp_tls]`: how a decision service on another machine is asked."""

    server_ca: str = ""
    """The file of the authorities whose certificates the service may show (PEM). Empty: plain."""
    certificate: str = ""
    """The file of the proxy's own certificate chain (PEM)."""
    key: str = ""
    """The file of its private key (PEM)."""
    server_name: str = ""
    """The name in the service's certificate. Empty: the host of `[pdp] listen`."""

    def __post_init__(self) -> None:
        """Refuse a part of the three without the others."""
        parts = (self.server_ca, self.certificate, self.key)
        if any(parts) != all(parts) or (self.server_name and not any(parts)):
            raise ValueError("pdp_tls: server_ca, certificate and key belong together")


class PepConfig(Private, frozen=True, forbid_unknown_fields=True):
    """The section `[pep]`."""

    SECRET = frozenset({"rounds_key"})

    listen: str = "127.0.0.1:8700"
    """Host and port that MCP clients connect to."""
    allowed_hosts: tuple[str, ...] = _LOCAL_HOSTS
    """Values of the Host header that are ours; `name:*` is any port, `*` anything."""
    allowed_origins: tuple[str, ...] = tuple(f"http://{host}" for host in _LOCAL_HOSTS)
    """Values of the Origin header that may use the proxy; a request without one may."""
    max_body_bytes: Positive = 4 * 1024 * 1024
    """Bytes of a request that are read; more is answered with 413."""
    head_timeout_ms: Positive = 10_000
    """Milliseconds in which the header lines of a request must arrive."""
    body_timeout_ms: Positive = 30_000
    """Milliseconds in which the whole request body must arrive."""
    write_timeout_ms: Positive = 60_000
    """Milliseconds in which a client that is being answered must read on; else it is cut off."""
    max_under_way: Positive = 256
    """Requests of one caller that are under way; more are answered with 429."""
    max_holding: Positive = 256
    """Calls that are held at a time, a fourth of them of one caller; of more the client hears at once that
    they wait for approval."""
    max_held_bytes: Positive = 32 * 1024 * 1024
    """Bytes of large request bodies held at a time, a fourth of them of one caller; more must wait."""
    decision_timeout_ms: Positive = 2000
    """Milliseconds to wait for a decision before the call is refused."""
    upstream_connect_timeout_ms: Positive = 5000
    """Milliseconds to wait for a connection to a server. There is no limit on its answer."""
    hold_seconds: HoldSeconds = 45
    """Seconds for which a call that waits for approval is held with its client connected; many clients
    give up after 60. 0: it is answered at once, and the client has to make it again."""
    hold_seconds_of: dict[str, HoldSeconds] = field(default_factory=dict)
    """The same by the caller's id, for clients that are known to wait longer or shorter."""
    rounds_key: str = ""
    """A secret of at least 32 characters by which several proxies know each other's `approval_rounds`:
    `env:NAME` or `file:PATH`. Empty: each makes its own at its start."""
    list_ttl_ms: NotNegative = 60_000
    """Milliseconds for which a client may keep a list at most (`ttlMs`): rules may change."""
    shutdown_grace_ms: Positive = 2000
    """Milliseconds that open streams get to end when the proxy stops."""
    public_url: str = ""
    """How clients reach the proxy, without a path. Empty: `listen`, over http."""
    tokens: str = ""
    """The file of Tipstaff's own API tokens. Empty: `tokens.json` in the state folder."""
    jwt: Jwt = field(default_factory=Jwt)
    """Whose tokens are believed."""
    tls: Tls = field(default_factory=Tls)
    """The listener's certificates."""
    pdp_tls: PdpTls = field(default_factory=PdpTls)
    """The certificates between the proxy and the decision service."""
    servers: tuple[Server, ...] = ()
    """The upstream servers."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        listen_address(self.listen)
        names = [server.name for server in self.servers]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two servers are called {name!r}")
        for server in self.servers:
            self._check_proof(server)

    def accepted(self, server: Server) -> tuple[Proof, ...]:
        """The kinds of credentials that `server` accepts."""
        return server.accept or ("anonymous",)

    def held_for(self, server: Server, caller: str) -> int:
        """Seconds for which calls of `caller` to `server` that wait for approval are held."""
        of_server = self.hold_seconds if server.hold_seconds < 0 else server.hold_seconds
        return self.hold_seconds_of.get(caller, of_server)

    def resource(self, server: Server) -> str:
        """The server's public URL, which is its identifier as a protected resource (RFC 9728)."""
        origin = self.public_url.rstrip("/")
        scheme = "https" if self.tls.certificate else "http"
        return f"{origin or f'{scheme}://{self.listen}'}/{server.name}/mcp"

    def audience(self, server: Server) -> str:
        """The audience that a token for `server` must have."""
        return self.jwt.audience or self.resource(server)

    def _check_proof(self, server: Server) -> None:
        accepted, name = self.accepted(server), server.name
        if not server.accept and listen_address(self.listen)[0] not in _LOOPBACK:
            raise ValueError(
                f"server {name!r}: others can reach {self.listen}, so say who may call: "
                'accept = ["jwt", "token", "mtls"], or ["anonymous"] for anybody'
            )
        if "jwt" in accepted and not (self.jwt.issuer and self.jwt.jwks):
            raise ValueError(f"server {name!r} accepts jwt: [jwt] needs issuer and jwks")
        if "mtls" in accepted and not self.tls.client_ca:
            raise ValueError(f"server {name!r} accepts mtls: [tls] needs client_ca")


def listen_address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`; raises `ValueError`."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"listen {text!r}: write HOST:PORT, for example 127.0.0.1:8700")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _check_url(name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"server {name!r}: url is not a URL") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError(
            f"server {name!r}: url must begin with http:// or https:// and name a host"
        )
    if "@" in parts.netloc:
        raise ValueError(f"server {name!r}: url must not hold credentials")
    if parts.fragment or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"server {name!r}: url must be plain ASCII without a fragment")
