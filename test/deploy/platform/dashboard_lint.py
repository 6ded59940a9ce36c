"""A linter for dashboards: what makes them useless or wrong and Grafana says nothing about. Returns lists of texts."""

import re

from lib import panels

UNITS = {"short", "percent", "percentunit", "bytes", "Bps", "s", "cps", "reqps"}
KINDS = {"timeseries", "stat", "table", "row"}
COUNTER = re.compile(r"\b([a-z_:]+_total)\b(?:\{[^}]*\})?(\[)?")


def lint(file, dashboard):
    found = []

    def say(text):
        found.append(f"{file}: {text}")

    if "dashboard" in dashboard:
        say("is wrapped in `dashboard`; provisioning wants the bare object")
        return found
    if dashboard.get("uid", "") + ".json" != file:
        say("uid and file name differ")
    if dashboard.get("id") is not None:
        say("has an id, which is the database's")
    for name in ("title", "description", "tags", "refresh", "time", "schemaVersion"):
        if not dashboard.get(name):
            say(f"has no {name}")
    variables = {v["name"]: v for v in dashboard.get("templating", {}).get("list", [])}
    if variables.get("datasource", {}).get("type") != "datasource":
        say("has no variable `datasource`")
    used = set()
    for name, variable in variables.items():
        if not variable.get("label"):
            say(f"variable {name} has no label")
        if variable["type"] == "query":
            used |= names_in(variable["query"]["query"])
            if not (variable.get("includeAll") and variable.get("multi") and variable.get("allValue") == ".*"):
                say(f"variable {name} cannot be All")
    for panel in panels.all_panels(dashboard):
        used |= lint_panel(panel, variables, say)
    for name in set(variables) - used:
        say(f"variable {name} is used nowhere")
    lint_layout(dashboard, say)
    return found


def names_in(text):
    return set(re.findall(r"\$\{?([A-Za-z]\w*)", text))


def lint_panel(panel, variables, say):
    """One panel; the variables that it uses."""
    title, used = panel.get("title", ""), set()

    def wrong(text):
        say(f"panel '{title}': {text}")

    if not title:
        wrong("has no title")
    if panel["type"] not in KINDS:
        wrong(f"type {panel['type']} is not one of {sorted(KINDS)}")
    if panel["type"] == "row":
        return used
    if len(panel.get("description", "")) < 10:
        wrong("has no description")
    if panel.get("fieldConfig", {}).get("defaults", {}).get("unit") not in UNITS:
        wrong("has no unit, or one that is not known here")
    if not panel.get("targets"):
        wrong("has no query")
    for target in [panel, *panel.get("targets", [])]:
        if target.get("datasource") != {"type": "prometheus", "uid": "${datasource}"}:
            wrong("does not use ${datasource}")
        used |= names_in(str(target.get("datasource")))
    refs = [target["refId"] for target in panel.get("targets", [])]
    if len(set(refs)) != len(refs):
        wrong("has two queries of one refId")
    for target in panel.get("targets", []):
        used |= lint_query(panel, target, variables, wrong)
    return used


def lint_query(panel, target, variables, wrong):
    expression = target["expr"]
    names = names_in(expression)
    for name in names - set(variables) - set(panels.BUILT_IN):
        wrong(f"${name} is no variable")
    for name in names & set(variables):
        if variables[name].get("multi") and not re.search(rf'=~"\$\{{?{name}\}}?"', expression):
            wrong(f"${name} may be several and is not matched by =~")
    for counter, in_range in COUNTER.findall(expression):
        if not in_range:
            wrong(f"{counter} is a counter without rate or increase")
    if panel["type"] == "timeseries" and target.get("legendFormat", "__auto") == "__auto":
        wrong("has a query without legend")
    if panel["type"] == "table" and not (target.get("instant") and target.get("format") == "table"):
        wrong("is a table of more than now")
    for label in re.findall(r"\{\{ *(\w+) *\}\}", target.get("legendFormat", "")):
        grouped = re.search(r"^\w+[^(]*by \(([^)]*)\)", expression)
        if grouped and not expression.startswith("histogram") and label not in re.split(r",\s*", grouped[1]):
            wrong(f"legend has {label}, the query has not")
    return names


def lint_layout(dashboard, say):
    taken, ids = {}, set()
    for panel in dashboard["panels"]:
        if panel["id"] in ids:
            say(f"two panels have the id {panel['id']}")
        ids.add(panel["id"])
        place = panel["gridPos"]
        if place["x"] + place["w"] > 24:
            say(f"panel '{panel['title']}' is wider than the page")
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if (x, y) in taken:
                    say(f"panels '{taken[x, y]}' and '{panel['title']}' overlap")
                    return
                taken[x, y] = panel["title"]
