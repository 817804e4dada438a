"""A headless Chromium, driven through its debugging pipe: no port is opened, and nothing else is needed."""

import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
]
# Seconds after which a browser that does not answer is given up.
PATIENCE = 120


class Failed(Exception):
    """The browser did not do what it was asked."""


class Chromium:
    """One browser with one page."""

    def __init__(self, program="chromium"):
        self.profile = tempfile.mkdtemp(prefix="arenalab-chromium-")
        from_us, self.to_it = os.pipe()
        self.from_it, to_us = os.pipe()

        def wire():
            # Its commands come on descriptor 3, its answers go to 4. Both may be what is to be moved.
            os.setsid()
            high = [os.dup2(fd, 100 + at) for at, fd in enumerate((from_us, to_us))]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        command = [program, *FLAGS, f"--user-data-dir={self.profile}", "about:blank"]
        self.process = subprocess.Popen(
            command, close_fds=False, preexec_fn=wire, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(from_us)
        os.close(to_us)
        self.number = 0
        self.rest = b""
        self.events = []
        self.session = None
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target for target in targets if target["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.to_it)
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def message(self):
        until = time.monotonic() + PATIENCE
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.from_it], [], [], max(0, until - time.monotonic()))
            read = os.read(self.from_it, 1 << 20) if ready else b""
            if not read:
                raise Failed("the browser does not answer")
            self.rest += read
        line, self.rest = self.rest.split(b"\0", 1)
        return json.loads(line)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_it, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.message()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise Failed(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def until(self, event):
        """Waits for an event, and forgets all up to it but what a page said or asked for."""
        while not any(seen.get("method") == event for seen in self.events):
            self.events.append(self.message())

    def open(self, path, width, dark=False, script=True):
        """Opens a file in a window of a width. `said` and `asked` tell what it did meanwhile."""
        self.events.clear()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media="", features=[scheme])
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        # Another address first: the same one would only move to a fragment.
        self.call("Page.navigate", url="about:blank")
        self.until("Page.loadEventFired")
        self.events.clear()
        self.call("Page.navigate", url=f"file://{os.path.abspath(path)}")
        self.until("Page.loadEventFired")
        self.run("document.fonts.ready.then(() => true)")

    def run(self, expression):
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise Failed(f"{answer['exceptionDetails'].get('exception', {}).get('description')}")
        return answer["result"].get("value")

    def said(self):
        """What went to the console, and what was thrown."""
        def text(event):
            params = event["params"]
            if event["method"] == "Log.entryAdded":
                return params["entry"]["text"]
            if event["method"] == "Runtime.exceptionThrown":
                return str(params["exceptionDetails"].get("exception", {}).get("description"))
            return " ".join(str(arg.get("value")) for arg in params.get("args", []))

        spoken = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
        return [text(event) for event in self.events if event.get("method") in spoken]

    def asked(self, but=""):
        """What was requested, but the page itself and what lies in it."""
        sent = [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith("data:") and url != but]

    def point(self, x, y):
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def press(self, key, code=None):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code or 0)

    def write(self, text):
        self.call("Input.insertText", text=text)

    def picture(self, whole=False):
        """A screenshot as PNG in base64."""
        return self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]

    def print(self):
        """The page as PDF in base64."""
        return self.call("Page.printToPDF", printBackground=True)["data"]
