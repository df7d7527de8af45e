"""A real Chromium, driven through its DevTools protocol over a pipe: no library, no port, no network."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import time
from contextlib import contextmanager

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-pipe",
)  # fmt: skip
_PATIENCE_S = 30


class Browser:
    """One tab. ``events`` are what the page reported: exceptions, console messages, requests, refused loads."""

    def __init__(self, sending: int, receiving: int) -> None:
        self._out, self._in = os.fdopen(sending, "wb", buffering=0), os.fdopen(receiving, "rb")
        self._last, self._session, self._pending = 0, None, b""
        self.events: list[dict] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters):
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._last:
            pass
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def open(self, path, *, width=1280, height=900, scripts=True, dark=False, touch=False) -> None:
        """Load a file in a window of a size and wait until it is there."""
        self.size(width, height, touch=touch)
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.wait("Page.loadEventFired")

    def size(self, width, height, *, touch=False) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=touch
        )  # fmt: skip
        self.call("Emulation.setTouchEmulationEnabled", enabled=touch)

    def run(self, expression: str):
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def key(self, key: str, code: int) -> None:
        text = {"text": key} if len(key) == 1 else {}
        common = {"key": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", **common, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def click(self, selector: str) -> None:
        """A real click on the middle of an element."""
        where = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center'});"
            " const b = e.getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2]; })()"
        )
        self.click_at(*where)

    def click_at(self, x: float, y: float) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def pdf(self) -> bytes:
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True)["data"])

    def screenshot(self, path, *, whole=False) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]))

    def wait(self, event: str) -> dict:
        """The next event of a name."""
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            found = next((e for e in self.events if e["method"] == event), None)
            if found:
                return found
            self._read()
        raise TimeoutError(event)

    def faults(self) -> list[str]:
        """Exceptions, console messages and everything that the page asked for besides itself."""
        told = []
        for event in self.events:
            name, said = event["method"], event["params"]
            if name == "Runtime.exceptionThrown":
                told.append(json.dumps(said["exceptionDetails"]))
            elif name in ("Runtime.consoleAPICalled", "Log.entryAdded"):
                told.append(json.dumps(said))
            elif name == "Network.requestWillBeSent":
                url = said["request"]["url"]
                told += [] if url.startswith("data:") or said.get("type") == "Document" else [url]
        return told

    def close(self) -> None:
        self._out.close()
        self._in.close()

    def _read(self) -> dict:
        while b"\0" not in self._pending:
            more = self._in.read1(1 << 20)
            assert more, "the browser has gone"
            self._pending += more
        message, _, self._pending = self._pending.partition(b"\0")
        answer = json.loads(message)
        if "method" in answer:
            self.events.append(answer)
        return answer


@contextmanager
def browser(folder):
    """A browser with a profile of its own in a folder."""
    to_read, sending = os.pipe()
    receiving, to_write = os.pipe()
    command = [CHROMIUM, *_FLAGS, f"--user-data-dir={folder}"]
    process = subprocess.Popen(
        ["/bin/bash", "-c", f'exec "$@" 3<&{to_read} 4>&{to_write}', "chromium", *command],
        pass_fds=(to_read, to_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(to_read)
    os.close(to_write)
    tab = Browser(sending, receiving)
    try:
        yield tab
    finally:
        tab._session = None
        tab.call("Browser.close")
        process.wait(_PATIENCE_S)
        tab.close()


def slice_numbers(tab):
    """The slice that each pane of a viewer shows, as it says itself."""
    counts = "[...document.querySelectorAll('.pane .count')].map(e => e.textContent)"
    return [int(re.search(r"\d+", text)[0]) for text in tab.run(counts)]
