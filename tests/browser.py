"""A headless Chromium for tests, spoken to by the W3C WebDriver protocol through chromedriver."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
AVAILABLE = bool(CHROMIUM and DRIVER)


class Browser:
    """One browser window."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}/session"
        options = {
            "binary": CHROMIUM,
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1300,900"],
        }
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        answer = self._post("", {"capabilities": {"alwaysMatch": wanted}})
        self.base += f"/{answer['sessionId']}"

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        data = json.dumps(body).encode()
        request = urllib.request.Request(
            self.base + path, data, {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def open(self, address: str) -> None:
        self._post("/url", {"url": address})

    def run(self, script: str, *values: Any) -> Any:
        """Run a script's body; what it returns comes back."""
        return self._post("/execute/sync", {"script": script, "args": list(values)})

    def run_until(self, script: str, *values: Any) -> Any:
        """Run a script that calls its last argument with the result."""
        return self._post("/execute/async", {"script": script, "args": list(values)})

    def console(self) -> list[dict[str, Any]]:
        """Return what the console has said since the last call."""
        return self._post("/se/log", {"type": "browser"})

    def close(self) -> None:
        request = urllib.request.Request(self.base, method="DELETE")
        with contextlib.suppress(OSError):
            urllib.request.urlopen(request, timeout=30).close()


@contextlib.contextmanager
def browser(log: Path) -> Iterator[Browser]:
    """Give a browser window for the time of a test; the driver's messages go to a file."""
    with log.open("wb") as file:
        driver = subprocess.Popen([str(DRIVER), "--port=0"], stdout=file, stderr=file)
    try:
        window = Browser(_port(log))
        try:
            yield window
        finally:
            window.close()
    finally:
        driver.terminate()
        driver.wait(timeout=30)


def _port(log: Path) -> int:
    """Return the port that the driver says it listens on."""
    for _ in range(200):
        for line in log.read_text(errors="replace").splitlines():
            if "started successfully on port" in line:
                return int(line.rstrip(".").rsplit(" ", 1)[1])
        time.sleep(0.1)
    raise RuntimeError(f"chromedriver did not start: {log.read_text(errors='replace')}")
