"""The watch page in Chromium, while a real search runs and after it; skipped where Chromium or selenium is not installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from srcnn.tuning.driver.live_state import FILE
from srcnn.tuning.watch.server import WatchServer

from checkout import ROOT
from watch_states import HOSTILE, put, state, trial

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
common = pytest.importorskip("selenium.common.exceptions")
WebDriverWait = pytest.importorskip("selenium.webdriver.support.wait").WebDriverWait
_CHROMIUM, _DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(_CHROMIUM is None or _DRIVER is None, reason="Chromium or chromedriver is not installed"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

Browse = Callable[..., Any]


@pytest.fixture
def browse() -> Iterator[Browse]:
    """A function that opens a browser, with or without JavaScript."""
    opened = []

    def start(*, script: bool = True, size: str = "1300,1000") -> Any:
        options = webdriver.ChromeOptions()
        options.binary_location = _CHROMIUM
        for flag in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            f"--window-size={size}",
        ):
            options.add_argument(flag)
        if not script:
            content = {"profile.managed_default_content_settings.javascript": 2}
            options.add_experimental_option("prefs", content)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(_DRIVER))
        browser.set_page_load_timeout(120)
        opened.append(browser)
        return browser

    yield start
    for browser in opened:
        browser.quit()


@pytest.fixture
def serve() -> Iterator[Callable[[Path], WatchServer]]:
    servers: list[tuple[WatchServer, threading.Thread]] = []

    def start(folder: Path) -> WatchServer:
        server = WatchServer(folder, 0, folder / "reports")
        thread = threading.Thread(target=server.run)
        thread.start()
        servers.append((server, thread))
        return server

    yield start
    for server, thread in servers:
        server.close()
        thread.join()


def requests(browser: Any) -> list[str]:
    """Addresses of all requests of the pages so far; the entries are handed out once."""
    found = []
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            found.append(message["params"]["request"]["url"])
    return found


def hosts(browser: Any) -> set[str]:
    return {urlsplit(address).netloc for address in requests(browser) if not address.startswith("data:")}


def complaints(browser: Any) -> list[str]:
    """What the console says: errors of scripts and what the content security policy has stopped."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def text_of(browser: Any) -> str:
    return str(browser.execute_script("return document.body.innerText"))


