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


def misnamed(browser: Any) -> list[str]:
    """What axe-core finds critical or serious of our pages' kind: labels, names, lists, landmarks."""
    found: list[str] = browser.execute_script(
        """const wrong = [], say = (what, element) => wrong.push(`${what}: ${element.outerHTML.slice(0, 120)}`);
    const words = (text) => text.toLowerCase().replace(/[^\\p{L}\\p{N}]+/gu, ' ').trim();
    for (const label of document.querySelectorAll('label')) {
        const of = label.control;
        if (!of) say('a label of nothing', label);
        else if (!words(of.getAttribute('aria-label') ?? label.textContent).includes(words(label.textContent)))
            say('called by another name', of);
    }
    for (const each of document.querySelectorAll('button[aria-label]'))
        if (!words(each.getAttribute('aria-label')).includes(words(each.textContent))) say('misnamed', each);
    for (const list of document.querySelectorAll('[role=list]'))
        if (![...list.children].every((part) => part.getAttribute('role') === 'listitem')) say('no list', list);
    for (const each of document.querySelectorAll('body > *:not(header, main, [role=status], noscript, script)'))
        say('outside', each);
    return wrong;"""
    )
    return found
