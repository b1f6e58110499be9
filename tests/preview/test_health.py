"""The health of a running bridge over HTTP: its status, who may read it, and where it is served."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cstalk_bridge.config.load import ConfigOverrides, override
from cstalk_bridge.config.schema import Config, HealthConfig
from cstalk_bridge.control.controller import Controller
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.preview.health import KEPT_S
from cstalk_bridge.preview.server import open_health
from cstalk_bridge.system.addresses import bind
from tests.control.running import RunningBridge, running_bridge
from tests.outputs.receiving import receiver
from tests.preview.serving import TIMEOUT_S, Answer
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "a-token-of-ours"  # noqa: S105 - a secret of nobody
ANY = "0.0.0.0"  # noqa: S104 - behind a token, for as long as a test


def ask(port: int, path: str, method: str = "GET", **headers: str) -> Answer:
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request(
            method, path, headers={name.replace("_", "-"): text for name, text in headers.items()}
        )
        answer = connection.getresponse()
        names = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, names, answer.read())
    finally:
        connection.close()


@contextmanager
def health_port(controller: Controller, **config: object) -> Iterator[int]:
    """Serve the health of a controller at a free port."""
    spec = HealthConfig.model_validate({"port": 0, **config})
    with open_health(spec, controller) as server:
        server.start(lambda _text: None)
        yield int(server.url.partition("?")[0].rsplit(":", 1)[1].partition("/")[0])


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBridge]:
    with running_bridge(tmp_path_factory.mktemp("bridge")) as running:
        yield running


def test_the_status_is_that_of_the_worst_state(tmp_path: Path) -> None:
    with receiver() as gone:
        port_of_unreal = gone.target.port
    links = [f"osc://127.0.0.1:{port_of_unreal}/face"]
    subject = {"name": "Ada", "audio": {"input": "test"}, "links": links}
    with (
        running_bridge(tmp_path, subjects=[subject]) as running,
        health_port(running.controller) as port,
    ):
        wait_until(lambda: ask(port, "/health").status == 503)
        document = ask(port, "/health").document
        assert (document["state"], document["is_healthy"]) == ("NO RECEIVER", False)
        assert document["subjects"][0]["links"][0]["lamp"] == "NO RECEIVER"
        with bind("udp", "127.0.0.1", port_of_unreal):
            wait_until(lambda: ask(port, "/health").document["state"] == "OK")
            assert ask(port, "/health").status == 200


def test_before_and_after_a_run_it_is_stopped() -> None:
    with health_port(Controller()) as port:
        answer = ask(port, "/health")
        assert (answer.status, answer.document["state"]) == (503, "STOPPED")
        assert ask(port, "/metrics").status == 503


def test_prometheus_reads_the_metrics_of_a_running_bridge(bridge: RunningBridge) -> None:
    bridge.packet()
    with health_port(bridge.controller) as port:
        answer = ask(port, "/metrics")
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/plain; version=")
        families = {
            family.name: family for family in text_string_to_metric_families(answer.body.decode())
        }
        (sent,) = families["cstalk_packets_sent"].samples
        assert sent.labels["link"] == f"livelink-face://{bridge.unreal.target}"
        assert sent.value > 0


def test_a_flood_of_questions_is_answered_at_most_four_times_a_second(
    bridge: RunningBridge,
) -> None:
    with health_port(bridge.controller) as port:
        begin_s = bridge.now()
        bodies = {ask(port, "/metrics").body for _ in range(40)}
        assert len(bodies) <= 2 + (bridge.now() - begin_s) / KEPT_S


def test_other_methods_and_paths_are_refused(bridge: RunningBridge) -> None:
    with health_port(bridge.controller) as port:
        assert ask(port, "/health", "POST").status == 405
        assert ask(port, "/api/session").status == 404
        assert ask(port, "/", Host="evil.example").status == 421
        assert ask(port, "/fleet").status == 200
        assert ask(port, "/page/fleet.js").status == 200
        assert ask(port, "/page/../health.py").status == 404


def test_without_a_token_pages_of_this_machine_alone_may_read_the_health(
    bridge: RunningBridge,
) -> None:
    with health_port(bridge.controller) as port:
        for origin in ("http://127.0.0.1:9", "http://localhost:8520", "http://[::1]:8530"):
            answer = ask(port, "/health", Origin=origin)
            assert answer.headers["access-control-allow-origin"] == origin
            assert answer.headers["vary"] == "origin"
        for origin in ("https://evil.example", "null", "http://127.0.0.1.evil.example", "http://["):
            answer = ask(port, "/health", Origin=origin)
            assert "access-control-allow-origin" not in answer.headers
        for path, method in (("/metrics", "GET"), ("/health", "OPTIONS"), ("/fleet", "GET")):
            answer = ask(port, path, method, Origin="http://127.0.0.1:9")
            assert "access-control-allow-origin" not in answer.headers
            assert "access-control-allow-methods" not in answer.headers


def test_with_a_token_whoever_shows_it_may_read_and_nobody_else(bridge: RunningBridge) -> None:
    with health_port(bridge.controller, host=ANY, token=TOKEN) as port:
        for path in ("/health", "/metrics", "/fleet", "/health?token=a-token-of-mine"):
            assert ask(port, path, Origin="http://10.0.0.5:8530").status == 401
        assert ask(port, "/health", Authorization="Bearer wrong").status == 401
        assert ask(port, "/metrics", Authorization=f"Bearer {TOKEN}").status == 200
        answer = ask(port, f"/health?token={TOKEN}", Origin="http://10.0.0.5:8530")
        assert answer.headers["access-control-allow-origin"] == "http://10.0.0.5:8530"
        assert "access-control-allow-credentials" not in answer.headers
        opened = ask(port, f"/fleet?token={TOKEN}&bridge=10.0.0.5:8530")
        assert (opened.status, opened.headers["location"]) == (
            303,
            "/fleet?bridge=10.0.0.5%3A8530",
        )
        cookie = opened.headers["set-cookie"].partition(";")[0]
        assert ask(port, "/fleet", Cookie=cookie).status == 200
        answer = ask(port, "/health", Cookie=cookie, Origin="http://127.0.0.1:9")
        assert "access-control-allow-origin" not in answer.headers


def test_other_machines_need_a_token_even_where_none_is_configured() -> None:
    spec = HealthConfig.model_validate({"host": ANY, "port": 0})
    with open_health(spec, Controller()) as server:
        assert "/health?token=" in server.url


def test_an_address_that_cannot_be_had_is_a_user_error() -> None:
    with ExitStack() as closing, bind("tcp", "127.0.0.1", 0) as taken:
        spec = HealthConfig(port=taken.getsockname()[1])
        with pytest.raises(UserError, match="is in use"):
            closing.enter_context(open_health(spec, Controller()))


def test_config_and_flag_name_the_address() -> None:
    assert Config().health is None
    assert str(Config.model_validate({"health": True}).health) == "127.0.0.1:8530"
    flagged = override(Config(), ConfigOverrides(health="0.0.0.0:9000"))
    assert str(flagged.health) == "0.0.0.0:9000"
    assert json.loads(flagged.model_dump_json())["health"]["port"] == 9000
