"""A headless Chromium, driven by its DevTools protocol: what a page does, shows and loads.

It resolves no names, so nothing that it would load leaves the machine.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_START_SECONDS = 60
_ANSWER_SECONDS = 60

Json = dict[str, Any]


def find_chromium() -> str | None:
    """The path of a Chromium; None if there is none. ``CHROMIUM`` names another one."""
    return next(filter(None, map(shutil.which, (os.environ.get("CHROMIUM", ""), *_NAMES))), None)


class BrowserTab:
    """A tab. It records what the page asks for, and what the browser complains about."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.requests: list[str] = []
        """The addresses that were to be loaded, that of the page itself included."""
        self.complaints: list[str] = []
        """Errors, warnings and other lines of the console."""
        self._socket = socket
        self._numbers = itertools.count(1)
        self._session = ""
        self._answers: dict[int, asyncio.Future[Json]] = {}
        self._loaded = asyncio.Event()

    async def open(self, address: str) -> None:
        """Load a page, and wait until it has loaded."""
        self._loaded.clear()
        await self.send("Page.navigate", url=address)
        await asyncio.wait_for(self._loaded.wait(), _ANSWER_SECONDS)

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page. Raises RuntimeError if it throws."""
        found = await self.send(
            "Runtime.evaluate",
            expression=expression,
            returnByValue=True,
            awaitPromise=True,
            userGesture=True,
        )
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"])
        return found["result"].get("value")

    async def press(self, key: str) -> None:
        """Press a key such as ``Tab`` and let it go."""
        codes = {"Tab": 9, "Enter": 13, " ": 32}
        text = {"Enter": "\r", " ": " "}.get(key, "")
        for kind in ("keyDown", "keyUp"):
            event = {"type": kind, "key": key, "windowsVirtualKeyCode": codes[key]}
            if text and kind == "keyDown":
                event["text"] = text
            await self.send("Input.dispatchKeyEvent", **event)

    async def resize(self, width: int, height: int) -> None:
        """The size of the window, in CSS pixels."""
        await self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    async def media(self, kind: str = "", **features: str) -> None:
        """The medium, such as ``print``, and features such as ``prefers_color_scheme="dark"``."""
        wanted = [
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()
        ]
        await self.send("Emulation.setEmulatedMedia", media=kind, features=wanted)

    async def picture(self) -> bytes:
        """A PNG of what the window shows."""
        found = await self.send("Page.captureScreenshot", format="png", optimizeForSpeed=False)
        return base64.b64decode(found["data"])

    async def pdf(self) -> bytes:
        """The page as it is printed."""
        return base64.b64decode((await self.send("Page.printToPDF"))["data"])

    async def send(self, method: str, **parameters: Any) -> Json:
        """One command of the protocol, and its result. Raises RuntimeError if it fails."""
        number = next(self._numbers)
        message: Json = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        await self._socket.send_json(message)
        found = await asyncio.wait_for(answer, _ANSWER_SECONDS)
        if "error" in found:
            raise RuntimeError(f"{method}: {found['error']}")
        result: Json = found["result"]
        return result

    async def attach(self) -> None:
        """Open the tab, which shares nothing with other tabs."""
        context = await self.send("Target.createBrowserContext", disposeOnDetach=True)
        target = await self.send("Target.createTarget", url="about:blank", **context)
        attached = await self.send(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            await self.send(f"{domain}.enable")

    async def listen(self) -> None:
        """Take what the browser says, until it ends."""
        async for message in self._socket:
            said = message.json()
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
            else:
                self._take(said["method"], said["params"])

    def _take(self, event: str, details: Json) -> None:
        match event:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Network.requestWillBeSent":
                self.requests.append(details["request"]["url"])
            case "Log.entryAdded":
                self.complaints.append(details["entry"]["text"])
            case "Runtime.consoleAPICalled":
                self.complaints.append(str(details["args"]))
            case "Runtime.exceptionThrown":
                self.complaints.append(str(details["exceptionDetails"]))


@asynccontextmanager
async def running_chromium(chromium: str) -> AsyncIterator[str]:
    """A Chromium of its own, which ends with the context: the address of its protocol."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [
            chromium,
            "--headless=new",
            "--remote-debugging-port=0",
            f"--user-data-dir={folder}",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--hide-scrollbars",
        ]
        if os.geteuid() == 0:
            # Chromium does not start as root otherwise. It opens pages of ours only.
            command.append("--no-sandbox")
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            yield await asyncio.wait_for(_address(process), _START_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


@asynccontextmanager
async def new_tab(address: str) -> AsyncIterator[BrowserTab]:
    """A tab of a running Chromium, which ends with the context."""
    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(address, max_msg_size=0) as socket,
    ):
        page = BrowserTab(socket)
        listener = asyncio.create_task(page.listen())
        await page.attach()
        yield page
        listener.cancel()


@asynccontextmanager
async def new_page(chromium: str) -> AsyncIterator[BrowserTab]:
    """A tab of a Chromium of its own, which ends with the context."""
    async with running_chromium(chromium) as address, new_tab(address) as page:
        yield page


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    said = b""
    async for line in process.stderr:
        if found := re.search(rb"listening on (ws://\S+)", line):
            return found[1].decode()
        said += line
    raise RuntimeError(f"Chromium did not start: {said.decode(errors='replace')}")


def address_of(file: Path) -> str:
    """The address of a file."""
    return file.resolve().as_uri()