def wait_for(browser: Any, words: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while words not in text_of(browser):
        assert time.monotonic() < until, f"{words!r} did not appear: {text_of(browser)}"
        time.sleep(0.1)


def test_the_page_follows_the_state_and_keeps_focus_and_scroll(
    tmp_path: Path, browse: Browse, serve: Callable[[Path], WatchServer]
) -> None:
    folder = tmp_path / "today"
    server, browser = serve(folder), browse()
    browser.get(server.address)
    wait_for(browser, "has written no live.json yet")
    rows = [trial(str(i), (0.1, 0.2), state="stopped") for i in range(40)]
    put(folder, state(*rows, trial("first")))
    wait_for(browser, "x3 9-1-5 first")  # the page begins by itself
    browser.execute_script(
        "document.getElementById('every').open = true; document.querySelector('#every summary').focus();"
        "document.querySelector('#every summary').dataset.mark = 'kept'; window.scrollTo(0, 400);"
    )
    put(folder, state(*rows, trial("second", (0.1, 0.9))))
    wait_for(browser, "x3 9-1-5 second")
    assert browser.execute_script("return document.activeElement.dataset.mark") == "kept"
    assert browser.execute_script("return document.getElementById('every').open")
    assert browser.execute_script("return window.scrollY") == 400
    # It can be held, which a page that changes by itself must offer.
    browser.execute_script("document.getElementById('refresh').click()")
    put(folder, state(*rows, trial("third")))
    time.sleep(2.5)
    assert "x3 9-1-5 third" not in text_of(browser)
    browser.execute_script("document.getElementById('refresh').click()")
    wait_for(browser, "x3 9-1-5 third")
    assert complaints(browser) == []
    assert hosts(browser) == {f"127.0.0.1:{server.port}"}


def test_names_are_texts_and_no_scripts(tmp_path: Path, browse: Browse, serve: Callable[[Path], WatchServer]) -> None:
    folder = put(tmp_path / "today", state({**trial("a"), "name": HOSTILE}, search=HOSTILE))
    server, browser = serve(folder), browse()
    browser.get(server.address)
    put(folder, state({**trial("a"), "name": HOSTILE}, {**trial("b"), "name": f"{HOSTILE} second"}, search=HOSTILE))
    wait_for(browser, "second")
    assert browser.title == f"{HOSTILE} – search"
    assert browser.execute_script("return document.images.length + document.scripts.length") == 1
    assert complaints(browser) == []


def test_without_javascript_it_is_read_and_renews_itself(
    tmp_path: Path, browse: Browse, serve: Callable[[Path], WatchServer]
) -> None:
    folder = put(
        tmp_path / "today", state(trial("first"), trial("paper", (0.1, 0.2), reference=True, state="finished"))
    )
    server, browser = serve(folder), browse(script=False, size="390,900")
    browser.get(server.address)
    shown = browser.find_element("tag name", "body").text
    for part in ("Search today", "x3 9-1-5 first", "1 of 12 ended", "x3, 2 trials"):
        assert part in shown
    assert "keep up to date" not in shown  # which needs scripts
    put(folder, state(trial("second")))
    # While the page renews itself, the document has no body for a moment, or the element is of the page before.
    between = (common.NoSuchElementException, common.StaleElementReferenceException)
    later = WebDriverWait(browser, 60, ignored_exceptions=between)
    later.until(lambda page: "x3 9-1-5 second" in page.find_element("tag name", "body").text)
    assert hosts(browser) == {f"127.0.0.1:{server.port}"}


def test_on_a_phone_nothing_sticks_out(tmp_path: Path, browse: Browse, serve: Callable[[Path], WatchServer]) -> None:
    rows = [trial(f"with a rather long name {i}", (0.1, 0.2), scale=2 + i % 3) for i in range(6)]
    about = {"ui": "mlflow ui --backend-store-uri sqlite:////a/long/path/without/any/space/in/it/mlflow.db"}
    server, browser = serve(put(tmp_path / "today", state(*rows, about=about))), browse()
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    )
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.get(server.address)
        assert browser.execute_script("return document.documentElement.scrollWidth") == 390
        ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(22, 24, 28)")


def test_keys_reach_everything(tmp_path: Path, browse: Browse, serve: Callable[[Path], WatchServer]) -> None:
    server, browser = serve(put(tmp_path / "today", state(trial("a")))), browse()
    browser.get(server.address)
    seen = []
    for _ in range(7):
        browser.switch_to.active_element.send_keys("\ue004")  # the tab key
        script = "var e = document.activeElement; return e.getAttribute('aria-label') || e.id || e.textContent"
        seen.append(browser.execute_script(script))
    assert seen == [
        "to the content", "refresh", "The report so far", "state as JSON", "best trial of each scale", "running trials",
        "Table of all trials",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_real_search_is_watched_to_its_end(
    with_store: Path, browse: Browse, serve: Callable[[Path], WatchServer]
) -> None:
    folder = with_store / "mlruns" / "ray" / "watched"
    server, browser = serve(folder), browse()
    browser.get(server.address)
    program = (
        "from srcnn.tuning import configure; configure()\n"
        "from small_search import settings\n"
        "from srcnn.tuning.whole_search.run import plan_search, run_search\n"
        "run_search(plan_search(settings('watched', trials=3, scales=(3,), max_concurrent=1)))\n"
    )
    path = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tests')!r}]\n"
    search = subprocess.Popen([sys.executable, "-c", path + program], stdout=subprocess.DEVNULL)
    try:
        wait_for(browser, "running: process", 240)
        wait_for(browser, "/9", 240)  # an epoch of nine
        assert str(search.pid) in text_of(browser)
        wait_for(browser, "all stages are done", 240)
        assert search.wait(60) == 0
    finally:
        search.kill()
        search.wait()
    shown = text_of(browser)
    assert "3 of 3 ended" in shown and "optuna-dashboard" in shown
    assert len(browser.find_elements("css selector", "svg.curves")) == 1
    data = json.loads((folder / FILE).read_text(encoding="utf-8"))
    assert {one["state"] for one in data["trials"]} <= {"finished", "stopped"}
    browser.get(f"{server.address}report/")
    wait_for(browser, "Search watched", 300)
    assert hosts(browser) == {f"127.0.0.1:{server.port}"}
    assert complaints(browser) == []
