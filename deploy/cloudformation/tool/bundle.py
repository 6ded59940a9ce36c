"""Carries deploy/config into the templates: renders it, packs what each container needs and puts that where the
templates say "splice:NAME". What results is a folder of templates that `aws cloudformation package` can take."""

import base64
import gzip
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile

import yaml

from .aws import Problem
from .settings import HERE

CONFIG = os.path.join(os.path.dirname(HERE), "config")
# ECS takes 64 KiB for a task definition, all of it: the archive is by far the most.
TASK_DEFINITION_MAX = 64 * 1024
ARCHIVE_MAX = 48 * 1024
TEMPLATE_MAX = 1024 * 1024
SPLICE = re.compile(r'"splice:([a-z0-9-]+)"')


def variables(settings, account, partition, region, ways):
    """The variables of deploy/config/render, but REPLICA. `ways` are the notifications whose secret there is."""
    namespace, amp = settings.namespace, settings.plain("Backend") != "prometheus"
    suffix = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
    # Which workspace is known when the stack is there; the container that lays out the files fills it in.
    workspace = f"https://aps-workspaces.{region}.{suffix}/workspaces/@AMP_WORKSPACE@"
    found = {
        "ENVIRONMENT": settings.environment,
        "PROMETHEUS_TARGETS": ",".join(f"prometheus-{i}.{namespace}:9090" for i in range(settings.replicas))
                              or "localhost:9090",
        "PROMETHEUS_USERNAME": "agent",
        "PROMETHEUS_QUERY_URL": f"https://query.{settings.domain}",
        "ALERTMANAGER_DNS_NAME": f"alertmanager.{namespace}",
        "ALERTMANAGER_URL": f"http://alertmanager.{namespace}:9093",
        "GRAFANA_TARGETS": f"grafana.{namespace}:3000",
        "EC2_DISCOVERY": "true",
        "ECS_DISCOVERY": "true",
        "AWS_REGION": region,
        "CLOUDWATCH_DATASOURCE": "true",
        "SECRETS_DIR": "/config/secrets",
        "ALERTMANAGER_TEMPLATES_DIR": "/config/alertmanager/templates",
        "DASHBOARDS_DIR": "/config/grafana/dashboards",
        "SLACK_ENABLED": str("slack" in ways).lower(),
        "PAGERDUTY_ENABLED": str("pagerduty" in ways).lower(),
        "WEBHOOK_ENABLED": str("webhook" in ways).lower(),
        "DEADMAN_SNS_TOPIC_ARN": f"arn:{partition}:sns:{region}:{account}:{settings.stack}-heartbeat",
    }
    if settings.plain("EnableCloudWatchExporter") == "true":
        found["CLOUDWATCH_EXPORTER_TARGETS"] = f"cloudwatch-exporter.{namespace}:9106"
    if amp:
        found["AMP_QUERY_URL"] = workspace
    found.update(settings.configuration)
    if "smtp" in ways:
        found.setdefault("SMTP_SMARTHOST", f"email-smtp.{region}.{suffix}:587")
    else:
        # Without a password no mail server takes anything.
        for name in ("EMAIL_TO", "EMAIL_FROM", "SMTP_SMARTHOST", "SMTP_USERNAME"):
            found.pop(name, None)
    if settings.plain("Backend") == "both":
        found["ONWARD_REMOTE_WRITE_URL"] = workspace + "/api/v1/remote_write"
        found["ONWARD_SIGV4_REGION"] = region
    return found


def render(values, replica, out):
    """deploy/config for one replica, into the folder `out`."""
    own = {**values, "REPLICA": str(replica)}
    if replica != 0:
        # From two replicas each sample would arrive twice.
        own.pop("ONWARD_REMOTE_WRITE_URL", None)
        own.pop("ONWARD_SIGV4_REGION", None)
    arguments = [sys.executable, os.path.join(CONFIG, "render"), "--out", out]
    for name, value in sorted(own.items()):
        arguments += ["--set", f"{name}={value}"]
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode != 0:
        raise Problem("deploy/config cannot be rendered; values come from params/ENV.json and --config:\n"
                      + done.stderr.strip())


