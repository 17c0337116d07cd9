"""The web server of the dashboard: Solara's, closed to other sites and to other networks.

Nothing is fetched from anywhere: the files of the page are those of the package solara-assets, the
browser is told to load nothing from elsewhere (content security policy), and Solara's usage
statistics are off. Requests must name this host (against DNS rebinding), and web sockets must come
from a page of this server (against other sites that a visitor has open).
"""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import sys
import threading
import warnings
import webbrowser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sim.errors import UserError

SETTINGS = {
    "SOLARA_TELEMETRY_MIXPANEL_ENABLE": "False",
    "SOLARA_ASSETS_PROXY": "True",
    "SOLARA_ASSETS_FONTAWESOME_ENABLED": "False",
    "SOLARA_MODE": "production",
    "SOLARA_THEME_TITLE": "Talentflow",
    "SOLARA_THEME_LOADER": "plain",
    "SOLARA_THEME_SHOW_BANNER": "False",
    "SOLARA_KERNEL_CULL_TIMEOUT": "2m",
}
PAGE = "analysis.dashboard.page"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "connect-src 'self' ws://{host} wss://{host}; "
    "frame-ancestors 'none'; form-action 'none'; base-uri 'self'"
)
HIDDEN = ("/resourcez", "/readyz")

os.environ.update(SETTINGS)
for _package in ("solara", "solara_assets", "uvicorn"):
    if importlib.util.find_spec(_package) is None:
        raise ModuleNotFoundError(f"No module named '{_package}'", name=_package)


def start(host: str, port: int, *, browser: bool = False) -> None:
    """Serve the dashboard until it is interrupted.

    Parameters
    ----------
    host : str
        Address to listen on.
    port : int
        Port; 0 takes a free one. The address is printed.
    browser : bool
        Whether to open it in a browser.

    Raises
    ------
    UserError
        If the port is taken, or the address is not of this machine.
    """
    import typer
    import uvicorn

    warnings.filterwarnings("ignore", message="Cookies with samesite=none")
    # a run keeps the interpreter busy; the page's many short messages must not wait 5 ms each
    sys.setswitchinterval(0.0005)
    listener = _listen(host, port)
    port = listener.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}/"
    app = application(host)
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    )
    typer.echo(f"The dashboard is at {address} (Ctrl-C ends it)")
    if browser:
        timer = threading.Timer(1.0, webbrowser.open, [address])
        timer.daemon = True
        timer.start()
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)  # from now on browsers wait instead of being refused
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"--port {port}: cannot listen on {host} ({reason}); give another --port or --host"
        ) from None
    return listener


def application(host: str) -> Any:
    """Return the ASGI application for a host, gate included.

    Raises
    ------
    UserError
        If the installed Solara asks for files that the installed solara-assets does not have.
    """
    from solara.server import app as apps
    from solara.server import server as pages
    from solara.server import settings, starlette

    apps.apps["__default__"] = apps.AppScript(PAGE)
    assets = Path(settings.assets.proxy_cache_dir)
    lacking = missing(pages.read_root("") or "", assets)
    if lacking:
        raise UserError(
            f"solara-assets lacks {lacking[0]}, which this version of Solara's page needs; "
            "install versions that fit: pip install --upgrade 'talentflow[dashboard]'"
        )
    return Gate(starlette.app, host, assets)


def missing(page: str, assets: Path) -> list[str]:
    """Return which files that a page asks for are not in the folder of the page's files."""
    wanted = re.findall(r'"/_solara/cdn/([^"?]+)', page)
    return [path for path in wanted if not (assets / path).is_file()]


class Gate:
    """An ASGI application before another: refuses what a visitor of this page never asks for.

    Parameters
    ----------
    app : ASGI application
    host : str
        Address that it listens on. On loopback, requests must name it or localhost; else any name
        is taken, since the machine's names are not known.
    assets : pathlib.Path
        Folder of the page's files; what is missing there is refused rather than fetched.
    """

    def __init__(self, app: Any, host: str, assets: Path) -> None:
        self.app = app
        self.assets = assets
        local = host in ("127.0.0.1", "localhost", "::1")
        self.names = LOOPBACK if local else None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif self._allowed(scope):
            await self.app(scope, receive, _with_policy(send, dict(scope["headers"])[b"host"]))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": b"refused\n"})

    def _allowed(self, scope: dict[str, Any]) -> bool:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        if not re.fullmatch(r"[A-Za-z0-9.:\[\]_-]+", host):
            return False
        if self.names is not None and _name(host) not in self.names:
            return False
        origin = headers.get(b"origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return False
        path = str(scope["path"])
        if scope["type"] == "websocket" and origin is None:
            return False
        return path not in HIDDEN and self._present(path)

    def _present(self, path: str) -> bool:
        """Return whether a file of the page is there; True for whatever is none."""
        _, mark, rest = path.partition("/_solara/cdn/")
        if not mark:
            return True
        file = (self.assets / rest).resolve()
        inside = file.is_relative_to(self.assets.resolve())
        return inside and (file.is_file() or (file / "__main.js").is_file())


def _name(host: str) -> str:
    """Return the name in a Host header, without its port."""
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def _with_policy(send: Any, host: bytes) -> Any:
    policy = POLICY.format(host=host.decode("latin-1")).encode("latin-1")

    async def wrapped(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            added = [
                (b"content-security-policy", policy),
                (b"x-content-type-options", b"nosniff"),
                (b"referrer-policy", b"no-referrer"),
            ]
            message = {**message, "headers": [*message.get("headers", []), *added]}
        await send(message)

    return wrapped
