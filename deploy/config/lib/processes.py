"""Starts the platform's programs on this machine, each in a folder of its own, and stops exactly those."""

import base64
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

PORTS = range(34000, 35000)  # 127.0.0.1 only


class NotThere(Exception):
    """A program that is needed is not installed, or too old; the text says which and what to do."""


def free_ports(count):
    """So many free ports, different from each other. They are free now: start what uses them at once."""
    found, sockets = [], []
    start = int.from_bytes(os.urandom(2), "big") % len(PORTS)
    for offset in range(len(PORTS)):
        port = PORTS[(start + offset) % len(PORTS)]
        sock = socket.socket()
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            sock.close()
            continue
        sockets.append(sock)
        found.append(port)
        if len(found) == count:
            break
    for sock in sockets:
        sock.close()
    if len(found) < count:
        raise NotThere(f"no {count} free ports in {PORTS.start}-{PORTS.stop - 1}")
    return found


def find_program(name, version_min):
    """The path of `name` in $PLATFORM_TOOLS, in ~/.cache/tributary-platform, or in PATH, of at least that version."""
    cache = os.path.join(os.path.expanduser("~"), ".cache", "tributary-platform")
    candidates = [os.path.join(folder, name) for folder in (os.environ.get("PLATFORM_TOOLS"), cache) if folder]
    candidates += [path for path in [shutil.which(name)] if path]
    seen = []
    for candidate in candidates:
        if not os.access(candidate, os.X_OK):
            continue
        answer = subprocess.run([candidate, "--version"], capture_output=True, text=True, timeout=30)
        version = re.search(r"version (\d+)\.(\d+)", answer.stdout + answer.stderr)
        if version and (int(version[1]), int(version[2])) >= version_min:
            return candidate
        seen.append(f"{candidate} is {version[0] if version else 'of unknown version'}")
    wanted = ".".join(map(str, version_min))
    raise NotThere(f"{name} {wanted} or newer is not here ({'; '.join(seen) or 'none found'}); "
                   "test/deploy/platform/install-tools builds it")


def find_prometheus():
    return find_program("prometheus", (3, 16))


def find_promtool():
    return find_program("promtool", (3, 16))


def find_alertmanager():
    return find_program("alertmanager", (0, 31))


def find_amtool():
    return find_program("amtool", (0, 31))


class Process:
    """One program, its output in a log file. start() again after stop() or kill() keeps its data."""

    def __init__(self, name, command, folder, ready_url, credentials=None, environment=None):
        self.name, self.command, self.ready_url = name, command, ready_url
        self.log = os.path.join(folder, f"{name}.log")
        self._credentials, self._environment, self._process = credentials, environment, None

    def start(self):
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                             env=self._environment, start_new_session=True)

    def running(self):
        return self._process is not None and self._process.poll() is None

    def wait_ready(self, seconds=30):
        deadline = time.monotonic() + seconds
        while True:
            if not self.running():
                raise RuntimeError(f"{self.name} ended with status {self._process.poll()}:\n{self.tail()}")
            request = urllib.request.Request(self.ready_url)
            if self._credentials:
                token = base64.b64encode(":".join(self._credentials).encode()).decode()
                request.add_header("Authorization", f"Basic {token}")
            try:
                with urllib.request.urlopen(request, timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} is not ready after {seconds} s:\n{self.tail()}")
            time.sleep(0.1)

    def tail(self, lines=15):
        with open(self.log, encoding="utf-8", errors="replace") as handle:
            return "".join(handle.readlines()[-lines:])

    def stop(self, seconds=20):
        """SIGTERM, and SIGKILL if it does not end by itself in time."""
        if self.running():
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self):
        if self.running():
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()


def prometheus(name, rendered, folder, port, web_config=None, credentials=None, receiver=True):
    """A Prometheus with the configuration in `rendered`, its data in folder/NAME.data."""
    command = [
        find_prometheus(),
        f"--config.file={rendered}",
        f"--storage.tsdb.path={os.path.join(folder, name + '.data')}",
        "--storage.tsdb.retention.time=7d",
        "--storage.tsdb.retention.size=2GB",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--web.external-url=http://127.0.0.1:{port}",
        "--web.enable-lifecycle",
    ]
    if receiver:
        command.append("--web.enable-remote-write-receiver")
    if web_config:
        command.append(f"--web.config.file={web_config}")
    return Process(name, command, folder, f"http://127.0.0.1:{port}/-/ready", credentials)


def alertmanager(name, rendered, folder, port, cluster_port=None, peers=()):
    command = [
        find_alertmanager(),
        f"--config.file={rendered}",
        f"--storage.path={os.path.join(folder, name + '.data')}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--web.external-url=http://127.0.0.1:{port}",
        "--enable-feature=receiver-name-in-metrics",
        f"--cluster.listen-address={f'127.0.0.1:{cluster_port}' if cluster_port else ''}",
    ]
    command += [f"--cluster.peer=127.0.0.1:{peer}" for peer in peers]
    if cluster_port:
        command += [f"--cluster.advertise-address=127.0.0.1:{cluster_port}", "--cluster.settle-timeout=2s"]
    return Process(name, command, folder, f"http://127.0.0.1:{port}/-/ready")
