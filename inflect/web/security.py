"""What every request passes before a handler sees it, and what every answer carries.

Against DNS rebinding an allow-list of hosts, against cross-site writes Fetch Metadata (else Origin), against script by
data a policy that lets no inline script or style run, against slow and endless bodies a deadline and a size. Pure ASGI,
so that streams pass through unbuffered.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inflect.web.problems import problem

BODY_DEADLINE_S = 30.0
MAX_BODY_BYTES = 1_000_000
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_OWN_SITES = {"same-origin", "none"}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HOST = re.compile(r"^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class HostRules:
    """Which `Host` values are ours.

    On a loopback or named address: the loopback names and that address. On a wildcard address also this machine's
    name and any literal IP (a rebound name is never one), and behind a proxy any name, because the proxy chose it.
    """

    def __init__(self, bound: str, *, behind_proxy: bool) -> None:
        self._names = {*_LOOPBACK, bound.strip("[]").lower()}
        self._wildcard = bound.strip("[]") in {"0.0.0.0", "::", ""}  # noqa: S104  recognised, not bound
        self._any_name = self._wildcard and behind_proxy
        if self._wildcard:
            self._names |= {socket.gethostname().lower(), socket.getfqdn().lower()}

    def allow(self, value: str) -> bool:
        """Whether a request with this `Host` header is answered; the port is not looked at."""
        match = _HOST.match(value.lower())
        if match is None:
            return False
        name = match[1].strip("[]")
        return name in self._names or self._any_name or (self._wildcard and _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_cross_site(method: str, headers: Headers) -> bool:
    """Whether an unsafe request comes from another site; one that says nothing of it (curl, a script) does not."""
    if method in _SAFE_METHODS:
        return False
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in _OWN_SITES
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host", "")


class Security:
    """The outermost middleware."""

    def __init__(self, app: ASGIApp, hosts: HostRules) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what must not pass, else hand on with bounds on the body and headers on the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        sender = _with_headers(send, secure=scope["scheme"] == "https")
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._hosts.allow(hosts[0]):
            text = f"This server does not answer to the name in Host; ask for {_LOOPBACK[0]} or the configured address."
            await _refusal(scope, 421, text)(scope, receive, sender)
        elif is_cross_site(scope["method"], headers):
            text = "Refused: a change was asked for from another site. Make it from Inflect's own pages."
            await _refusal(scope, 403, text)(scope, receive, sender)
        else:
            await self._app(scope, _bounded(receive), sender)


def _refusal(scope: Scope, status: int, text: str) -> Response:
    return problem(status, text) if scope["path"].startswith("/api/") else PlainTextResponse(text, status)


def _with_headers(send: Send, *, secure: bool) -> Send:
    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _all_headers(secure=secure):
                headers.setdefault(name, value)
        await send(message)

    return sender


def _all_headers(*, secure: bool) -> Iterable[tuple[str, str]]:
    yield from _HEADERS.items()
    yield "Cache-Control", "no-store"
    if secure:
        yield "Strict-Transport-Security", "max-age=31536000"


def _bounded(receive: Receive) -> Receive:
    """A body must have arrived whole in time, and may not be too large (HTTPException 413, to whoever reads it).

    What comes after it (the client going away) may take for ever.
    """
    whole, size_bytes = False, 0
    deadline = asyncio.get_running_loop().time() + BODY_DEADLINE_S

    async def receiver() -> Message:
        nonlocal whole, size_bytes
        if whole:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            return {"type": "http.disconnect"}
        size_bytes += len(message.get("body", b""))
        if size_bytes > MAX_BODY_BYTES:
            raise HTTPException(413)
        whole = not message.get("more_body", False)
        return message

    return receiver
