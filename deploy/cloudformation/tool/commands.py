"""The commands of `deploy`."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from . import bundle, certificate, secret, stacks
from .aws import Aws, Problem, Refused, SecretFile
from .settings import EXAMPLE_DOMAIN, HERE, Settings

ARTIFACTS = "tributary-artifacts"


def say(text=""):
    print(text, flush=True)


def warn(text):
    print(f"deploy: warning: {text}", file=sys.stderr, flush=True)


class Deployment:
    """One environment in one account and region."""

    def __init__(self, options):
        self.options = options
        self.settings = Settings(options.environment, options.set, options.config, options.params)
        self.aws = Aws(options.region or self.settings.region)
        if self.settings.account and self.settings.account != self.aws.account:
            raise Problem(f"{self.settings.path} says that {options.environment} is in account {self.settings.account}; "
                          f"these credentials are {self.aws.caller}")
        # Not on stdout, which some commands' answers go to a file or program from.
        print(f"deploy: {self.settings.stack} in account {self.aws.account}, {self.aws.region}, as {self.aws.caller}",
              file=sys.stderr, flush=True)
        self._look()

    def _look(self):
        self.stack = stacks.describe(self.aws, self.settings.stack)
        self._refuse_other_environment()

    def _refuse_other_environment(self):
        there = {p["ParameterKey"]: p.get("ParameterValue", "") for p in (self.stack or {}).get("Parameters", [])}
        if there.get("Environment", self.settings.environment) != self.settings.environment:
            raise Problem(f"the stack {self.settings.stack} is a platform for {there['Environment']}")
        self.in_force = there

    def _needs_stack(self):
        if self.stack is None or self.stack["StackStatus"] == "REVIEW_IN_PROGRESS":
            raise Problem(f"there is no stack {self.settings.stack} in {self.aws.region}; "
                          f"`deploy {self.settings.environment} apply` makes it")
        return {o["OutputKey"]: o["OutputValue"] for o in self.stack.get("Outputs", [])}

    # plan and apply

    def plan(self):
        with self._prepared() as (change_set, root):
            self._show(change_set, root)
            if change_set.changes:
                say(f"Nothing of the platform was changed. `deploy {self.settings.environment} apply` carries this out.")

    def apply(self):
        if self.settings.environment == "production" and self.settings.domain.endswith(EXAMPLE_DOMAIN):
            raise Problem(f"Domain is {self.settings.domain}, which is an example: set one that is yours")
        with self._prepared() as (change_set, root):
            self._show(change_set, root)
            if change_set.changes:
                if not self._confirmed(f"Carry this out on {self.settings.stack}? Type yes: ", "yes"):
                    raise Problem("not confirmed; nothing was changed")
                change_set.execute(say)
        self._protect()
        self._look()
        self.outputs()

    def _confirmed(self, question, word):
        if self.options.yes:
            return True
        if not sys.stdin.isatty():
            raise Problem("nobody is there to confirm; --yes does it without asking")
        return input(question).strip() == word

    @contextlib.contextmanager
    def _prepared(self):
        """Everything up to the change set, which the body may execute; otherwise it is discarded."""
        stacks.refuse_if_busy(self.stack)
        with tempfile.TemporaryDirectory(prefix="tributary-deploy-") as work:
            # What may be refused comes first, so that a refusal leaves nothing behind.
            parameters = {**self.settings.parameters, "NamespaceName": self.settings.namespace}
            authority = self._certificate(parameters, work)
            ways = self._secrets(parameters)
            self._advise(ways, parameters)
            values = bundle.variables(self.settings, self.aws.account, self.aws.partition, self.aws.region, ways)
            root = bundle.build(self.settings, values, work, authority)
            url = self._package(root, work)
            # CloudFormation passes these on to nested stacks and to every resource that takes tags.
            tags = {"Project": "tributary", "Environment": self.settings.environment, "ManagedBy": "cloudformation"}
            change_set = stacks.ChangeSet(self.aws, self.settings.stack, url, parameters, tags)
            try:
                yield change_set, root
            finally:
                # Whatever stopped it, also Ctrl-C at the question: what was not executed is not left behind.
                if change_set.changes and not change_set.executed:
                    change_set.discard()

    def _secrets(self, parameters):
        """Adds the secrets that there are to the parameters, the agents' is made; returns the ways of notification."""
        ways = set()
        if not parameters.get("IngestSecretArn"):
            parameters["IngestSecretArn"] = secret.ingest(self.aws, self.settings, say)
        for name, (parameter, _) in secret.OUTSIDE.items():
            arn = parameters.get(parameter) or secret.find(self.aws, f"{self.settings.stack}/{name}")
            if arn:
                ways.add(name)
                parameters[parameter] = arn
        return ways

    def _certificate(self, parameters, work):
        """Sees to it that there is one; returns it if it is self-signed."""
        if not parameters.get("CertificateArn") and not parameters.get("PublicHostedZoneId"):
            if self.in_force.get("CertificateArn"):
                parameters["CertificateArn"] = self.in_force["CertificateArn"]
            elif self.options.self_signed:
                parameters["CertificateArn"] = certificate.self_signed(self.aws, self.settings, work, say)
            else:
                raise Problem("there is no certificate, and nothing is served without TLS. One of:\n"
                              "  --set CertificateArn=ARN         one that is in ACM, for Domain and the names below it\n"
                              "  --set Domain=... --set PublicHostedZoneId=...   have one made, proved in that zone\n"
                              "  --self-signed                    dev and staging: make one that only we trust")
        if parameters.get("CertificateArn"):
            return certificate.authority(self.aws, parameters["CertificateArn"])
        return None

    def _advise(self, ways, parameters):
        if self.settings.plain("Backend") != "amp":
            if not ways:
                warn("alerts reach nobody: `deploy ENV secret slack` (pagerduty, smtp, webhook) sets up a way")
            if self.settings.configuration.get("EMAIL_TO") and "smtp" not in ways:
                warn("EMAIL_TO is set, but there is no secret smtp: no mail will be sent")
            if EXAMPLE_DOMAIN in self.settings.configuration.get("RUNBOOK_URL", ""):
                warn("RUNBOOK_URL is an example: alerts will point to a page that is not there")
            if self.settings.plain("Storage") == "efs":
                warn("Storage efs: Prometheus does not support NFS for its data; deploy/README.md says what that means")
        if self.settings.plain("GrafanaScheme") == "internal" and not self.settings.grafana_is_for_private_addresses:
            warn("GrafanaAllowedCidr are public addresses, but Grafana has only private ones: --set "
                 "GrafanaScheme=internet-facing, or nobody reaches it from there")
        if self.settings.environment == "production":
            loose = [n for n in self.settings.template["Parameters"]
                     if n.endswith("Image") and "@sha256:" not in self.settings.plain(n)]
            if loose:
                warn("images of production should be pinned by digest, not by tag alone: " + ", ".join(loose))
            if self.settings.domain.endswith(EXAMPLE_DOMAIN):
                warn(f"Domain {self.settings.domain} is an example; apply will refuse it")

    def _package(self, root, work):
        """Uploads the templates under the hash of their content; returns the URL of the root one."""
        bucket = f"{ARTIFACTS}-{self.aws.account}-{self.aws.region}"
        self._make_bucket(bucket)
        prefix, packaged = self.settings.stack, os.path.join(work, "packaged.yaml")
        self.aws.call("cloudformation", "package", "--template-file", root, "--s3-bucket", bucket, "--s3-prefix", prefix,
                      "--output-template-file", packaged, parse=False)
        with open(packaged, "rb") as file:
            content = file.read()
        key = f"{prefix}/{hashlib.sha256(content).hexdigest()}.template"
        self.aws.call("s3api", "put-object", "--bucket", bucket, "--key", key, "--body", packaged)
        # Wherever package put the nested templates is where the root is, too (other partitions, other endpoints).
        base = re.search(rb"TemplateURL: (\S+)/" + re.escape(prefix).encode() + b"/", content)
        if not base:
            raise Problem("`aws cloudformation package` left no nested template; is this AWS command line very old?")
        return f"{base[1].decode()}/{key}"

    def _make_bucket(self, bucket):
        stack = stacks.describe(self.aws, ARTIFACTS)
        if stack and stack["StackStatus"].endswith("_COMPLETE") and "ROLLBACK" not in stack["StackStatus"]:
            return
        say(f"making the bucket {bucket} for templates (stack {ARTIFACTS})")
        self.aws.call("cloudformation", "create-stack", "--stack-name", ARTIFACTS, "--template-body",
                      "file://" + os.path.join(HERE, "artifacts.yaml"), "--parameters",
                      f"ParameterKey=BucketName,ParameterValue={bucket}", "--enable-termination-protection")
        stacks.follow(self.aws, ARTIFACTS, say)

    def _show(self, change_set, root):
        if not change_set.changes:
            say("no changes: the platform is what the templates and parameters say")
            return
        say(f"{'a new platform' if change_set.creates else 'changes'}, in nested stacks:")
        stacks.show(change_set.changes, say)
        if not change_set.creates:
            lines = stacks.differences(self.aws, self.settings.stack, root)
            if lines:
                say("and inside of them:")
                for line in lines:
                    say(line)

    def _protect(self):
        """What holds data may be changed, never replaced or removed by an update; the stack cannot be deleted at once."""
        policy = "file://" + os.path.join(HERE, "stack-policy.json")
        for name in [self.settings.stack, *stacks.nested(self.aws, self.settings.stack).values()]:
            self.aws.call("cloudformation", "set-stack-policy", "--stack-name", name, "--stack-policy-body", policy)
        self.aws.call("cloudformation", "update-termination-protection", "--stack-name", self.settings.stack,
                      "--enable-termination-protection")

    # the others

    def outputs(self):
        found = self._needs_stack()
        if self.options.json:
            say(json.dumps(found, indent=2, sort_keys=True))
            return
        width = max(map(len, found), default=0)
        for name, value in sorted(found.items()):
            say(f"  {name:<{width}}  {value}")
        say()
        say(remote_write(found, self.aws.region, self._authority() is not None))

    def _authority(self):
        arn = self.in_force.get("CertificateArn") or self.settings.plain("CertificateArn")
        return certificate.authority(self.aws, arn) if arn else None

    def secret(self):
        if self.options.name not in secret.OUTSIDE:
            raise Problem(f"there is no secret '{self.options.name}'; there are {', '.join(secret.OUTSIDE)}")
        if sys.stdin.isatty():
            import getpass
            text = getpass.getpass(f"{secret.OUTSIDE[self.options.name][1]}: ")
        else:
            text = sys.stdin.read()
        secret.put(self.aws, self.settings, self.options.name, text)
        say(f"{self.settings.stack}/{self.options.name} is set; it takes effect with the next apply")

    def ca(self):
        """The certificate that agents have to trust, if it is one of ours."""
        self._needs_stack()
        found = self._authority()
        if found is None:
            raise Problem("the certificate is not self-signed: agents trust it by their system's authorities")
        sys.stdout.write(found)

    def delete(self):
        name, environment = self.settings.stack, self.settings.environment
        if self.stack is None:
            raise Problem(f"there is no stack {name} in {self.aws.region}")
        if environment == "production" and not self.options.really_production:
            raise Problem("this is production: --really-production says that it is meant. Its load balancers, database "
                          "and backup vault also have protections of their own (deploy/README.md, teardown)")
        say("What stays: file systems, volumes as snapshots, the key, log groups, backups, access logs, secrets.")
        say("What goes: everything else. Agents keep what they cannot send, until their space or time is over.")
        if self.options.yes:
            confirmed = True
        elif not sys.stdin.isatty():
            raise Problem("nobody is there to confirm; --yes does it without asking")
        else:
            confirmed = input(f"Type the name of the stack ({name}): ").strip() == name
        if not confirmed:
            raise Problem("not confirmed; nothing was changed")
        self.aws.call("cloudformation", "update-termination-protection", "--stack-name", name,
                      "--no-enable-termination-protection")
        self.aws.call("cloudformation", "delete-stack", "--stack-name", name)
        # By id: a deleted stack has no name any more.
        stacks.follow(self.aws, self.stack["StackId"], say, good=("DELETE_COMPLETE",))

    def verify(self):
        """deploy/config/verify with this platform's addresses, and the dead man's switch."""
        found = self._needs_stack()
        failed = 0
        if found.get("WriteUrl0"):
            failed += self._verify_by_network(found)
            failed += self._verify_heartbeat()
        else:
            say("skip  Backend amp: there is no Prometheus of ours to verify")
        if failed:
            raise Problem("the platform does not work as a whole; see above")

    def _verify_by_network(self, found):
        command = [sys.executable, os.path.join(bundle.CONFIG, "verify"), "--grafana", found["GrafanaUrl"].rstrip("/")]
        for name in ("WriteUrl0", "WriteUrl1", "WriteUrl2"):
            if name in found:
                command += ["--prometheus", found[name].removesuffix("/api/v1/write")]
        command += ["--rules", os.path.join(bundle.CONFIG, "prometheus/rules"),
                    "--dashboards", os.path.join(bundle.CONFIG, "grafana/dashboards"), "--timeout", "60"]
        with SecretFile(self._value(found["IngestSecretArn"])) as agents, \
                SecretFile(self._value(found["GrafanaAdminSecretArn"])) as admin, \
                SecretFile(self._authority() or "") as authority:
            command += ["--credentials", agents[len("file://"):], "--grafana-credentials", admin[len("file://"):]]
            if os.path.getsize(authority[len("file://"):]):
                command += ["--ca-file", authority[len("file://"):]]
            return subprocess.run(command).returncode

    def _value(self, arn):
        return self.aws.call("secretsmanager", "get-secret-value", "--secret-id", arn)["SecretString"]

    def _verify_heartbeat(self):
        """Watchdog arrives at SNS: rules are evaluated, Alertmanager routes, the way out of the VPC is open."""
        now = time.time()
        stamp = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t)) for t in (now - 900, now)]
        answer = self.aws.call("cloudwatch", "get-metric-statistics", "--namespace", "AWS/SNS", "--metric-name",
                               "NumberOfMessagesPublished", "--dimensions",
                               f"Name=TopicName,Value={self.settings.stack}-heartbeat", "--start-time", stamp[0],
                               "--end-time", stamp[1], "--period", "900", "--statistics", "Sum")
        beats = sum(point["Sum"] for point in answer["Datapoints"])
        say(f"{'ok   ' if beats else 'FAIL '} heartbeat: Watchdog was published {beats:.0f} times in 15 minutes")
        return 0 if beats else 1


