"""A real API server with etcd, in a network of its own: addresses of pods and nodes are real there, and nothing is outside.

Run as a program it enters that network, starts both, serves what the agent scrapes and runs the tests given to it, or figures.py.
"""

import contextlib
import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

from case import program

API = "10.200.0.1"  # also the node's address, where the kubelet is
POD, SERVICE_POD = "10.200.1.1", "10.200.1.2"
PORT, SECOND_PORT = 39443, 39444
ETCD = "http://127.0.0.1:39379"
ADMIN = "admin-token"


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr or done.stdout}")
    return done.stdout


class World:
    """etcd and kube-apiserver in a folder, from start() to stop(). Each of them can be killed and started again."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = {}
        self.url = f"https://{API}:{PORT}"
        self.second_url = f"https://{API}:{SECOND_PORT}"
        self.ca = os.path.join(folder, "ca.crt")

    def start(self):
        self._certificates()
        self.start_etcd()
        self.start_server()

    def start_etcd(self):
        peer = "http://127.0.0.1:39380"
        self._spawn("etcd", "etcd", "--data-dir", "etcd", "--listen-client-urls", ETCD, "--advertise-client-urls", ETCD,
                    "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                    "--initial-cluster", f"default={peer}", "--unsafe-no-fsync")

    def start_server(self, name="kube-apiserver", port=PORT, url=None):
        self._spawn(name, "kube-apiserver", f"--etcd-servers={ETCD}", f"--bind-address={API}", f"--advertise-address={API}",
                    "--endpoint-reconciler-type=none", f"--secure-port={port}", f"--cert-dir=certs-{name}",
                    "--tls-cert-file=server.crt", "--tls-private-key-file=server.key",
                    "--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=sa.pub",
                    "--service-account-signing-key-file=sa.key", "--token-auth-file=tokens.csv",
                    "--authorization-mode=Node,RBAC", "--service-cluster-ip-range=10.96.0.0/16")
        self._wait(url or self.url)

    def start_second_server(self):
        """Another one for the same etcd, at second_url: for what is done while the first is away."""
        self.start_server("second-apiserver", SECOND_PORT, self.second_url)

    def kill(self, name):
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def stop(self):
        for name in reversed(list(self.processes)):
            self.kill(name)

    def kubectl(self, *arguments, given=None, check=True):
        """Runs kubectl as the administrator, with the text `given` on standard input."""
        done = subprocess.run([program("kubectl"), "--server", self.url, f"--certificate-authority={self.ca}",
                               f"--token={ADMIN}", "--cache-dir=" + os.path.join(self.folder, "cache"), *arguments],
                              input=given, capture_output=True, text=True)
        if check and done.returncode:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done

    def request(self, method, path, body=None, token=ADMIN, url=None):
        """Status and answer of a request to the API server, or to that at `url`; `body` goes as JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request((url or self.url) + path, data, method=method, headers={
            "Authorization": "Bearer " + token, "Content-Type": "application/json"})
        context = ssl.create_default_context(cafile=self.ca)
        try:
            with urllib.request.urlopen(request, context=context, timeout=10) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text

    def _spawn(self, name, command, *arguments):
        with open(os.path.join(self.folder, name + ".log"), "w", encoding="utf-8") as log:
            self.processes[name] = subprocess.Popen([program(command), *arguments], cwd=self.folder, stdout=log, stderr=log)

    def _certificates(self):
        def path(name):
            return os.path.join(self.folder, name)
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test-ca",
            "-keyout", path("ca.key"), "-out", self.ca)
        with open(path("names"), "w", encoding="utf-8") as file:
            file.write(f"subjectAltName=DNS:kubernetes.default.svc,IP:{API},IP:10.96.0.1")
        run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server", "-keyout", path("server.key"),
            "-out", path("server.csr"))
        run("openssl", "x509", "-req", "-in", path("server.csr"), "-CA", self.ca, "-CAkey", path("ca.key"),
            "-CAcreateserial", "-days", "2", "-extfile", path("names"), "-out", path("server.crt"))
        run("openssl", "genrsa", "-out", path("sa.key"), "2048")
        run("openssl", "rsa", "-in", path("sa.key"), "-pubout", "-out", path("sa.pub"))
        with open(path("tokens.csv"), "w", encoding="utf-8") as file:
            file.write(f'{ADMIN},admin,admin,"system:masters"\n')

    def _wait(self, url):
        for _ in range(600):
            if any(process.poll() is not None for process in self.processes.values()):
                break
            with contextlib.suppress(OSError):
                if self.request("GET", "/readyz", url=url)[0] == 200:
                    return
            time.sleep(0.1)
        logs = [open(os.path.join(self.folder, name + ".log"), encoding="utf-8").read()[-2000:] for name in self.processes]
        self.stop()
        raise RuntimeError("the API server does not start:\n" + "\n".join(logs))


class Pages:
    """Serves /metrics and /metrics/cadvisor on an address; remembers what was asked for with which Authorization."""

    def __init__(self, address, port, certificate=None):
        self.asked = asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append((self.path, self.headers.get("Authorization")))
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(b"some_metric 1\n")

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                asked.append((self.path, self.headers.get("Authorization")))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, port), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def own_network():
    """Called in the network of its own: gives it its addresses. /run is of its own, too, for the service account."""
    run("ip", "link", "set", "lo", "up")
    for address in (API, POD, SERVICE_POD):
        run("ip", "address", "add", address + "/32", "dev", "lo")
    run("mount", "-t", "tmpfs", "tmpfs", "/run")


def inside():
    return os.environ.get("TRIBUTARY_TEST_NETWORK") == "own"


if __name__ == "__main__":
    own_network()
    os.environ["TRIBUTARY_TEST_NETWORK"] = "own"
    script = "figures.py" if sys.argv[1:] == ["--figures"] else "run.py"
    sys.exit(subprocess.run([sys.executable, os.path.join(os.path.dirname(__file__), script), *sys.argv[1:]]).returncode)
