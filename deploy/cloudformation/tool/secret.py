"""Secrets that CloudFormation cannot make: the password of agents with its hash, and what comes from outside."""

import json
import secrets
import shutil
import subprocess

from .aws import Problem, Refused, SecretFile

USERNAME = "agent"
# name: (parameter of platform.yaml, what it is)
OUTSIDE = {
    "slack": ("SlackSecretArn", "the URL of Slack's incoming webhook"),
    "pagerduty": ("PagerDutySecretArn", "PagerDuty's integration key (Events API v2)"),
    "smtp": ("SmtpSecretArn", "the password of the mail server; its user is SMTP_USERNAME in params/ENV.json"),
    "webhook": ("WebhookSecretArn", "the URL of a webhook that gets all alerts"),
}


def bcrypt(password):
    """The hash that Prometheus' web.yml takes, by whatever this machine has."""
    if shutil.which("htpasswd"):
        done = subprocess.run(["htpasswd", "-niBC", "10", USERNAME], input=password, capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.strip().split(":", 1)[1]
    try:
        import bcrypt as library
        return library.hashpw(password.encode(), library.gensalt(10)).decode()
    except ImportError:
        pass
    try:
        import warnings
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            import crypt
        if crypt.METHOD_BLOWFISH in crypt.methods:
            return crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=1 << 10))
    except (ImportError, AttributeError):
        pass
    raise Problem("nothing here makes bcrypt hashes; install one of apache2-utils (htpasswd) and python3-bcrypt")


def find(aws, name):
    """ARN of a secret, or None."""
    try:
        return aws.call("secretsmanager", "describe-secret", "--secret-id", name)["ARN"]
    except Refused as error:
        if error.code == "ResourceNotFoundException":
            return None
        raise


def create(aws, name, description, text):
    with SecretFile(text) as file:
        return aws.call("secretsmanager", "create-secret", "--name", name, "--description", description,
                        "--secret-string", file)["ARN"]


def put(aws, settings, which, text):
    """Sets one of OUTSIDE. Running tasks keep what they have until the next `apply` or restart."""
    name, text = f"{settings.stack}/{which}", text.strip()
    if not text or "\n" in text:
        raise Problem(f"the secret {which} has to be one line on standard input: {OUTSIDE[which][1]}")
    arn = find(aws, name)
    if arn is None:
        return create(aws, name, OUTSIDE[which][1], text)
    with SecretFile(text) as file:
        aws.call("secretsmanager", "put-secret-value", "--secret-id", arn, "--secret-string", file)
    return arn


def web_yml(hashed):
    return f"basic_auth_users:\n  {USERNAME}: {hashed}\n"


def ingest(aws, settings, say):
    """ARN of the secret of agents, which is made if it is not there."""
    name = f"{settings.stack}/ingest"
    arn = find(aws, name)
    if arn is not None:
        return arn
    password = secrets.token_urlsafe(32)
    say(f"making the secret {name}, the user and password of agents")
    return create(aws, name, "user and password that agents, Grafana and Prometheus share, and its hash for web.yml",
                  json.dumps({"username": USERNAME, "password": password, "web_yml": web_yml(bcrypt(password))}))
