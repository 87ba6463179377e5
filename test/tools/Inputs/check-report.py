"""check-report.py PAGE.html REPORT.json: the page is well-formed, whole, and agrees with the report."""
import html.parser
import json
import sys

VOID = {"meta"}


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.bars, self.tasks, self.figures, self.targets = [], [], [], [], 0
        self.errors = []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        for name, value in attributes:
            if name in ("src", "href", "xlink:href", "action") or "url(" in (value or ""):
                self.errors.append(f"<{tag} {name}> loads something")
        if tag in ("link", "img", "iframe", "object", "use"):
            self.errors.append(f"<{tag}> loads something")
        if tag == "section":
            self.targets += 1
            self.tasks.append(0)
            self.figures.append([])
        if values.get("class") == "task":
            self.tasks[-1] += 1
            if not values.get("aria-label"):
                self.errors.append("a task says nothing")
        if tag == "rect":
            if "task" not in [c for _, c in self.open]:
                self.errors.append("a bar is of no task")
            if not (0 <= float(values["x"]) and float(values["x"]) + float(values["width"]) <= 1000.01):
                self.errors.append(f"a bar lies outside: {values}")
        if "data-ns" in values:
            self.figures[-1].append(int(values["data-ns"]))
        if tag not in VOID:
            self.open.append((tag, values.get("class")))

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop()[0] != tag:
            self.errors.append(f"</{tag}> closes what is not open")


text = open(sys.argv[1], encoding="utf-8").read()
targets = json.load(open(sys.argv[2], encoding="utf-8"))["targets"]
page = Page()
page.feed(text)
page.close()
errors = page.errors + [f"<{tag}> is not closed" for tag, _ in page.open]
for word in ("http:", "https:", "fetch(", "XMLHttpRequest", "import(", "@import"):
    if word in text:
        errors.append(f"'{word}' is in the page")
if page.targets != len(targets):
    errors.append(f"{page.targets} sections for {len(targets)} targets")
for i, target in enumerate(targets):
    if page.tasks[i] != target["round"]["tasks"] or page.tasks[i] == 0:
        errors.append(f"{page.tasks[i]} tasks are drawn, wanted {target['round']['tasks']}")
    wanted = [ns for t in target["round"]["tenants"] for ns in (t["alone_ns"], t["latency_ns"])]
    if target["load"]:
        for t in target["load"]["tenants"]:
            if t["rate_per_second"] > 0 or t["slo_p99_ns"] > 0:
                wanted += [t["p50_ns"], t["p99_ns"]]
    if page.figures[i] != wanted:
        errors.append(f"figures {page.figures[i]}, wanted {wanted}")
for error in errors:
    print(error)
sys.exit(bool(errors))
