"""Headless Chromium, driven over its DevTools protocol: one JSON document and a NUL each way, on two pipes.

A driver or a library for browsers is not needed for what the checks ask: open a page, wait for what it shows, click,
type, take a picture, and tell which answers the page got.
"""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

PROGRAM = os.environ.get("MODELWORKS_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    """One page of a browser of its own, with a profile that goes when it is closed.

    `answers` has, in their order, (status, method, URL) of every answer that pages got."""

    def __init__(self, width=1500, height=950):
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        arguments = [
            PROGRAM, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
            "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--disable-sync",
            "--disable-component-update", "--disable-extensions", "--mute-audio", "--hide-scrollbars",
            f"--user-data-dir={self._profile.name}", f"--window-size={width},{height}", "about:blank",
        ]
        # The browser reads commands from 3 and writes answers to 4; the shell puts the pipes there.
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "chromium", *arguments],
            pass_fds=(to_browser, from_browser), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self._buffer = b""
        self._number = 0
        self._session = None
        self._methods = {}
        self.answers = []
        self.console = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self._call(f"{domain}.enable")
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the browser; one that does not go by itself is killed."""
        try:
            self._session = None
            self._call("Browser.close", patience=5)
            self._process.wait(timeout=10)
        except (OSError, TimeoutError, EOFError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)
        self._profile.cleanup()

    def open(self, url):
        self._call("Page.navigate", url=url)

    def script(self, expression):
        """The value of an expression of JavaScript in the page."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def text(self):
        """What the page shows."""
        return self.script("document.body ? document.body.innerText : ''")

    def wait(self, expression, patience=30):
        """Waits until an expression is true in the page; tells whether it came to be."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            try:
                if self.script(expression):
                    return True
            except RuntimeError:
                pass  # The page is changing.
            self._read(0.1)
        return False

    def wait_text(self, *texts, patience=30):
        """Waits until the page shows every text."""
        return self.wait(f"{json.dumps(texts)}.every(t => document.body.innerText.includes(t))", patience)

    def click(self, expression):
        """Clicks the middle of the element that an expression of JavaScript gives."""
        self.script(f"({expression}).scrollIntoView({{block: 'center'}})")
        x, y = self.script(
            f"(() => {{ const r = ({expression}).getBoundingClientRect(); "
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()")
        for kind, buttons in (("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)):
            self._call(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=buttons, clickCount=1)

    def type(self, text):
        """Types a text where the cursor is."""
        self._call("Input.insertText", text=text)

    def press_enter(self):
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "nativeVirtualKeyCode": 13}
        self._call("Input.dispatchKeyEvent", type="keyDown", text="\r", unmodifiedText="\r", **key)
        self._call("Input.dispatchKeyEvent", type="keyUp", **key)

    def picture(self, path):
        """Writes what the page looks like to a PNG file."""
        data = self._call("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def _call(self, method, patience=60, **parameters):
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            for found in self._read(deadline - time.monotonic()):
                if found.get("id") == number:
                    if "error" in found:
                        raise RuntimeError(f"{method}: {found['error']}")
                    return found["result"]
        raise TimeoutError(method)

    def _read(self, patience):
        """The messages that have come, or come within a time; what they tell of answers is noted."""
        if not select.select([self._in], [], [], max(patience, 0))[0]:
            return []
        data = os.read(self._in, 1 << 20)
        if not data:
            raise EOFError("the browser ended")
        self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\0")
        messages = [json.loads(line) for line in lines]
        for message in messages:
            self._note(message.get("method"), message.get("params", {}))
        return messages

    def _note(self, event, parameters):
        if event == "Network.requestWillBeSent":
            self._methods[parameters["requestId"]] = parameters["request"]["method"]
        elif event == "Network.responseReceived":
            answer = parameters["response"]
            method = self._methods.get(parameters["requestId"], "GET")
            self.answers.append((answer["status"], method, answer["url"]))
        elif event == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.console.append(details.get("exception", {}).get("description") or details.get("text"))
