"""browse-report.py PAGE.html REPORT.json: opens the page in headless Chromium, offline, light and dark.

Fails if the page reports an error or asks for anything but itself, if zoom, keys or tooltips do not
work, or if it shows other tasks than the report counts.
"""
import json
import pathlib
import sys

from playwright.sync_api import sync_playwright

path = pathlib.Path(sys.argv[1]).resolve()
targets = json.loads(pathlib.Path(sys.argv[2]).read_text())["targets"]
loads = [t for target in targets if target["load"] for t in target["load"]["tenants"] if t["histogram"]]
bins = sum(len(t["histogram"]) + len(t.get("measured", {}).get("histogram", [])) for t in loads)
wanted = sum(target["round"]["tasks"] for target in targets)
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=sys.argv[3], args=["--no-sandbox"])
    papers = set()
    for scheme in ("light", "dark"):
        page = browser.new_context(offline=True, color_scheme=scheme).new_page()
        errors, requests = [], []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        assert page.locator(".task").count() == wanted, page.locator(".task").count()
        svg = page.locator("svg.timeline").first

        def view(side):
            return svg.evaluate(f"svg => svg.viewBox.baseVal.{side}")

        assert view("width") == 1000
        page.locator("button[value='+']").first.click()
        assert view("width") == 500
        svg.focus()
        page.keyboard.press("+")
        assert view("width") == 250
        before = view("x")
        page.keyboard.press("ArrowRight")
        assert view("x") > before
        page.keyboard.press("0")
        assert (view("x"), view("width")) == (0, 1000)
        task = page.locator(".task").first
        task.hover(force=True)
        assert page.locator("#tip").inner_text() == task.get_attribute("aria-label").strip()
        assert page.locator(".bin").count() == bins, page.locator(".bin").count()
        if bins:
            # The highest bar: the pointer has to be on it.
            highest = page.locator(".bin").nth(page.evaluate("""() => {
                const heights = [...document.querySelectorAll('.bin rect')].map(r => +r.getAttribute('height'));
                return heights.indexOf(Math.max(...heights));
            }"""))
            highest.hover(force=True)
            assert page.locator("#tip").inner_text() == highest.get_attribute("aria-label").strip()
        papers.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert not errors, errors
        assert requests == [path.as_uri()], requests
    assert len(papers) == 2, papers
    browser.close()
