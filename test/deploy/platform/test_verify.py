"""verify: its bytes, its arguments, and Grafana, which is played here by a server with scripted answers."""

import http.server
import json
import os
import shutil
import ssl
import struct
import threading
import unittest

from support import CONFIG, DASHBOARDS, Scratch, run
from lib import panels, wire
from lib.client import read_credentials

VERIFY = os.path.join(CONFIG, "verify")


class Wire(unittest.TestCase):
    def unsnappy(self, data):
        """A slow reader of the snappy blocks that are literals only."""
        size = shift = at = 0
        while True:
            byte = data[at]
            size |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                break
        out = b""
        while at < len(data):
            self.assertEqual(data[at], 61 << 2)
            length = struct.unpack_from("<H", data, at + 1)[0] + 1
            out += data[at + 3:at + 3 + length]
            at += 3 + length
        self.assertEqual(len(out), size)
        return out

    def test_snappy(self):
        for size in (0, 1, 59, 60, 127, 128, 65535, 65536, 65537, 200000):
            data = bytes(i % 251 for i in range(size))
            self.assertEqual(self.unsnappy(wire.snappy_block(data)), data)

    def test_write_request(self):
        # By hand after prometheus/prompb: labels sorted, value a double, timestamp an int64.
        expected = "0a23" "0a0d0a085f5f6e616d655f5f120178" "0a050a01611200" "120b09000000000000f83f1005"
        self.assertEqual(wire.write_request([({"a": "", "__name__": "x"}, [(5, 1.5)])]).hex(), expected)

    def test_negative_times_and_stale_markers(self):
        self.assertEqual(wire.varint(-1), b"\xff" * 9 + b"\x01")
        self.assertIn(struct.pack("<Q", 0x7FF0000000000002), wire.write_request([({}, [(0, wire.STALE)])]))


class Panels(unittest.TestCase):
    def test_fill(self):
        values = {"cluster": ".*", "__rate_interval": "5m"}
        self.assertEqual(panels.fill('x{a=~"$cluster", b=~"${cluster}", c=~"${cluster:regex}"}[$__rate_interval]', values),
                         'x{a=~".*", b=~".*", c=~".*"}[5m]')
        with self.assertRaises(KeyError):
            panels.fill("$nobody", values)


class Usage(Scratch):
    def write(self, text):
        path = os.path.join(self.folder, "credentials")
        with open(path, "w", encoding="utf-8") as handle:
            handle.write(text)
        return path

    def test_credentials(self):
        self.assertEqual(read_credentials(self.write("a:b:c\n")), ("a", "b:c"))
        self.assertEqual(read_credentials(self.write('{"username": "a", "password": "b", "web_yml": "x"}')), ("a", "b"))
        for text in ("", "a", "a:", ":b", "a:b\nc:d\n", '{"username": "a"}', "{"):
            with self.assertRaises(ValueError):
                read_credentials(self.write(text))

    def test_usage_errors(self):
        one = ("--prometheus", "http://127.0.0.1:9")
        for arguments, message in (
                ((), "--prometheus"),
                (("--prometheus", "ftp://x"), "is not a URL"),
                (("--prometheus", "http://user:secret@x"), "without credentials in it"),
                ((*one, "--late", "often"), "is not a duration"),
                ((*one, "--credentials", os.path.join(self.folder, "none")), "No such file"),
                ((*one, "--rules", os.path.join(self.folder, "none")), "No such file")):
            status, output = run(VERIFY, *arguments)
            self.assertEqual(status, 2, output)
            self.assertIn(message, output)

    def test_nobody_there(self):
        status, output = run(VERIFY, "--prometheus", "http://127.0.0.1:9", "--timeout", "0", "--json")
        self.assertEqual(status, 1)
        self.assertIn("cannot be reached", output)
        results = json.loads(output[:output.rindex("]") + 1])
        self.assertEqual([r["result"] for r in results], ["FAIL", "skip", "skip"])


class Certificates(Scratch):
    """With a certificate of its own: --ca-file decides."""

    def test_ca_file(self):
        if not shutil.which("openssl"):
            raise unittest.SkipTest("openssl is not here")
        key, certificate = (os.path.join(self.folder, name) for name in ("key.pem", "cert.pem"))
        status, output = run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                             "-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key,
                             "-out", certificate)
        self.assertEqual(status, 0, output)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(503)
                self.end_headers()
                self.wfile.write(b"replaying\nthe WAL")

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        command = [VERIFY, "--prometheus", f"https://127.0.0.1:{server.server_port}", "--timeout", "0"]
        self.assertRegex(run(*command)[1], "FAIL  ready .* cannot be reached: .*CERTIFICATE_VERIFY_FAILED")
        self.assertRegex(run(*command, "--ca-file", certificate)[1], "FAIL  ready .*/-/ready answers 503 replaying\n")
        status, output = run(*command, "--ca-file", os.path.join(self.folder, "none"))
        self.assertEqual((status, "No such file" in output), (2, True), output)


class FakeGrafana(Scratch):
    """Answers as Grafana's API documentation says; what is under test is what verify makes of it."""

    def setUp(self):
        super().setUp()
        self.answers = {"/api/health": (200, {"database": "ok"}),
                        "/api/datasources": (200, [{"type": "prometheus", "uid": "central", "name": "Central Prometheus"},
                                                   {"type": "alertmanager", "uid": "alertmanager", "name": "Alertmanager"}]),
                        "/api/datasources/uid/central/health": (200, {"status": "OK"})}
        for _, dashboard in panels.load(DASHBOARDS):
            self.answers[f"/api/dashboards/uid/{dashboard['uid']}"] = (200, {})
        answers = self.answers

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = answers.get(self.path, (404, {"message": "Dashboard not found"}))
                if self.headers.get("Authorization") != "Basic YTpi":
                    status, body = 401, {}
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.credentials = os.path.join(self.folder, "credentials")
        self.authorize("a:b")

    def authorize(self, text):
        with open(self.credentials, "w", encoding="utf-8") as handle:
            handle.write(text)

    def line(self):
        _, output = run(VERIFY, "--prometheus", "http://127.0.0.1:9", "--timeout", "0", "--grafana", self.url,
                        "--grafana-credentials", self.credentials)
        return next(line for line in output.splitlines() if " grafana" in line)

    def test_all_there(self):
        self.assertEqual(self.line(), "ok    grafana: 6 dashboards, 1 data sources that answer")

    def test_what_is_wrong(self):
        self.answers["/api/datasources/uid/central/health"] = (400, {"message": "connection refused"})
        self.assertRegex(self.line(), "FAIL  grafana: data source Central Prometheus .* 400 .*connection refused")
        self.answers.pop("/api/dashboards/uid/agent-fleet")
        self.assertRegex(self.line(), r"FAIL  grafana: .* does not have agent-fleet.json \(uid agent-fleet\): 404")
        self.answers["/api/health"] = (200, {"database": "failing"})
        self.assertRegex(self.line(), "FAIL  grafana: .*/api/health: .*failing")
        self.authorize("a:wrong")
        self.assertRegex(self.line(), "FAIL  grafana: .* 401 .credentials are missing or wrong")
