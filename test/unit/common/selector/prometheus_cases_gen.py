#!/usr/bin/env python3
"""Writes prometheus_cases.json anew: selectors, mutated at random, and what Prometheus says is wrong with them ("": nothing).

    ./prometheus_cases_gen.py PROGRAM [--seed N] [--cases N] >prometheus_cases.json

PROGRAM is a prometheus, which is started on a free port of 127.0.0.1 and asked at /federate.
"""
import argparse
import http.client
import json
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

BASES = [
    "up", '{job=~"a|b",x!="1"}', 'm{a="1",b!~"x.*"}', '{"utf.8","l.x"="v"}', "sum by (x)", "a:b{`c`='d'}",
    '{a="\\x41\\101\\u00e9\\n"}', "# c\n up # d\n", "rate(x[5m])", "1e3 0x1f 5m 1_0", "fill_left (x) fill", "inf nan Inf",
    '{__name__=~"(foo|bar).+[a-z]?"}', "a and b or c unless d", "x offset 5m @ 3", "==~!!~<>/</>=", "\"str\" 'q'",
    "group_left bool on ignoring", "max_of(1,2) start() end step range", '{a="b",}', '{\u00e9="\u00fc"}',
    "atan2 limitk", '{a=~"x{2,3}*"}', '{a=~"\\\\pL\\\\d[^a]"}',
]
ATOMS = list("{}\"'`=!~,()[]\\#@:.-+*/%^<> \n\tabxue0159_$|?&;") + [
    "=~", "!~", "!=", '"a"', "{a=", "\\x", "\\u", "\u00e9", "\x00", "\x7f", "\ufffd", "match", "5m", "1e", "sum", "by", "on",
    "fill(",
]


def mutate(choose):
    text = choose.choice(BASES)
    for _ in range(choose.randint(0, 4)):
        at = choose.randint(0, len(text))
        kind = choose.randint(0, 3)
        if kind == 0:
            text = text[:at] + choose.choice(ATOMS) + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + choose.randint(1, 3):]
        elif kind == 2:
            other = choose.choice(BASES)
            begin = choose.randint(0, len(other))
            text = text[:at] + other[begin:begin + choose.randint(1, 8)] + text[at:]
        else:
            text = text[:at]
    return text


def ask(port, selector):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/federate?" + urllib.parse.urlencode({"match[]": selector}))
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return "" if answer.status == 200 else body.removesuffix("\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=600)
    options = parser.parse_args()
    choose = random.Random(options.seed)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/prometheus.yml", "w") as config:
            config.write("global: {}\n")
        server = subprocess.Popen([options.program, f"--config.file={folder}/prometheus.yml",
                                   f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"],
                                  stderr=subprocess.DEVNULL)
        try:
            for _ in range(100):
                try:
                    ask(port, "up")
                    break
                except OSError:
                    time.sleep(0.1)
            cases = {}
            while len(cases) < options.cases:
                selector = mutate(choose)
                if selector not in cases:
                    cases[selector] = ask(port, selector)
        finally:
            server.kill()
            server.wait()
    lines = [json.dumps([selector, error]) for selector, error in cases.items()]
    sys.stdout.write("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
