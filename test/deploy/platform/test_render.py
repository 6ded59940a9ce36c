"""render: what it fills in, what it leaves alone, what it refuses."""

import os
import re

from support import CONFIG, EVERYTHING, Scratch, load_script, render, run

RENDER = os.path.join(CONFIG, "render")
program = load_script("render")


class Fill(Scratch):
    values = {"NAME": "x", "ON": "true", "OFF": "false", "EMPTY": "", "HOSTS": ["a:1", "b:2"], "MAIL": ["a@b", "c@d"],
              "REMOTES": [{"CLUSTER": "e", "REGION": "r", "ADDRESS": "h:1"}, {"CLUSTER": "f", "REGION": "s", "ADDRESS": "i:2"}]}

    def fill(self, text):
        return program.fill("f", text, self.values)

    def fails(self, text, message):
        with self.assertRaises(program.Problems) as caught:
            self.fill(text)
        self.assertIn(message, str(caught.exception))

    def test_variables(self):
        self.assertEqual(self.fill("a: ${NAME}${NAME}\nb: ${HOSTS}\nc: ${MAIL}\n"),
                         'a: xx\nb: ["a:1", "b:2"]\nc: a@b, c@d\n')

    def test_all_other_dollars_are_left_alone(self):
        text = "{{ $labels.NAME }} {{ $value }} $1 ${1} $NAME ${datasource} $__rate_interval ${cluster:regex} $$ $__file{/x}\n"
        self.assertEqual(self.fill(text), text)

    def test_a_value_is_not_filled_in_again(self):
        self.assertEqual(program.fill("f", "${A}", {"A": "${B}", "B": "no"}), "${B}")

    def test_if(self):
        text = "#@if {}\nyes\n  #@end\nrest\n"
        for variable, kept in (("ON", True), ("NAME", True), ("HOSTS", True), ("OFF", False), ("EMPTY", False)):
            self.assertEqual(self.fill(text.format(variable)), "yes\nrest\n" if kept else "rest\n")
            self.assertEqual(self.fill(text.format("not " + variable)), "rest\n" if kept else "yes\nrest\n")

    def test_for(self):
        text = "#@for REMOTES\n- ${ITEM_CLUSTER} ${ITEM_ADDRESS} ${NAME}\n#@end\n"
        self.assertEqual(self.fill(text), "- e h:1 x\n- f i:2 x\n")
        self.assertEqual(program.fill("f", text, {**self.values, "REMOTES": ""}), "")

    def test_blocks_in_blocks(self):
        text = "#@if ON\na\n#@if OFF\nb\n#@for REMOTES\nc\n#@end\n#@end\nd\n#@end\ne\n"
        self.assertEqual(self.fill(text), "a\nd\ne\n")
        text = "#@for REMOTES\n#@if ON\n${ITEM_REGION}\n#@end\n#@end\n"
        self.assertEqual(self.fill(text), "r\ns\n")

    def test_what_is_wrong_is_told_with_its_line(self):
        self.fails("a\n${NOBODY}\n", "f:2: there is no variable NOBODY")
        self.fails("#@if NOBODY\n#@end\n", "f:1: '#@if NOBODY' is no directive")
        self.fails("#@unless ON\n#@end\n", "f:1: '#@unless ON' is no directive")
        self.fails("a\n#@if ON\nb\n", "f:2: no #@end to this")
        self.fails("a\n#@end\n", "f:2: #@end without")
        self.fails("${ITEM_CLUSTER}\n", "there is no variable ITEM_CLUSTER")


