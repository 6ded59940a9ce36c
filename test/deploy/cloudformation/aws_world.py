"""What the tests of discovery in AWS share: moto, a proxy before it that throttles, credentials that rotate, the agent.

Everything listens on 127.0.0.1.
"""

import http.client
import http.server
import json
import math
import os
import re
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

from test_agent import agentctl

TOOLS = os.path.join(os.environ.get("TRIBUTARY_DEPLOY_TOOLS", "/nonexistent"), "cloudformation", "bin")
REGION = "eu-west-1"
KEYS = {"AWS_ACCESS_KEY_ID": "an-id", "AWS_SECRET_ACCESS_KEY": "a-secret", "AWS_REGION": REGION}
# As EC2 and ECS say it, and as what stands before them may: status, content type, body.
THROTTLED = {
    "RequestLimitExceeded": (503, "text/xml", "<Response><Errors><Error><Code>RequestLimitExceeded</Code>"
                             "<Message>Request limit exceeded.</Message></Error></Errors></Response>"),
    "ThrottlingException": (400, "application/x-amz-json-1.1",
                            '{"__type": "ThrottlingException", "message": "Rate exceeded"}'),
    "status 429": (429, "text/plain", "Too Many Requests"),
}


def reason():
    """Why nothing of this can be run here; None: it can."""
    if agentctl() is None:
        return "agentctl is not built"
    return None if os.access(os.path.join(TOOLS, "moto_server"), os.X_OK) else "moto is not here"


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def clean_environment(**more):
    """Without what the machine itself may know of AWS."""
    found = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ECS_"))}
    return {**found, "HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true", **more}


class Moto:
    def __init__(self, case):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        server = subprocess.Popen([os.path.join(TOOLS, "moto_server"), "-p", str(self.port)],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        case.addCleanup(server.wait)
        case.addCleanup(server.kill)
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    break
            time.sleep(0.1)
        # Tasks stay as they are; by itself moto stops them by and by as they are looked at.
        urllib.request.urlopen(urllib.request.Request(
            self.url + "/moto-api/state-manager/set-transition", method="POST", headers={"Content-Type": "application/json"},
            data=json.dumps({"model_name": "ecs::task", "transition": {"progression": "manual", "times": 100000}}).encode()))

    def run(self, script):
        """What the script prints as JSON; it has clients of ec2 and ecs, an image, a subnet and a security group."""
        head = f"""
import boto3, json
ec2, ecs = (boto3.client(name, endpoint_url="{self.url}", region_name="{REGION}") for name in ("ec2", "ecs"))
image = ec2.describe_images()["Images"][0]["ImageId"]
subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
"""
        done = subprocess.run([os.path.join(TOOLS, "python"), "-c", head + script], env=clean_environment(**KEYS),
                              capture_output=True, text=True)
        if done.returncode:
            raise AssertionError(done.stderr)
        return json.loads(done.stdout)


class _Server:
    """Answers by `handle`, which is a handler's do_* of a class with access to `owner`."""

    def __init__(self, case, handler):
        self.lock = threading.Lock()
        handler.owner = self
        handler.log_message = lambda *_: None
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        case.addCleanup(self.server.server_close)
        case.addCleanup(self.server.shutdown)


def _answer(handler, status, body, content_type="application/json"):
    body = body if isinstance(body, bytes) else body.encode()
    handler.send_response(status)
    handler.send_header("Content-Type", content_type)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


class Proxy(_Server):
    """Before moto. Throttles an action a stated number of times or until it relents; knows who has asked for what."""

    def __init__(self, case, moto):
        self.asked = []  # (action, access key id, session token)
        self.refused = 0
        self._refusals = {}  # action: [what is said, how often yet]

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                target = self.headers.get("X-Amz-Target")
                action = target.rpartition(".")[2] if target else re.search(rb"Action=(\w+)", body)[1].decode()
                refusal = self.owner.take(action, self.headers)
                if refusal:
                    return _answer(self, refusal[0], refusal[2], refusal[1])
                onward = http.client.HTTPConnection("127.0.0.1", moto.port, timeout=30)
                onward.request("POST", self.path, body, dict(self.headers))
                answer = onward.getresponse()
                return _answer(self, answer.status, answer.read(), answer.getheader("Content-Type"))

        super().__init__(case, Handler)

    def take(self, action, headers):
        signer = re.search(r"Credential=([^/]+)/", headers.get("Authorization", ""))
        with self.lock:
            self.asked.append((action, signer and signer[1], headers.get("X-Amz-Security-Token")))
            entry = self._refusals.get(action)
            if not entry or not entry[1]:
                return None
            entry[1] -= 1
            self.refused += 1
            return THROTTLED[entry[0]]

    def throttle(self, action, words, times=math.inf):
        with self.lock:
            self._refusals[action] = [words, times]

    def relent(self, action):
        with self.lock:
            del self._refusals[action]

    def signers(self):
        """Access key ids in the order of their first use."""
        with self.lock:
            return list(dict.fromkeys(key for _, key, _ in self.asked))


class Credentials(_Server):
    """Short-lived keys, each time others: by IMDSv2, whose tokens count for one round, and as ECS and EKS give them to
    containers, to whoever shows the token of the file as it is now."""

    def __init__(self, case, lifetime):
        self.given = 0  # of keys
        self.unauthorized = 0
        self.session = None  # of IMDSv2
        self.tokens = set()  # of containers
        self.silent = False

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_PUT(self):
                ttl = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
                if self.path != "/latest/api/token" or not ttl:
                    return _answer(self, 400, "")
                self.owner.session = f"session-{time.monotonic_ns()}"
                return _answer(self, 200, self.owner.session, "text/plain")

            def do_GET(self):
                owner, role = self.owner, "/latest/meta-data/iam/security-credentials/"
                if owner.silent:
                    return _answer(self, 500, "")
                if self.path == "/container":
                    allowed = self.headers.get("Authorization") in owner.tokens
                else:
                    session = self.headers.get("X-aws-ec2-metadata-token")
                    allowed = session is not None and session == owner.session
                if not allowed:
                    owner.unauthorized += 1
                    return _answer(self, 401, "")
                if self.path == role:
                    return _answer(self, 200, "agents", "text/plain")
                if self.path not in ("/container", role + "agents"):
                    return _answer(self, 404, "")
                owner.session = None
                owner.given += 1
                until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + lifetime))
                return _answer(self, 200, json.dumps({
                    "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": f"ASIA{owner.given}", "Expiration": until,
                    "SecretAccessKey": f"hidden-{owner.given}", "Token": f"session-{owner.given}"}))

        super().__init__(case, Handler)


