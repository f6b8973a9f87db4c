"""MLflow's pages of a real search in headless Chromium: views, search, trial, comparison and registry; no other host is asked.

Skips without Chromium and its driver (Debian: ``apt-get install chromium chromium-driver``).
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from srcnn.tuning.tracking import views

from _servers import MlflowServer
from browsed_search import Browsed

selenium = pytest.importorskip("selenium.webdriver")
PROGRAMS = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(None in PROGRAMS, reason="Chromium or its driver is not installed")
PATIENCE = 120.0  # a page of a busy machine


class Browser:
    """Chromium, and what its pages ask for."""

    def __init__(self, pictures: Path | None) -> None:
        options = selenium.ChromeOptions()
        options.binary_location = PROGRAMS[0]
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1600,1200"):
            options.add_argument(argument)
        for argument in ("--disable-background-networking", "--disable-component-update", "--no-first-run"):
            options.add_argument(argument)  # else the browser itself asks its maker
        options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
        self.driver = selenium.Chrome(options=options, service=selenium.ChromeService(PROGRAMS[1]))
        self.driver.set_page_load_timeout(PATIENCE)
        self._pictures = pictures

    def open(self, address: str, *texts: str) -> str:
        """Open an address without a click, wait until the page shows the texts, and return what it shows."""
        self.driver.get("about:blank")
        self.driver.get_log("performance")
        self.driver.get(address)
        end, shown = time.monotonic() + PATIENCE, ""
        while time.monotonic() < end:
            shown = self.driver.execute_script("return document.body.innerText")
            if all(text in shown for text in texts):
                return str(shown)
            time.sleep(0.5)
        missing = [text for text in texts if text not in shown]
        raise AssertionError(f"{address} does not show {missing}, but {shown[:4000]}")

    def wait(self, script: str) -> Any:
        """Wait until a script returns something true, and return it."""
        end = time.monotonic() + PATIENCE
        while not (found := self.driver.execute_script(f"return {script}")):
            assert time.monotonic() < end, script
            time.sleep(0.5)
        return found

    def hosts(self) -> set[str]:
        """Every host that pages asked since the last call of `open`, with its port."""
        asked = set()
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                kind, _, rest = message["params"]["request"]["url"].partition("://")
                asked |= {rest.partition("/")[0]} if kind.startswith(("http", "ws")) else set()
        return asked

    def picture(self, name: str) -> None:
        """Keep a picture of the page if a folder for it is given."""
        if self._pictures is not None:
            self.driver.save_screenshot(str(self._pictures / f"{name}.png"))


@pytest.fixture(scope="module")
def server(browsed: Browsed) -> Iterator[MlflowServer]:
    made = MlflowServer(browsed.uri, browsed.folder / "artifacts", browsed.folder / "server.log")
    with made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    folder = os.environ.get("SRCNN_SCREENSHOTS")
    made = Browser(None if folder is None else Path(folder))
    yield made
    made.driver.quit()


def mine(browser: Browser, server: MlflowServer) -> None:
    assert browser.hosts() == {server.uri.removeprefix("http://")}


def test_the_printed_address_compares_the_trials_without_a_click(
    browsed: Browsed, server: MlflowServer, browser: Browser
) -> None:
    address = views.address(server.uri, "browsed")
    assert "viewStateShareKey=browsed-trials" in address and address.startswith(server.uri)
    trials = [run for run in browsed.children if run.data.tags["stage"] == "search"]
    shown = browser.open(
        address, "gain over bicubic by epoch", "what varies, and the best gain", trials[0].info.run_name
    )
    assert all(run.info.run_name in shown for run in trials)
    assert "seed" not in shown.replace("seeds", "")  # runs of the confirmation have it in their names
    assert browser.wait("document.querySelectorAll('.js-plotly-plot').length") >= 3
    browser.picture("trials")
    mine(browser, server)
    assert address.replace(server.uri, views.UI) == views.address(browsed.uri, "browsed")
