"""Chromium without a window, spoken to through a pipe in its DevTools protocol."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find() -> str | None:
    """The browser's program, if there is one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Page:
    """A tab: what it is asked, and what it reported meanwhile."""

    commands: IO[bytes]
    answers: IO[bytes]
    session: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    count: int = 0

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a command."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.commands.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._answer()
            if answer.get("id") == self.count:
                if "error" in answer:
                    raise RuntimeError(answer["error"]["message"])
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, url: str) -> None:
        """Go to an address, and wait until all is loaded."""
        for address in ("about:blank", url):  # the first in case only the fragment differs
            self.events.clear()
            self.ask("Page.navigate", url=address)
            while not any(event["method"] == "Page.loadEventFired" for event in self.events):
                self._answer()
        # and drawn once
        self.run("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        found = self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(json.dumps(found["exceptionDetails"]))
        return found["result"].get("value")

    def size(self, width: int, height: int, *, phone: bool = False) -> None:
        """The size of the window, in pixels of CSS."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=phone,
        )  # fmt: skip

    def screenshot(self, path: Path) -> None:
        """What the window shows."""
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot")["data"]))

    def _answer(self) -> dict[str, Any]:
        text = b""
        while not text.endswith(b"\0"):
            byte = self.answers.read(1)
            if not byte:
                raise RuntimeError("the browser has ended")
            text += byte
        answer: dict[str, Any] = json.loads(text[:-1])
        if "method" in answer:
            self.events.append(answer)
        return answer


@contextmanager
def page(profile: Path) -> Iterator[Page]:
    """A new tab of a new browser, whose files are in `profile`."""
    program = find()
    assert program, f"none of {', '.join(NAMES)} is installed"
    read_commands, write_commands = os.pipe()
    read_answers, write_answers = os.pipe()
    # it reads from 3 and writes to 4
    opened = f'exec "$@" 3<&{read_commands} 4>&{write_answers}'
    process = subprocess.Popen(
        ["bash", "-c", opened, "bash", program, "--headless", "--no-sandbox", "--disable-gpu",
         "--no-first-run", f"--user-data-dir={profile}", "--remote-debugging-pipe"],
        pass_fds=(read_commands, write_answers), stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(read_commands)
    os.close(write_answers)
    with (
        os.fdopen(write_commands, "wb", buffering=0) as commands,
        os.fdopen(read_answers, "rb") as answers,
    ):
        tab = Page(commands, answers)
        try:
            target = tab.ask("Target.createTarget", url="about:blank")["targetId"]
            attached = tab.ask("Target.attachToTarget", targetId=target, flatten=True)
            tab.session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                tab.ask(f"{domain}.enable")
            yield tab
        finally:
            tab.session = None
            with suppress(OSError, RuntimeError):
                tab.ask("Browser.close")
            process.wait(20)
