"""A report in a real browser: the slider moves by keyboard, a phone needs no scrolling sideways, nothing is requested."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from srcnn.tuning.report.document.document import Cell, Comparison, Document, Figure, Section, Shot, Table, Text
from srcnn.tuning.report.document.write import write

from report_parts import picture

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install selenium")
BROWSER, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not BROWSER or not DRIVER, reason="Chromium and chromedriver are not installed")

KINDS = ("original", "bicubic", "reference", "champion")


def document() -> Document:
    shots = {kind: Shot(kind, picture(60 * place, 32, 24)) for place, kind in enumerate(KINDS)}
    comparison = Comparison("crop-x3-1", shots, "One crop.", "Part of baby:", 32, "bicubic", "champion")
    table = Table("wide", tuple(f"column {i}" for i in range(12)), (tuple(Cell(f"value {i}") for i in range(12)),))
    figures = tuple(Figure(f"f{i}", picture(90, 624, 300), "A figure.", "A figure", half=i < 2) for i in range(3))
    text = Text(
        "A long word: `" + "x" * 90 + "`\n\n```\npython experiments/search.py " + "--flag value " * 20 + "\n```"
    )
    return Document(
        "Search mine", "", (Section("Before and after", (comparison,)), Section("Rest", (text, table, *figures)))
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(document(), tmp_path_factory.mktemp("report"))[1]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    profile = tmp_path_factory.mktemp("profile")
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={profile}",
        "--window-size=1300,900",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def requested(browser: Any) -> set[str]:
    """Return the schemes of everything that was asked for since the last call, but for the browser's own pages."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return {url.partition(":")[0] for url in sent} - {"chrome", "chrome-untrusted"}


def test_the_slider_moves_by_keyboard_and_nothing_is_requested(browser: Any, page: Path) -> None:
    browser.get(page.as_uri())
    body, slide = (browser.find_element("css selector", name) for name in ("body", ".slider input"))
    for _ in range(20):  # to it with the keyboard alone
        body.send_keys("\ue004")
        if browser.switch_to.active_element == slide:
            break
    assert browser.switch_to.active_element == slide and slide.is_displayed()
    over = browser.find_element("css selector", ".stage .over")

    def state() -> tuple[str, str]:
        return slide.get_attribute("value"), over.value_of_css_property("clip-path")

    assert state() == ("50", "inset(0px 0px 0px 50%)")
    slide.send_keys("\ue014")  # arrow to the right
    assert state() == ("51", "inset(0px 0px 0px 51%)")
    slide.send_keys("\ue011")  # home
    assert state()[0] == "0" and slide.get_attribute("aria-valuetext") == "0 % bicubic, the rest champion"
    sides = browser.find_elements("css selector", ".sides select")
    assert [side.get_attribute("value") for side in sides] == ["bicubic", "champion"]
    sides[0].send_keys("original")
    assert slide.get_attribute("aria-valuetext") == "0 % original, the rest champion"
    shown = [one.get_attribute("src") for one in browser.find_elements("css selector", ".stage img")]
    shots = {
        one.get_attribute("data-key"): one.get_attribute("src")
        for one in browser.find_elements("css selector", ".shots img")
    }
    assert shown == [shots["original"], shots["champion"]]
    assert {"file"} <= requested(browser) <= {"file", "data"}
    assert [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.parametrize("width", [390, 1300])
def test_no_width_needs_scrolling_sideways(browser: Any, page: Path, width: int) -> None:
    browser.get(page.as_uri())
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    )
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    halves = browser.find_elements("css selector", "figure.half")
    beside = halves[0].rect["y"] == halves[1].rect["y"]
    assert beside is (width > 700)


def test_without_scripts_the_pictures_stand_side_by_side(browser: Any, page: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(page.as_uri())
        assert not browser.find_element("css selector", ".slider").is_displayed()
        shots = browser.find_elements("css selector", ".shots img")
        assert len(shots) == len(KINDS) and all(one.is_displayed() for one in shots)
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
