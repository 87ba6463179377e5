"""check-report.py PAGE.html REPORT.json: the page is well-formed, whole, and agrees with the report."""
import html.parser
import json
import sys

VOID = {"meta"}


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.bars, self.tasks, self.figures, self.targets = [], [], [], [], 0
        self.bins, self.changes = [], []
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
            self.bins.append([])
            self.changes.append(0)
        if values.get("class") == "task":
            self.tasks[-1] += 1
            if not values.get("aria-label"):
                self.errors.append("a task says nothing")
        if tag == "rect":
            classes = [c for _, c in self.open]
            if "data-requests" in values:
                self.bins[-1].append(int(values["data-requests"]))
            if ("bin" if "data-requests" in values else "task") not in classes:
                self.errors.append("a bar is of no task")
            if not (0 <= float(values["x"]) and float(values["x"]) + float(values["width"]) <= 1000.01):
                self.errors.append(f"a bar lies outside: {values}")
        if values.get("class") == "change":
            self.changes[-1] += 1
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
    wanted, bins = [], []
    rounds = target["round"]["tenants"]
    shows_measured = any(t["measured"][key] > 0 for t in rounds if "measured" in t for key in t["measured"])
    for t in rounds:
        wanted += [t["alone_ns"], t["latency_ns"]]
        if shows_measured and "measured" in t:
            wanted += [t["measured"]["alone_ns"], t["measured"]["latency_ns"]]
    for t in target["load"]["tenants"] if target["load"] else []:
        for load in [t] + ([t["measured"]] if "measured" in t else []):
            if t["rate_per_second"] > 0 or t["slo_p99_ns"] > 0:
                wanted += [load["p50_ns"], load["p99_ns"]]
            if t["histogram"]:
                bins += [requests for _, _, requests in load["histogram"]]
                if sum(requests for _, _, requests in load["histogram"]) != load["requests"]:
                    errors.append(f"the histogram of {t['name']} does not hold its requests")
    if "against" in target:
        against = target["against"]
        wanted += against["makespan_ns"]
        for t in against["tenants"]:
            wanted += t["latency_ns"] + t["alone_ns"]
        for task in against["tasks"]:
            wanted += task["ns"]
        if page.changes[i] != len(against["tasks"]):
            errors.append(f"{page.changes[i]} changed tasks are shown, wanted {len(against['tasks'])}")
    if page.bins[i] != bins:
        errors.append(f"bins {page.bins[i]}, wanted {bins}")
    if page.figures[i] != wanted:
        errors.append(f"figures {page.figures[i]}, wanted {wanted}")
for error in errors:
    print(error)
sys.exit(bool(errors))