class Program(Scratch):
    def env(self, text):
        path = os.path.join(self.folder, "env")
        with open(os.path.join(CONFIG, "local.env"), encoding="utf-8") as handle:
            local = handle.read()
        with open(path, "w", encoding="utf-8") as handle:
            handle.write(local + text)
        return path

    def refuses(self, text, *messages, status=1):
        out = os.path.join(self.folder, "out")
        got, output = run(RENDER, "--env", self.env(text), "--out", out)
        self.assertEqual(got, status, output)
        for message in messages:
            self.assertIn(message, output)
        self.assertFalse(os.path.exists(out), "something was written all the same")

    def test_refuses(self):
        self.refuses("SCRAPE_INTERVL=15s\n", "there is no variable SCRAPE_INTERVL; is SCRAPE_INTERVAL meant?")
        self.refuses("REPLICA=1\n", "REPLICA is set a second time, first at")
        self.refuses("nonsense\n", "expected NAME=VALUE, not 'nonsense'")
        self.refuses("AWS_REGION=\nEC2_DISCOVERY=true\n", "EC2_DISCOVERY needs AWS_REGION, which is not set")
        self.refuses("EMAIL_TO=a@b.c\n", "EMAIL_TO needs EMAIL_FROM", "EMAIL_TO needs SMTP_SMARTHOST")
        self.refuses("SLACK_ENABLED=yes\nFEDERATION_TARGETS=x:1\n", "SLACK_ENABLED: 'yes' is neither true nor false",
                     "FEDERATION_TARGETS: 'x:1' is not CLUSTER@REGION=HOST:PORT")  # both at once

    def test_refuses_what_would_break_out_of_its_place(self):
        for text in ('SMTP_USERNAME=a"\n', "SMTP_USERNAME=a: b\n", "GRAFANA_TARGETS=a:1]\n", "AMP_QUERY_URL=http://a b\n",
                     "SLACK_CHANNEL=#a # b\n", "EMAIL_FROM=a@b\\\n"):
            with self.subTest(text):
                self.refuses(text, "is not ")

    def test_refuses_what_is_not_set(self):
        status, output = run(RENDER, "--set", "REPLICA=0", "--check")
        self.assertEqual(status, 1)
        self.assertIn("ENVIRONMENT is not set: name of the environment", output)
        self.assertIn("RUNBOOK_URL is not set", output)
        status, output = run(RENDER, "--env", self.env(""), "--set", "ENVIRONMENT=", "--check")
        self.assertEqual(status, 1)
        self.assertIn("--set ENVIRONMENT: ENVIRONMENT is not set", output)
        status, output = run(RENDER, "--env", self.env(""), "--set", "ALERTMANAGER_TARGETS=", "--check")
        self.assertEqual(status, 1)
        self.assertIn("no alert reaches anybody", output)

    def test_usage(self):
        for arguments in ([], ["--env", "x"], ["--env", "x", "--check", "--out", "y"], ["--set", "A", "--check"]):
            status, output = run(RENDER, *arguments)
            self.assertEqual(status, 2, output)
        status, output = run(RENDER, "--env", os.path.join(self.folder, "none"), "--check")
        self.assertEqual((status, "No such file" in output), (1, True), output)

    def test_every_variable_is_used_and_listed(self):
        text = ""
        for name in program.sources():
            with open(os.path.join(CONFIG, name), encoding="utf-8") as handle:
                text += handle.read()
        used = set(re.findall(r"\$\{([A-Z][A-Z0-9_]*)\}", text)) | set(re.findall(r"#@(?:if|for) +(?:not +)?(\w+)", text))
        self.assertEqual({n for n in used if not n.startswith("ITEM_")}, set(program.KINDS))
        status, output = run(RENDER, "--list")
        self.assertEqual((status, re.findall(r"^[A-Z]\S+$", output, re.M)), (0, list(program.KINDS)))

    def test_writes_again_and_removes_what_is_gone(self):
        folder = render(self.folder)
        stale = os.path.join(folder, "prometheus", "rules", "gone.yml")
        with open(stale, "w", encoding="utf-8"):
            pass
        with open(os.path.join(folder, "MANIFEST"), "a", encoding="utf-8") as handle:
            handle.write("0" * 64 + "  prometheus/rules/gone.yml\n")
        render(self.folder, REPLICA="1")
        self.assertFalse(os.path.exists(stale))
        with open(os.path.join(folder, "prometheus", "prometheus.yml"), encoding="utf-8") as handle:
            self.assertIn('prometheus_replica: "1"', handle.read())
        with open(os.path.join(folder, "MANIFEST"), encoding="utf-8") as handle:
            self.assertNotIn("gone.yml", handle.read())

    def test_does_not_touch_a_folder_of_others(self):
        with open(os.path.join(self.folder, "mine"), "w", encoding="utf-8"):
            pass
        status, output = run(RENDER, "--env", os.path.join(CONFIG, "local.env"), "--out", self.folder)
        self.assertEqual(status, 1)
        self.assertIn("was not written by render", output)
        self.assertEqual(os.listdir(self.folder), ["mine"])

    def test_same_input_same_digest(self):
        digests = set()
        for out in ("a", "b"):
            _, output = run(RENDER, "--env", os.path.join(CONFIG, "local.env"), "--out", os.path.join(self.folder, out))
            digests.add(output.split()[-1])
        self.assertEqual(len(digests), 1)

    def test_nothing_is_left_to_fill_in(self):
        for name, values in (("local", {}), ("everything", EVERYTHING)):
            folder = render(os.path.join(self.folder, name), **values)
            for at, _, files in os.walk(folder):
                for file in files:
                    with open(os.path.join(at, file), encoding="utf-8") as handle:
                        self.assertNotRegex(handle.read(), r"\$\{[A-Z]|#@(if|for|end)", file)
