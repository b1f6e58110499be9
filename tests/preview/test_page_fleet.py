"""Several bridges side by side, in Chromium."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.control.running import running_bridge
from tests.outputs.receiving import receiver
from tests.preview.browsing import browsing, needs_chromium
from tests.preview.test_health import ANY, TOKEN, health_port
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as opened:
        yield opened


def badges(page: Page, port: int) -> list[str]:
    return page.locator(f'[data-host="127.0.0.1:{port}"] .badge').all_text_contents()


@needs_chromium
def test_three_bridges_and_one_that_is_not_there_are_shown(
    tmp_path: Path, browser: Browser
) -> None:
    with receiver() as gone:
        nobody = gone.target
    deaf = {
        "name": "Bruno",
        "audio": {"input": "test"},
        "links": [f"livelink-face://{nobody}"],
    }
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
    with ExitStack() as closing:
        bridges = [
            closing.enter_context(running_bridge(folders[0], "Anna")),
            closing.enter_context(running_bridge(folders[1], subjects=[deaf])),
            closing.enter_context(running_bridge(folders[2], "Clara <b>")),
        ]
        ports = [
            closing.enter_context(health_port(bridge.controller, **config))
            for bridge, config in zip(bridges, ({}, {}, {"host": ANY, "token": TOKEN}), strict=True)
        ]
        page = browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        hosts = [f"127.0.0.1:{port}" for port in ports]
        named = "&".join(
            f"bridge={host}" for host in (hosts[0], hosts[1], f"{TOKEN}@{hosts[2]}", nobody)
        )
        page.goto(f"http://{hosts[0]}/fleet?{named}")
        wait_until(lambda: badges(page, ports[0]) == ["OK", "OK", "listening"])
        wait_until(lambda: badges(page, ports[1]) == ["NO RECEIVER", "NO RECEIVER", "NO RECEIVER"])
        wait_until(lambda: badges(page, ports[2]) == ["OK", "OK", "listening"])
        wait_until(lambda: badges(page, nobody.port) == ["NO ANSWER"])
        text = page.locator("#bridges").inner_text()
        assert f"nobody listens at {nobody}; start Unreal" in text
        assert "Clara <b>" in text
        wait_until(lambda: page.locator("#summary").inner_text() == "2 of 4 healthy")

        page.locator(f'[data-host="{nobody}"] .drop').click()
        assert str(nobody) not in page.url
        page.fill("#address", "not an address")
        page.click("#add button")
        assert "is no address" in page.locator("#problem").inner_text()
        page.fill("#address", f"http://{hosts[2]}/health?token={TOKEN}")
        page.click("#add button")
        assert page.locator(".bridge").count() == 3
        assert page.locator("#problem").is_hidden()
        assert faults == []
        page.close()


@needs_chromium
def test_a_page_of_another_machine_cannot_read_a_bridge_without_a_token(
    tmp_path: Path, browser: Browser
) -> None:
    with running_bridge(tmp_path) as bridge, health_port(bridge.controller) as port:
        page = browser.new_page()
        page.route("http://evil.example/", lambda route: route.fulfill(body="<title>evil</title>"))
        page.goto("http://evil.example/")
        read = f"fetch('http://127.0.0.1:{port}/health').then(a => a.text(), e => 'refused')"
        assert page.evaluate(read) == "refused"
        page.close()
