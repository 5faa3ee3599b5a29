"""A browser without a screen, for pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
browsing = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver: apt install them")
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --no-proxy-server --allow-file-access-from-files"
    " --force-prefers-reduced-motion"
)


@contextmanager
def chromium() -> Iterator[Any]:
    """It logs what its console and its network say."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER, env={**os.environ, "NO_PROXY": "*"}))
    driver.set_script_timeout(60)
    try:
        yield driver
    finally:
        driver.quit()