def archive(root, folder, extra=()):
    """The folder below `root` as text: tar, gzip, base64; the same for the same files. `extra` is [(name, bytes)]."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9, mtime=0) as compressed, \
            tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        names = sorted(os.path.relpath(os.path.join(at, file), root)
                       for at, _, files in os.walk(os.path.join(root, folder)) for file in files)
        contents = []
        for name in names:
            with open(os.path.join(root, name), "rb") as file:
                contents.append((name, file.read()))
        for name, data in [*contents, *extra]:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    text = base64.b64encode(packed.getvalue()).decode()
    if len(text) > ARCHIVE_MAX:
        raise Problem(f"the configuration in {folder}/ takes {len(text)} bytes packed, {ARCHIVE_MAX} fit into a task "
                      "definition; leave out dashboards or rules that nobody needs")
    return text


def without_own_prometheus(root):
    """For Backend amp: Grafana's files without what only our own Prometheus and Alertmanager answer."""
    shutil.rmtree(os.path.join(root, "grafana/provisioning/alerting"), ignore_errors=True)
    folder = os.path.join(root, "grafana/provisioning/datasources")
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        with open(path, encoding="utf-8") as file:
            content = yaml.safe_load(file)
        content["datasources"] = [s for s in content["datasources"] if s["uid"] not in ("central", "alertmanager")]
        for source in content["datasources"]:
            source["isDefault"] = source["uid"] == "amp"
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump(content, file, sort_keys=False)


def rules(root, kind):
    """All groups of rules with rules of one kind ("record" or "alert"), as one file for Amazon Managed Prometheus."""
    groups = []
    folder = os.path.join(root, "prometheus/rules")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            for group in yaml.safe_load(file)["groups"]:
                kept = [rule for rule in group["rules"] if kind in rule]
                if kept:
                    groups.append({**group, "rules": kept})
    return yaml.safe_dump({"groups": groups}, sort_keys=False, width=1000)


def pieces(settings, values, work, authority=None):
    """Everything that is spliced, as {name: text}."""
    found = {}
    for replica in range(3):
        root = os.path.join(work, f"config-{replica}")
        render(values, replica, root)
        found[f"prometheus-{replica}"] = archive(root, "prometheus")
    root = os.path.join(work, "config-0")
    found["alertmanager"] = archive(root, "alertmanager")
    found["cloudwatch-exporter"] = archive(root, "cloudwatch-exporter")
    found["recording-rules"], found["alerting-rules"] = rules(root, "record"), rules(root, "alert")
    if settings.plain("Backend") == "amp":
        without_own_prometheus(root)
    found["grafana"] = archive(root, "grafana", [("ca/platform.pem", authority.encode())] if authority else ())
    return found


def build(settings, values, work, authority=None):
    """Writes the templates with everything spliced in; returns the path of the root template."""
    parts, used = pieces(settings, values, work, authority), set()
    out = os.path.join(work, "templates-of-" + settings.environment)
    os.makedirs(os.path.join(out, "templates"))

    def splice(match):
        if match[1] not in parts:
            raise Problem(f"a template asks for splice:{match[1]}, which nothing makes")
        used.add(match[1])
        return json.dumps(parts[match[1]])  # JSON's strings are YAML's

    names = ["platform.yaml"] + ["templates/" + n for n in sorted(os.listdir(os.path.join(HERE, "templates")))
                                 if n.endswith(".yaml")]
    for name in names:
        with open(os.path.join(HERE, name), encoding="utf-8") as file:
            text = SPLICE.sub(splice, file.read())
        if len(text.encode()) > TEMPLATE_MAX:
            raise Problem(f"{name} is larger than the 1 MiB that CloudFormation takes")
        with open(os.path.join(out, name), "w", encoding="utf-8") as file:
            file.write(text)
    missing = set(parts) - used
    if missing:
        raise Problem(f"no template carries {', '.join(sorted(missing))}")
    return os.path.join(out, "platform.yaml")
