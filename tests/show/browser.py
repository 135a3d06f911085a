# SPDX-License-Identifier: MIT
"""Debian's Chromium without a window: a page as a person meets it, and what the browser says of it meanwhile."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
# The sandbox is not for root; a container's /dev/shm may be too small; the rest keeps the browser from calling home.
FLAGS = (
    "headless",
    "no-sandbox",
    "disable-gpu",
    "disable-dev-shm-usage",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
)


class Browser:
    """One tab. `profile`: an empty folder."""

    def __init__(self, profile: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for flag in (*FLAGS, f"user-data-dir={profile}"):
            options.add_argument(f"--{flag}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        # with both paths given selenium looks for no driver of its own, which it would download
        self.driver = webdriver.Chrome(options=options, service=Service(executable_path=str(DRIVER)))

    def close(self) -> None:
        self.driver.quit()

    def open(self, page: Path, width: int = 1280, height: int = 900, scheme: str = "light", fragment: str = "") -> None:
        """Load it anew, on a screen of this size in pixels that prefers `scheme`."""
        self.media(scheme)
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.driver.get("about:blank")
        self.said()
        self.driver.get(page.as_uri() + fragment)
        # On a busy machine the driver may come back before the new page is parsed, as it watches the blank one.
        WebDriverWait(self.driver, 60).until(
            lambda _: self.run("return location.protocol + document.readyState") == "file:complete"
        )

    def media(self, scheme: str, media: str = "screen") -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.devtools("Emulation.setEmulatedMedia", media=media, features=features)

    def devtools(self, command: str, **arguments: Any) -> Any:
        return self.driver.execute_cdp_cmd(command, arguments)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run the body of a JavaScript function and return its value. The page's security policy does not hold for it."""
        return self.driver.execute_script(script, *arguments)

    def said(self) -> tuple[list[str], list[str]]:
        """Return (messages in the console of any level, requested addresses) since the last call of this."""
        messages = [entry["message"] for entry in self.driver.get_log("browser")]
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return messages, asked

    def screenshot(self) -> bytes:
        return base64.b64decode(self.driver.get_screenshot_as_base64())

    def printed(self) -> bytes:
        """Return the page as PDF, as Ctrl-P makes it without background graphics."""
        return base64.b64decode(self.devtools("Page.printToPDF", preferCSSPageSize=True, printBackground=False)["data"])
