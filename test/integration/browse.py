#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at pages in Chromium, through ChromeDriver (W3C WebDriver).

browse.py look FILE...    prints a line "FILE: what is wrong" for all that a report's page must not have
browse.py text FILE       prints the text that the browser has of it
browse.py shot FILE WIDTH HEIGHT light|dark PICTURE    takes a picture; HEIGHT 0 is the whole page
"""
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request

WIDTHS = (320, 400, 1000)

# What is in a page that should not be, in the browser's own eyes.
INSPECT = """
const wrong = [];
const tags = new Set(['HTML', 'HEAD', 'META', 'TITLE', 'STYLE', 'BODY', 'DIV', 'TABLE', 'TBODY', 'TR', 'TD', 'H1', 'H2',
                      'SPAN', 'B', 'BDI', 'BR', 'WBR']);
for (const element of document.querySelectorAll('*')) {
    if (!tags.has(element.tagName)) wrong.push('element ' + element.tagName);
    for (const attribute of element.attributes)
        if (/^on|^(src|href|action|background|srcset|data)$/.test(attribute.name))
            wrong.push('attribute ' + attribute.name + ' of ' + element.tagName);
}
if (document.querySelectorAll('body').length != 1) wrong.push('not one body');
if (document.title.includes('owned')) wrong.push('a script has run');
if (document.compatMode != 'CSS1Compat') wrong.push('quirks mode');
return wrong;
"""

# Nothing stands beside the window or over the edge of what it is in.
MEASURE = """
const wrong = [], width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth > width) wrong.push('the page is ' + document.documentElement.scrollWidth + ' wide');
for (const element of document.body.querySelectorAll('*')) {
    const box = element.getBoundingClientRect();
    if (box.width && (box.right > width + 0.5 || box.left < -0.5))
        wrong.push(element.tagName + ' from ' + box.left + ' to ' + box.right + ': ' + element.textContent.slice(0, 40));
    if (element.tagName == 'TD' && element.scrollWidth > element.clientWidth + 1)
        wrong.push('TD is ' + element.clientWidth + ', its content ' + element.scrollWidth + ': ' +
                   element.textContent.slice(0, 40));
}
return wrong;
"""


class Browser:
    def __init__(self):
        self.home = tempfile.TemporaryDirectory(prefix="browse.")
        environment = dict(os.environ, HOME=self.home.name)
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True, env=environment)
        self.session = None
        port = None
        for line in self.driver.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                port = found.group(1)
                break
        if not port:
            raise SystemExit("browse.py: chromedriver did not start")
        self.url = f"http://127.0.0.1:{port}"
        arguments = ["--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
                     "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
                     f"--user-data-dir={self.home.name}/profile", "--host-resolver-rules=MAP * ~NOTFOUND"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")
        answer = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"}}}})
        self.session = f"/session/{answer['sessionId']}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            if self.session:
                self.ask("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait()
            self.home.cleanup()

    def ask(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def devtools(self, command, **parameters):
        return self.ask("POST", self.session + "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def run(self, script):
        return self.ask("POST", self.session + "/execute/sync", {"script": script, "args": []})

    def log(self, kind):
        return self.ask("POST", self.session + "/se/log", {"type": kind})

    def resize(self, width, height, scale=1):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale,
                      mobile=False)

    def open(self, path):
        self.ask("POST", self.session + "/url", {"url": "file://" + os.path.abspath(path)})

    def look(self, path):
        """All that is wrong with a page."""
        self.ask("POST", self.session + "/url", {"url": "about:blank"})
        self.log("performance")
        self.log("browser")
        self.open(path)
        wrong = self.run(INSPECT)
        for width in WIDTHS:
            self.resize(width, 800)
            wrong += [f"at {width}: {text}" for text in self.run(MEASURE)[:5]]
        own = "file://" + os.path.abspath(path)
        for entry in self.log("performance"):
            message = json.loads(entry["message"])["message"]
            url = message["params"].get("request", {}).get("url")
            if message["method"] == "Network.requestWillBeSent" and url not in (None, own):
                wrong.append("request " + url)
        wrong += ["console: " + entry["message"] for entry in self.log("browser")]
        return wrong


def main(arguments):
    if len(arguments) >= 2 and arguments[0] == "look":
        with Browser() as browser:
            for path in arguments[1:]:
                for text in browser.look(path):
                    print(f"{os.path.basename(path)}: {text!r}")
    elif len(arguments) == 2 and arguments[0] == "text":
        with Browser() as browser:
            browser.open(arguments[1])
            print(browser.run("return document.body.textContent"))
    elif len(arguments) == 6 and arguments[0] == "shot":
        with Browser() as browser:
            width, height = int(arguments[2]), int(arguments[3])
            browser.devtools("Emulation.setEmulatedMedia",
                             features=[{"name": "prefers-color-scheme", "value": arguments[4]}])
            browser.open(arguments[1])
            browser.resize(width, height or 800, 2)
            height = height or browser.run("return document.documentElement.scrollHeight")
            browser.resize(width, height, 2)
            picture = browser.devtools("Page.captureScreenshot", format="png")
            with open(arguments[5], "wb") as file:
                file.write(base64.b64decode(picture["data"]))
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
