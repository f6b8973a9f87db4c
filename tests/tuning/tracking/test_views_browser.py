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
from urllib.parse import quote

import pytest
from mlflow.entities import Run

from srcnn.tuning.adapters.mlflow_internals import run_address
from srcnn.tuning.report.build import report_after
from srcnn.tuning.tracking import views

from _servers import MlflowServer
from browsed_search import Browsed

selenium = pytest.importorskip("selenium.webdriver")
PROGRAMS = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(None in PROGRAMS, reason="Chromium or its driver is not installed"),
]
PATIENCE = 120.0  # a page of a busy machine


class Browser:
    """Chromium, and what its pages ask for."""

    def __init__(self, pictures: Path | None) -> None:
        options = selenium.ChromeOptions()
        options.binary_location = PROGRAMS[0]
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1800,2000"):
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


def page(server: MlflowServer, run: Run) -> str:
    return run_address(server.uri, run.info.experiment_id, run.info.run_id)


def mine(browser: Browser, server: MlflowServer) -> None:
    assert browser.hosts() == {server.uri.removeprefix("http://")}


def test_the_printed_address_compares_the_trials_without_a_click(
    browsed: Browsed, server: MlflowServer, browser: Browser
) -> None:
    address = views.address(server.uri, "browsed")
    assert "viewStateShareKey=browsed-trials" in address and address.startswith(server.uri)
    assert address.replace(server.uri, views.UI) == views.address(browsed.uri, "browsed")
    trials = [run for run in browsed.children if run.data.tags["stage"] == "search"]
    charts = ("Comparison", "Parallel Coordinates", "learning_rate vs. best/val_gain", "macs vs. best/val_gain")
    shown = browser.open(address, *charts, "Group: 2", "Group: 3", *(run.info.run_name for run in trials))
    assert f"{len(trials)} matching runs" in shown and " seed " not in shown  # as in the names of confirmations
    assert browser.wait("document.querySelectorAll('.js-plotly-plot, .parcoords').length >= 4")
    browser.picture("trials")
    mine(browser, server)


def test_the_table_of_a_view_has_its_columns_and_its_order(
    browsed: Browsed, server: MlflowServer, browser: Browser
) -> None:
    address = views.address(server.uri, "browsed").replace("&compareRunsMode=CHART", "")
    best = max(
        (run for run in browsed.children if run.data.tags["stage"] == "search" and run.data.params["scale"] == "2"),
        key=lambda run: run.data.metrics.get("best/val_gain", -1.0),
    )
    shown = browser.open(address, "best/val_gain", "kernels", "n1", "Sort: best/val_gain", best.info.run_name)
    names = [run.info.run_name for run in browsed.children if run.data.tags["stage"] == "search"]
    assert min((shown.index(name), name) for name in names if name.startswith("x2"))[1] == best.info.run_name
    browser.picture("table")
    mine(browser, server)


def test_confirmations_and_all_searches_have_views_as_well(
    browsed: Browsed, server: MlflowServer, browser: Browser
) -> None:
    seeds = [run.info.run_name for run in browsed.children if run.data.tags["stage"] != "search"]
    shown = browser.open(views.address(server.uri, "browsed", view="confirmations"), "Comparison", "Group: x2", *seeds)
    assert f"{len(seeds)} matching runs" in shown
    browser.picture("confirmations")
    mine(browser, server)
    browser.open(views.address(server.uri, "browsed", view="searches"), "1 matching run", "champion/x3/gain", "browsed")
    browser.picture("searches")
    mine(browser, server)


def test_the_page_of_a_search_shows_words_pictures_data_sets_and_links(
    browsed: Browsed, server: MlflowServer, browser: Browser
) -> None:
    parent = browsed.parent
    digest = parent.data.tags["data.digest"]
    shown = browser.open(
        page(server, parent), "Compare the trials", digest, "judged by 2 further seeds", "took_seconds"
    )
    assert "12 trials (" in shown and "Evaluation runs" not in shown  # as in the mode for language models
    pictures = "[...document.querySelectorAll('img')].filter(one => one.src.includes('get-artifact'))"
    assert browser.wait(f"{pictures}.length >= 6 && {pictures}.every(one => one.naturalWidth === 160)")
    links = "[...document.querySelectorAll('a')].filter(one => one.innerText === 'Compare the trials')"
    assert browser.wait(f"{links}[0].href") == views.address(server.uri, "browsed")
    browser.picture("search")
    mine(browser, server)


def test_the_page_of_a_trial_shows_what_varies_its_data_set_and_its_model(
    browsed: Browsed, server: MlflowServer, browser: Browser
) -> None:
    (version,) = browsed.client.search_model_versions("name='srcnn-x3'")
    trial = browsed.client.get_run(version.run_id)
    digest = browsed.parent.data.tags["data.digest"]
    browser.open(page(server, trial), "Parameters (8)", digest, "srcnn-x3", f"models:/srcnn-x3/{version.version}")
    browser.picture("trial")
    mine(browser, server)


def test_the_registry_names_the_data_and_leads_back_to_the_search(
    browsed: Browsed, server: MlflowServer, browser: Browser
) -> None:
    (version,) = browsed.client.search_model_versions("name='srcnn-x2'")
    digest = browsed.parent.data.tags["data.digest"]
    browser.open(f"{server.uri}/#/models/srcnn-x2/versions/{version.version}", "of the search browsed", digest)
    links = "[...document.querySelectorAll('a')].filter(one => one.innerText === 'browsed')"
    assert browser.wait(f"{links}[0].href") == page(server, browsed.parent)
    browser.picture("registry")
    mine(browser, server)


def test_two_trials_side_by_side_differ_in_what_varies(
    browsed: Browsed, server: MlflowServer, browser: Browser
) -> None:
    pair = [run for run in browsed.children if run.data.tags["stage"] == "search"][:2]
    runs = json.dumps([run.info.run_id for run in pair])
    experiments = json.dumps([browsed.parent.info.experiment_id])
    address = f"{server.uri}/#/compare-runs?runs={quote(runs)}&experiments={quote(experiments)}"
    browser.open(address, *(run.info.run_name for run in pair), "learning_rate")
    browser.picture("compare")
    mine(browser, server)


def test_the_report_of_a_search_is_shown_among_its_artifacts(
    browsed: Browsed, server: MlflowServer, browser: Browser
) -> None:
    report_after(browsed.uri, "browsed", browsed.folder / "report")
    run, _, mode = page(server, browsed.parent).partition("?")
    browser.open(f"{run}/artifacts/report/report.html?{mode}", "report.html")
    browser.wait("document.querySelector('iframe') !== null")
    browser.driver.switch_to.frame(browser.driver.find_element("css selector", "iframe"))
    shown = browser.wait("document.body.innerText.includes('In short') && document.body.innerText")
    assert "Before and after" in shown and "How to run it again" in shown
    assert browser.wait("[...document.images].every(one => one.complete && one.naturalWidth > 0)")
    browser.driver.switch_to.default_content()
    browser.picture("report")
    mine(browser, server)
