"""The queries of Grafana dashboards, with their variables filled in as Grafana would."""

import glob
import json
import os
import re

BUILT_IN = {
    "__rate_interval": "5m",
    "__interval": "1m",
    "__interval_ms": "60000",
    "__range": "1h",
    "__range_s": "3600",
    "__range_ms": "3600000",
}


def load(folder):
    """[(file name, dashboard)] of a folder and those in it, sorted."""
    found = []
    for file in sorted(glob.glob(os.path.join(folder, "**", "*.json"), recursive=True)):
        with open(file, encoding="utf-8") as handle:
            try:
                found.append((os.path.relpath(file, folder), json.load(handle)))
            except ValueError as error:
                raise ValueError(f"{file}: is no JSON: {error}") from None
    return found


def all_panels(dashboard):
    """Panels, also those inside collapsed rows."""
    for panel in dashboard.get("panels", []):
        yield panel
        yield from panel.get("panels", [])


def variables(dashboard):
    """{name: text} as right after opening: All as its regular expression, else what is chosen at first."""
    values = dict(BUILT_IN)
    for variable in dashboard.get("templating", {}).get("list", []):
        if variable.get("type") == "datasource":
            continue
        current = variable.get("current", {}).get("value", "")
        if isinstance(current, list):
            current = "|".join(current)
        if variable.get("includeAll") and current in ("", "$__all"):
            current = variable.get("allValue") or ".*"
        values[variable["name"]] = current
    return values


def fill(expression, values):
    """Replaces $name, ${name} and ${name:format}; a name without value is a KeyError."""

    def replace(match):
        return values[match[1] or match[2]]

    return re.sub(r"\$(?:\{([A-Za-z_]\w*)(?::\w+)?\}|([A-Za-z_]\w*))", replace, expression)


def queries(dashboard):
    """(title of the panel, refId, expression to send) of each query on Prometheus."""
    values = variables(dashboard)
    for panel in all_panels(dashboard):
        for target in panel.get("targets", []):
            yield panel.get("title", ""), target.get("refId", ""), fill(target["expr"], values)