class Agent:
    """The real one, with a configuration whose targets are all at an address where nobody listens."""

    def __init__(self, case, discovery, environment):
        self.case = case
        folder = tempfile.TemporaryDirectory()
        case.addCleanup(folder.cleanup)
        config = os.path.join(folder.name, "agent.yml")
        with open(config, "w", encoding="utf-8") as file:
            file.write("global: {scrape_interval: 1h, scrape_timeout: 1s}\nscrape_configs:\n- job_name: j\n"
                       f"{discovery}  relabel_configs:\n"
                       "  - {regex: __meta_(.+), action: labelmap}\n"
                       "  - {target_label: __address__, replacement: '127.0.0.1:9'}\n")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = os.path.join(folder.name, "stderr")
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [os.path.join(os.path.dirname(agentctl()), "tributary"), "--config.file=" + config, "--storage.mode=memory",
                 f"--web.listen-address=127.0.0.1:{port}"], stderr=log, env=environment)
        case.addCleanup(self.process.wait)
        case.addCleanup(self.process.kill)

    def api(self):
        with urllib.request.urlopen(self.url + "/api/v1/targets", timeout=10) as answer:
            return json.load(answer)["data"]

    def found(self, label):
        """The values of the label of all targets; none while the agent starts."""
        try:
            return {target["labels"][label] for target in self.api()["activeTargets"]}
        except (urllib.error.URLError, ConnectionError):
            return set()

    def errors(self):
        return [error["error"] for error in self.api().get("discoveryErrors", [])]

    def metric(self, name):
        with urllib.request.urlopen(self.url + "/metrics", timeout=10) as page:
            found = re.search("^" + re.escape(name) + r" (\S+)$", page.read().decode(), re.M)
        return float(found[1]) if found else None

    def wait(self, what, until, seconds=30, meanwhile=lambda: None):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            meanwhile()
            if until():
                return
            time.sleep(0.1)
        with open(self.log, encoding="utf-8") as log:
            self.case.fail(f"{what}: not within {seconds} s\n{log.read()}")
