"""A real server on a free port of loopback, and a client that speaks plain HTTP to it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import numpy as np
import soundfile

from cstalk_bridge.config.schema import PreviewConfig
from cstalk_bridge.preview.server import Preview, open_preview
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cstalk_bridge.models.cstalk.generator import Generator

TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def problems(self) -> str:
        """All problems in one text."""
        return "\n".join(" | ".join(p.values()) for p in self.document["problems"])


@dataclass
class Serving:
    preview: Preview
    notices: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return urlsplit(self.preview.url).netloc

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def ask(
        self,
        path: str,
        body: Any = None,
        *,
        method: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Ask once; a body that is neither bytes nor a file is sent as JSON."""
        if body is not None and not isinstance(body, bytes) and not hasattr(body, "read"):
            body = json.dumps(body).encode()
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        try:
            method = method or ("GET" if body is None else "POST")
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, names, answer.read())
        finally:
            connection.close()

    def send(self, file: IO[bytes], name: str) -> Answer:
        """Upload a file without reading it whole."""
        return self.ask(f"/api/recordings?name={quote(name)}", file)

    def upload(self, content: bytes, name: str) -> Answer:
        return self.ask(f"/api/recordings?name={quote(name)}", content)

    def begin(self, recording: str, **settings: Any) -> Any:
        """Start a take; return its description."""
        answer = self.ask("/api/takes", {"recording": recording, **settings})
        assert answer.status == 202, answer.body
        return answer.document

    def finished(self, take_id: str) -> Any:
        """Wait until a take is ready or has failed; return its description."""

        def info_at_the_end() -> Any:
            info = self.ask(f"/api/takes/{take_id}").document
            return None if info["state"] == "generating" else info

        return wait_until(info_at_the_end, TIMEOUT_S, reason=take_id)

    def take_of(self, content: bytes, name: str = "sound.wav", **settings: Any) -> Any:
        """Upload a sound and make its take."""
        answer = self.upload(content, name)
        assert answer.status == 201, answer.body
        return self.finished(self.begin(answer.document["recording"], **settings)["id"])


@contextmanager
def serve(generator: Generator, host: str = "127.0.0.1:0", **more: Any) -> Iterator[Serving]:
    token = more.pop("token", None)
    spec = PreviewConfig.parse(host, token)
    with open_preview(spec, load=lambda: generator, **more) as preview:
        serving = Serving(preview)
        preview.start(serving.notices.append)
        yield serving


def voice(seconds: float = 1.0, rate_hz: int = 16_000) -> np.ndarray[Any, Any]:
    """A voice-like buzz of 120 Hz whose level rises and falls."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    buzz = sum(np.sin(2 * np.pi * 120 * n * time_s) / n for n in range(1, 12))
    return np.asarray(0.2 * buzz * np.sin(2 * np.pi * 2 * time_s) ** 2, dtype=np.float32)


def wav(path: Path, samples: Any, rate_hz: int = 16_000, **more: Any) -> bytes:
    """Return samples as a file's content; the file lies at `path`."""
    soundfile.write(path, samples, rate_hz, **more)
    return path.read_bytes()
