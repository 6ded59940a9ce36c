"""What the platform's tests share: where things are, rendered configurations, programs that may be missing."""

import importlib.machinery
import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
CONFIG = os.path.join(ROOT, "deploy", "config")
RULES = os.path.join(CONFIG, "prometheus", "rules")
DASHBOARDS = os.path.join(CONFIG, "grafana", "dashboards")

sys.path.insert(0, CONFIG)
from lib import processes  # noqa: E402

# Every optional part switched on, on top of local.env: what a production environment has, and more.
EVERYTHING = {
    "ENVIRONMENT": "production",
    "SCRAPE_INTERVAL": "15s",
    "PROMETHEUS_TARGETS": "prometheus-0.mon.internal:9090,prometheus-1.mon.internal:9090",
    "ALERTMANAGER_TARGETS": "",
    "ALERTMANAGER_DNS_NAME": "alertmanager.mon.internal",
    "GRAFANA_TARGETS": "grafana.mon.internal:3000",
    "CLOUDWATCH_EXPORTER_TARGETS": "cloudwatch-exporter.mon.internal:9106",
    "FEDERATION_TARGETS": "eks-us-east-1@us-east-1=prometheus.eks-us-east-1.internal:9090 "
                          "eks-us-west-2@us-west-2=prometheus.eks-us-west-2.internal:9090",
    "CLOUDWATCH_ROLES": "arn:aws:iam::444455556666:role/reader=0123456789abcdef",
    "FEDERATION_SCHEME": "https",
    "FEDERATION_USERNAME": "federation",
    "EC2_DISCOVERY": "true",
    "ECS_DISCOVERY": "true",
    "AWS_REGION": "us-east-1",
    "CLOUDWATCH_DATASOURCE": "true",
    "ONWARD_REMOTE_WRITE_URL": "https://aps-workspaces.us-east-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write",
    "ONWARD_SIGV4_REGION": "us-east-1",
    "AMP_QUERY_URL": "https://aps-workspaces.us-east-1.amazonaws.com/workspaces/ws-1",
    "SLACK_ENABLED": "true",
    "PAGERDUTY_ENABLED": "true",
    "EMAIL_TO": "oncall@company.com,sre-team@company.com",
    "EMAIL_FROM": "alerts@company.com",
    "SMTP_SMARTHOST": "email-smtp.us-east-1.amazonaws.com:587",
    "SMTP_USERNAME": "AKIAEXAMPLE",
    "WEBHOOK_ENABLED": "true",
    "DEADMAN_SNS_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:deadman",
    "DEADMAN_WEBHOOK_ENABLED": "true",
}


def load_script(name):
    """A program of deploy/config as a module; they have no .py at the end."""
    path = os.path.join(CONFIG, name)
    loader = importlib.machinery.SourceFileLoader(os.path.basename(name), path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def run(*command, **more):
    """(status, stdout and stderr)"""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, **more)
    return done.returncode, done.stdout


def need(find):
    """The path of a program, or the test is skipped with the reason."""
    try:
        return find()
    except processes.NotThere as error:
        raise unittest.SkipTest(str(error)) from None


def render(out, **values):
    """Renders local.env with these changes; the files' folder. Secrets are made there, as strings that are none."""
    secrets = os.path.join(out, "secrets")
    os.makedirs(secrets, exist_ok=True)
    for name in ("prometheus-password", "federation-password", "slack-url", "pagerduty-key", "smtp-password", "webhook-url", "deadman-url"):
        if not os.path.exists(os.path.join(secrets, name)):
            with open(os.path.join(secrets, name), "w", encoding="utf-8") as handle:
                handle.write("http://127.0.0.1:9/" if name.endswith("url") else "example")
    folder = os.path.join(out, "config")
    values = {"SECRETS_DIR": secrets, "ALERTMANAGER_TEMPLATES_DIR": os.path.join(folder, "alertmanager", "templates"),
              "DASHBOARDS_DIR": os.path.join(folder, "grafana", "dashboards"), **values}
    command = [os.path.join(CONFIG, "render"), "--env", os.path.join(CONFIG, "local.env"), "--out", folder]
    for name, value in values.items():
        command += ["--set", f"{name}={value}"]
    status, output = run(*command)
    if status:
        raise AssertionError(output)
    return folder


class Scratch(unittest.TestCase):
    """A test with a folder of its own, which is deleted at the end."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
