"""The HTML page in a real browser. ``CHROMIUM`` names it, if it is not on the PATH."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dev.browser import BrowserTab, address_of, find_chromium, new_tab, running_chromium
from fleet_telemetry.api.workload_telemetry import Sends, State
from fleet_telemetry.audit.formats.format import Screen
from fleet_telemetry.audit.formats.html_format import HtmlFormat
from fleet_telemetry.audit.result import Audit, HostName, Place
from tests.support.audits import NASTY, an_audit, finding, many, ordinary
from tests.support.loops import abort_connections

CHROMIUM = find_chromium()
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium: install Debian's chromium, or name one in CHROMIUM"
)

_SHOWN = """[...document.querySelectorAll("tbody > tr[data-namespace]")]
    .filter((row) => row.checkVisibility()).map((row) => row.querySelector("th").textContent)"""
_SCROLLS = "document.documentElement.scrollWidth > innerWidth"


@pytest.fixture(scope="module")
def browser() -> Iterator[tuple[asyncio.Runner, str]]:
    """One Chromium for all tests, and the loop that runs it."""
    with asyncio.Runner() as runner:
        chromium = running_chromium(CHROMIUM or "")
        address = runner.run(chromium.__aenter__())
        yield runner, address
        runner.run(chromium.__aexit__(None, None, None))


@pytest.fixture
def on_page(
    browser: tuple[asyncio.Runner, str], tmp_path: Path
) -> Callable[[Audit, Callable[[BrowserTab], Awaitable[None]]], None]:
    """Runs steps on the page of an audit, which has to stay without complaints and requests."""

    def run(audit: Audit, steps: Callable[[BrowserTab], Awaitable[None]]) -> None:
        file = tmp_path / "audit.html"
        file.write_text(HtmlFormat().render(audit, Screen()), encoding="utf-8")

        runner, chromium = browser

        async def main() -> None:
            async with new_tab(chromium) as page:
                await page.resize(1000, 800)
                await page.open(address_of(file))
                await steps(page)
                assert set(page.requests) == {address_of(file)}
                assert page.complaints == []

            await abort_connections()

        runner.run(main())

    return run


OnPage = Callable[[Audit, Callable[[BrowserTab], Awaitable[None]]], None]


async def _choose(page: BrowserTab, name: str, value: str) -> None:
    await page.evaluate(
        f"""(() => {{
            const field = document.querySelector('#filters [name="{name}"]');
            field.value = {value!r};
            field.dispatchEvent(new Event("input", {{bubbles: true}}));
        }})()"""
    )


async def _shown(page: BrowserTab) -> list[str]:
    names: list[str] = await page.evaluate(_SHOWN)
    return sorted(name.rsplit("/", 1)[1] for name in names)


def test_filters_show_what_is_asked_for(on_page: OnPage) -> None:
    async def steps(page: BrowserTab) -> None:
        assert await _shown(page) == ["elsewhere", "emqx", "other", "quiet", "sonar"]
        assert await page.evaluate("document.getElementById('filters').checkVisibility()")
        await _choose(page, "sends", "=Yes")
        assert await _shown(page) == ["elsewhere", "other", "sonar"]
        await _choose(page, "namespace", "=shop")
        assert await _shown(page) == ["elsewhere"]
        said = await page.evaluate("document.getElementById('shown').textContent")
        assert said == "1 of 5 findings shown."
        await page.evaluate("document.querySelector('#filters [type=reset]').click()")
        await page.evaluate("new Promise((done) => setTimeout(done, 50))")
        assert len(await _shown(page)) == 5
        await _choose(page, "product", "=emqx")
        assert await _shown(page) == ["emqx"]
        await _choose(page, "product", "")
        await _choose(page, "cluster", "=")
        assert len(await _shown(page)) == 4
        await _choose(page, "cluster", "=east")
        assert await _shown(page) == ["elsewhere"]
        await _choose(page, "cluster", "")
        await _choose(page, "text", "SONARQUBE quiet")
        assert await _shown(page) == ["quiet"]
        await _choose(page, "text", "no such words")
        assert await _shown(page) == []

    elsewhere = finding("elsewhere", namespace="shop", place=Place(cluster="east"))
    on_page(an_audit(*ordinary.findings, elsewhere), steps)


def test_foreign_text_is_text(on_page: OnPage) -> None:
    async def steps(page: BrowserTab) -> None:
        assert len(await page.evaluate(_SHOWN)) == len(NASTY)
        text = await page.evaluate("document.querySelector('main').textContent")
        assert "</script><script>alert(1)</script>" in text
        assert await page.evaluate("document.images.length + document.scripts.length") == 1
        assert not await page.evaluate(_SCROLLS)

    names = (finding(text, namespace=text, remedy=text, product=text) for text in NASTY)
    on_page(an_audit(*names), steps)


def test_the_browser_runs_and_loads_nothing_else(on_page: OnPage) -> None:
    async def steps(page: BrowserTab) -> None:
        await page.evaluate(
            """(() => {
                const script = document.createElement("script");
                script.textContent = "window.ran = true";
                document.body.append(script);
                document.body.insertAdjacentHTML("beforeend",
                    "<img src='https://evil.test/x.png' onerror='window.ran = true'>"
                    + "<p id=styled style='color: rgb(1, 2, 3)'>x</p>");
            })()"""
        )
        await page.evaluate("fetch('https://evil.test/').catch(() => 0)")
        assert await page.evaluate("window.ran") is None
        colour = "getComputedStyle(document.getElementById('styled')).color"
        assert await page.evaluate(colour) != "rgb(1, 2, 3)"
        assert len(page.complaints) >= 4
        assert all("Content Security Policy" in one for one in page.complaints), page.complaints
        page.complaints.clear()
        # The browser names what it did not load.
        page.requests[:] = [one for one in page.requests if one.startswith("file:")]

    on_page(ordinary, steps)


@pytest.mark.parametrize("width", [320, 360, 1000])
def test_no_width_scrolls_sideways(width: int, on_page: OnPage) -> None:
    async def steps(page: BrowserTab) -> None:
        await page.resize(width, 700)
        await page.evaluate(
            "document.querySelectorAll('details').forEach((e) => { e.open = true })"
        )
        assert not await page.evaluate(_SCROLLS)
        outside = await page.evaluate(
            """[...document.querySelectorAll("body *")]
                .filter((one) => !one.classList.contains("skip"))
                .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
                .map((one) => one.outerHTML.slice(0, 200))"""
        )
        assert outside == []

    long = finding("w" * 250, version="1" * 300, hosts=(HostName(host="h" * 250),))
    on_page(an_audit(*ordinary.findings, long, problems=ordinary.problems), steps)


def test_paper_shows_the_evidence_and_no_controls(on_page: OnPage) -> None:
    async def steps(page: BrowserTab) -> None:
        await page.media("print")
        shown = await page.evaluate(
            "[...document.querySelectorAll('dl')].map((one) => one.checkVisibility())"
        )
        assert shown == [True] * len(ordinary.findings)
        visible = (
            "[...document.querySelectorAll('nav, form, button')].some((e) => e.checkVisibility())"
        )
        assert not await page.evaluate(visible)
        assert (await page.pdf()).startswith(b"%PDF-")

    on_page(ordinary, steps)


def test_everything_is_there_without_a_script(on_page: OnPage) -> None:
    async def steps(page: BrowserTab) -> None:
        await page.send("Emulation.setScriptExecutionDisabled", value=True)
        await page.open(page.requests[-1])
        assert len(await _shown(page)) == len(ordinary.findings)
        assert not await page.evaluate("document.getElementById('filters').checkVisibility()")
        assert not await page.evaluate("document.getElementById('copy').checkVisibility()")
        text = await page.evaluate("document.body.innerText")
        for part in ("telemetry.sonarsource.com:443", "internal.test/shop", "bad.yaml:12", "bare"):
            assert part in text

    on_page(ordinary, steps)


def test_the_keyboard_reaches_everything(on_page: OnPage) -> None:
    async def steps(page: BrowserTab) -> None:
        focused = "document.activeElement.textContent.trim()"
        await page.press("Tab")
        assert await page.evaluate(focused) == "Skip to the findings"
        assert await page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
        await page.press("Enter")
        assert await page.evaluate("location.hash") == "#findings"
        order = []
        for _ in range(60):
            await page.press("Tab")
            order.append(
                await page.evaluate("document.activeElement.id || document.activeElement.localName")
            )
        assert order[0] == "filter-sends"
        assert {"filter-text", "summary", "copy", "host-list"} <= set(order)
        await page.evaluate("document.querySelector('summary').focus()")
        await page.press("Enter")
        assert await page.evaluate("document.querySelector('details').open")

    on_page(ordinary, steps)


def test_a_screen_reader_gets_names(on_page: OnPage) -> None:
    async def steps(page: BrowserTab) -> None:
        nodes: list[dict[str, Any]] = (await page.send("Accessibility.getFullAXTree"))["nodes"]
        seen = 0
        for node in nodes:
            role = node.get("role", {}).get("value")
            if role in ("table", "combobox", "searchbox", "button", "form", "region", "link"):
                assert node["name"]["value"], node
                seen += 1
        assert seen > 15
        levels = await page.evaluate(
            "[...document.querySelectorAll('h1,h2,h3')].map((one) => Number(one.localName[1]))"
        )
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))

    on_page(ordinary, steps)


def test_a_dark_screen_gets_a_dark_page(on_page: OnPage) -> None:
    async def steps(page: BrowserTab) -> None:
        ground = "getComputedStyle(document.body).backgroundColor"
        assert await page.evaluate(ground) == "rgb(255, 255, 255)"
        await page.media(prefers_color_scheme="dark")
        assert await page.evaluate(ground) == "rgb(20, 23, 27)"

    on_page(ordinary, steps)


def test_the_hosts_can_be_copied(on_page: OnPage) -> None:
    async def steps(page: BrowserTab) -> None:
        await page.evaluate("document.getElementById('copy').click()")
        assert await page.evaluate("String(getSelection())") == "a.test:443\nb.test:8443"
        said = await page.evaluate(
            """new Promise((done) => setTimeout(
                () => done(document.getElementById("copy").textContent), 200))"""
        )
        assert said in ("Copied", "Selected: copy it now")

    hosts = (HostName(host="b.test", port=8443), HostName(host="a.test"))
    on_page(an_audit(finding(hosts=hosts)), steps)


def test_five_thousand_findings_stay_usable(on_page: OnPage) -> None:
    async def steps(page: BrowserTab) -> None:
        assert (await _shown(page))[:1] == ["workload-0"]
        await _choose(page, "namespace", "=team-7")
        assert len(await _shown(page)) == 50
        await _choose(page, "text", "workload-4907")
        assert await _shown(page) == ["workload-4907"]
        assert await page.evaluate("document.querySelectorAll('article').length") == 3

    on_page(many(5000), steps)


def test_what_policies_ask_is_shown_and_filtered(on_page: OnPage) -> None:
    async def steps(page: BrowserTab) -> None:
        await _choose(page, "state", "=NonCompliant")
        assert await _shown(page) == ["bad"]
        await _choose(page, "state", "=")
        assert await _shown(page) == ["free"]

    findings = (
        finding("bad", state=State.NON_COMPLIANT, state_reason="InjectionOff"),
        finding("good", sends=Sends.NO, state=State.COMPLIANT),
        finding("free"),
    )
    on_page(an_audit(*findings, judged=True), steps)
