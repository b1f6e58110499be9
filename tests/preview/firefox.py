"""A real Firefox on a display of its own, controlled over WebDriver BiDi.

Without a display Firefox has no WebGL, also when headless; Xvfb gives it one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
XVFB = shutil.which("Xvfb")
TIMEOUT_S = 90.0
QUIET = subprocess.DEVNULL

SETTINGS = {
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "remote.active-protocols": 1,
    "webgl.force-enabled": True,
}

needs_firefox = pytest.mark.skipif(
    FIREFOX is None or XVFB is None, reason="needs Firefox (firefox-esr) and Xvfb (xvfb)"
)


@dataclass
class Firefox:
    """One tab, and the errors that it reported."""

    connection: ClientConnection
    tab: str = ""
    errors: list[str] = field(default_factory=list)

    def command(self, method: str, **parameters: Any) -> Any:
        """Send a command and wait for its result; collect the errors reported meanwhile."""
        self.connection.send(json.dumps({"id": 1, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.connection.recv(TIMEOUT_S))
            if message["type"] == "error":
                raise RuntimeError(f"{method}: {message['message']}")
            if message["type"] == "success":
                return message["result"]
            if message["params"].get("level") == "error":
                self.errors.append(message["params"]["text"])

    def evaluate(self, expression: str) -> Any:
        """Evaluate an expression, or wait for the promise that it is."""
        code = f"Promise.resolve({expression}).then(value => JSON.stringify(value ?? null))"
        target = {"context": self.tab}
        message = self.command("script.evaluate", expression=code, target=target, awaitPromise=True)
        assert message["type"] == "success", message["exceptionDetails"]["text"]
        return json.loads(message["result"]["value"])

    def until(self, expression: str) -> None:
        """Wait for an expression to become true."""
        reason = f"{expression}; {self.errors}"
        wait_until(lambda: self.evaluate(expression), TIMEOUT_S, reason=reason, interval_s=0.05)

    def visit(self, url: str) -> None:
        """Open a page and wait for its first face."""
        self.command("browsingContext.navigate", context=self.tab, url=url, wait="complete")
        self.until("!!window.cstalk")
        self.evaluate("cstalk.ready.then(() => true)")


@contextmanager
def firefox(folder: Path) -> Iterator[Firefox]:
    """Run Firefox with a fresh profile in a folder."""
    lines = (f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in SETTINGS.items())
    (folder / "user.js").write_text("\n".join(lines), encoding="utf-8")
    command = [str(FIREFOX), "--no-remote", "--profile", str(folder), "--remote-debugging-port=0"]
    with _display() as display:
        environment = {
            **os.environ,
            "DISPLAY": display,
            "MOZ_ENABLE_WAYLAND": "0",
            "HOME": str(folder),
        }
        with (
            _running(command, stdout=QUIET, stderr=QUIET, env=environment),
            connect(f"{_address(folder)}/session", max_size=None, proxy=None) as connection,
        ):
            browser = Firefox(connection)
            browser.command("session.new", capabilities={})
            browser.command("session.subscribe", events=["log.entryAdded"])
            browser.tab = browser.command("browsingContext.getTree")["contexts"][0]["context"]
            yield browser


@contextmanager
def _display() -> Iterator[str]:
    command = [str(XVFB), "-displayfd", "1", "-screen", "0", "800x800x24", "-nolisten", "tcp"]
    with _running(command, stdout=subprocess.PIPE, stderr=QUIET) as process:
        assert process.stdout is not None
        yield f":{int(process.stdout.readline())}"


@contextmanager
def _running(command: list[str], **how: Any) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, **how) as process:
        try:
            yield process
        finally:
            process.kill()


def _address(profile: Path) -> str:
    """Wait for the file in which Firefox writes its address."""
    path = profile / "WebDriverBiDiServer.json"

    def read() -> str:
        with suppress(FileNotFoundError, json.JSONDecodeError):
            address = json.loads(path.read_text(encoding="utf-8"))
            return f"ws://{address['ws_host']}:{address['ws_port']}"
        return ""

    return wait_until(read, TIMEOUT_S, reason=str(path))