def remote_write(found, region, own_authority):
    """What an agent's configuration needs, to be pasted."""
    urls = [found[name] for name in ("WriteUrl0", "WriteUrl1", "WriteUrl2") if name in found]
    lines = ["# For the agents: every replica gets everything, each has a queue of its own.", "remote_write:"]
    queue = ["    queue_config:", "      capacity: 10000", "      max_shards: 100", "      max_samples_per_send: 500"]
    for index, url in enumerate(urls):
        lines += [f"  - name: central-{index}", f"    url: {url}", "    basic_auth:", f"      username: {secret.USERNAME}",
                  "      password_file: /etc/tributary/central-password"]
        if own_authority:
            lines += ["    tls_config:", "      ca_file: /etc/tributary/central-ca.pem"]
        lines += queue
    if not urls and "AmpWriteUrl" in found:
        lines += ["  - name: amp", f"    url: {found['AmpWriteUrl']}", "    sigv4:", f"      region: {region}", *queue]
    notes = []
    if urls:
        notes.append("# On instances the password is in /run/credentials/tributary.service/central-password.")
        notes.append("# The password: aws secretsmanager get-secret-value --query SecretString --output text \\\n"
                     f"#   --secret-id {found['IngestSecretArn']} | jq -r .password")
    notes.append("# The platform's alerts and dashboards on agents need each agent's own metrics, a scrape config:\n"
                 "#   - {job_name: tributary, static_configs: [{targets: ['127.0.0.1:9095'], labels: {instance: HOST}}]}")
    if own_authority:
        notes.append("# The certificate: deploy ENV ca >/etc/tributary/central-ca.pem")
    return "\n".join(lines + notes)



