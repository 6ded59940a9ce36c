"""Manual pages and completion know what the programs know."""

import os
import re
import subprocess
import tempfile

from case import ROOT, Case, build_folder, commands_of, flags_of, needed, program, run

PAGES = {"tributary": "docs/man/tributary.8", "agentctl": "docs/man/agentctl.1"}
COMPLETION = os.path.join(ROOT, "deploy/debian/completion/tributary")


def page(name):
    with open(os.path.join(ROOT, PAGES[name]), encoding="utf-8") as file:
        return file.read()


class ManualPages(Case):
    def test_they_are_what_is_generated_from_the_programs(self):
        result = run(os.path.join(ROOT, "docs/man/generate"), os.path.join(build_folder(), "bin"), "--check")
        self.assertEqual((result.returncode, result.stdout), (0, ""))

    def test_each_flag_and_command_is_in_the_page(self):
        for name in PAGES:
            text = page(name).replace("\\-", "-")
            for command in commands_of(program(name)):
                section = text.partition(f"\n.SS {' '.join(command)}\n")[2].partition("\n.S")[0] if command else text
                self.assertTrue(section, f"{name} {command}")
                for flag in flags_of(program(name), *command) - ({"-h", "--help"} if command else set()):
                    self.assertRegex(section, rf"\\fB{re.escape(flag)}\\fR", f"{name} {command}")

    def test_man_takes_them_without_a_warning(self):
        man = needed("man")
        for path in PAGES.values():
            result = subprocess.run([man, "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", os.path.join(ROOT, path)],
                                    env={**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"},
                                    capture_output=True, text=True, check=False)
            self.assertEqual((result.returncode, result.stderr), (0, ""), path)


class Completion(Case):
    def complete(self, line):
        """What the bash function offers for the last word of the line, split as readline does."""
        words = re.findall(r"[^\s=]+|=", line) + ([""] if line.endswith((" ", "=")) else [])
        script = (f'source "{COMPLETION}"; words=("$@"); COMP_WORDS=("${{words[@]}}"); '
                  'COMP_CWORD=$((${#words[@]} - 1)); _tributary "$1"; printf "%s\\n" "${COMPREPLY[@]}"')
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "agent.yml"), "w", encoding="utf-8"):
                pass
            words[0] = program(words[0])
            result = subprocess.run(["bash", "--norc", "-c", script, "bash", *words], cwd=folder, capture_output=True,
                                    text=True, check=False)
        self.assertEqual(result.stderr, "", line)
        return set(result.stdout.split())

    def test_each_flag_of_each_command_is_offered(self):
        for name in PAGES:
            for command in commands_of(program(name)):
                self.assertEqual(self.complete(" ".join([name, *command, "-"])), flags_of(program(name), *command))

    def test_commands_values_and_files_are_offered(self):
        for line, offered in {
            "agentctl st": {"status"},
            "agentctl log ": {"inspect", "verify", "dump"},
            "tributary --log.level ": {"debug", "info", "warn", "error"},
            "tributary --log.level=": {"debug", "info", "warn", "error"},
            "tributary --storage.mode=m": {"memory"},
            "tributary --config.file ag": {"agent.yml"},
            "tributary --config.file=": {"agent.yml"},
            "tributary --web.enable-lifecycle --log.format ": {"logfmt", "json"},
            "agentctl test-config ": {"agent.yml"},
            "agentctl scrape --config ag": {"agent.yml"},
            "agentctl scrape --config agent.yml --j": {"--job", "--json"},
            "agentctl log dump agent.yml --lab": {"--label"},
        }.items():
            self.assertEqual(self.complete(line), offered, line)

    def test_shells_take_the_files(self):
        self.assertEqual(run("bash", "-n", COMPLETION).stdout, "")
        zsh = needed("zsh")
        for name in ("_tributary", "_agentctl"):
            self.assertEqual(run(zsh, "-n", os.path.join(os.path.dirname(COMPLETION), name)).stdout, "")
