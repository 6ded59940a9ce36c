"""The AWS command line, called with arguments as lists; answers are JSON. Secrets go in by files, never as arguments."""

import json
import os
import shutil
import subprocess
import tempfile


class Problem(Exception):
    """Something the user has to know; the text says what and, where that is known, what to do."""


class Refused(Problem):
    """A call that AWS answered with an error."""

    def __init__(self, text, code):
        super().__init__(text)
        self.code = code


CREDENTIALS = ("Unable to locate credentials", "ExpiredToken", "InvalidClientTokenId", "UnrecognizedClientException",
               "The config profile", "Error loading SSO Token", "SSO session associated", "AuthFailure")


class Aws:
    def __init__(self, region=None):
        if not shutil.which("aws"):
            raise Problem("the AWS command line is needed: apt-get install awscli, or version 2 from AWS")
        self.region = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or self._configured()
        if not self.region:
            raise Problem("no region: give --region, or set AWS_REGION, or Region in params/ENV.json")
        self._identity = None

    @staticmethod
    def _configured():
        done = subprocess.run(["aws", "configure", "get", "region"], capture_output=True, text=True)
        if any(sign in done.stderr for sign in CREDENTIALS):
            raise Aws._refusal("configure", "get", done.stderr)
        return done.stdout.strip()

    def call(self, service, action, *arguments, timeout=300, parse=True):
        """Runs `aws SERVICE ACTION ARGUMENTS`; returns its JSON (None where there is none)."""
        command = ["aws", service, action, *arguments, "--region", self.region]
        if parse:
            command += ["--output", "json"]
        environment = {**os.environ, "AWS_PAGER": "", "AWS_CLI_AUTO_PROMPT": "off"}
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment,
                                  stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            raise Problem(f"aws {service} {action} did not end within {timeout} s") from None
        if done.returncode != 0:
            raise self._refusal(service, action, done.stderr.strip())
        if not parse:
            return done.stdout
        return json.loads(done.stdout) if done.stdout.strip() else None

    @staticmethod
    def _refusal(service, action, text):
        line = " ".join(text.split()) or "no reason given"
        if any(sign in line for sign in CREDENTIALS):
            return Problem(f"no valid AWS credentials (aws {service} {action}: {line}). "
                           "Sign in, or set AWS_PROFILE; `aws sts get-caller-identity` has to work")
        if "Could not connect to the endpoint" in line:
            return Problem(f"AWS is not reached: {line}. Is the region right?")
        code = line.split("An error occurred (", 1)[-1].split(")", 1)[0] if "An error occurred (" in line else ""
        return Refused(f"aws {service} {action}: {line}", code)

    @property
    def account(self):
        return self._who()["Account"]

    @property
    def partition(self):
        return self._who()["Arn"].split(":")[1]

    @property
    def caller(self):
        return self._who()["Arn"]

    def _who(self):
        if self._identity is None:
            self._identity = self.call("sts", "get-caller-identity")
        return self._identity


class SecretFile:
    """A file that only we can read, for as long as a call needs it."""

    def __init__(self, text):
        self._text = text

    def __enter__(self):
        handle, self.path = tempfile.mkstemp(prefix="deploy-")  # mkstemp makes it 0600
        with os.fdopen(handle, "w") as file:
            file.write(self._text)
        return "file://" + self.path

    def __exit__(self, *_):
        os.unlink(self.path)
