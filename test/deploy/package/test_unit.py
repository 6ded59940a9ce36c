"""The systemd unit, offline."""

import os
import re
import tempfile

from case import ROOT, UNIT, Case, flags_of, needed, program, run

EXPOSURE_MAX = 1.5


def settings():
    """Name -> values, in order."""
    found = {}
    with open(UNIT, encoding="utf-8") as file:
        for name, value in re.findall(r"^(\w+)=(.*)$", file.read(), re.M):
            found.setdefault(name, []).append(value)
    return found


class Unit(Case):
    def test_systemd_finds_nothing_to_complain_about(self):
        analyze = needed("systemd-analyze")
        with open(UNIT, encoding="utf-8") as file:
            text = file.read()
        with tempfile.TemporaryDirectory() as folder:
            # Programs and pages are not installed here: those of the build folder, and none.
            text = text.replace("/usr/bin/", os.path.dirname(program("tributary")) + "/")
            text = re.sub(r"^Documentation=.*\n", "", text, flags=re.M)
            path = os.path.join(folder, "tributary.service")
            for broken in (False, True):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text.replace("PrivateTmp=yes", "PrivateTmp=surely") if broken else text)
                result = run(analyze, "verify", "--man=no", path)
                complaints = [line for line in result.stdout.splitlines() if "tributary" in line]
                self.assertEqual(bool(complaints), broken, result.stdout)

    def test_it_is_exposed_to_little(self):
        result = run(needed("systemd-analyze"), "security", "--offline=yes", "--no-pager",
                     f"--threshold={int(EXPOSURE_MAX * 10)}", UNIT)
        level = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", result.stdout)[1])
        print(f"systemd-analyze security: {level}")
        self.assertLessEqual(level, EXPOSURE_MAX, result.stdout)
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_flags_are_known(self):
        command = settings()["ExecStart"][0].split()
        self.assertEqual(command[0], "/usr/bin/tributary")
        known = flags_of(program("tributary"))
        for word in command[1:]:
            if word != "$ARGS":
                self.assertIn(word.partition("=")[0], known)

    def test_a_stop_has_time_to_deliver(self):
        default = re.search(r"--shutdown.deadline TEXT=(\d+)s$", run(program("tributary"), "--help").stdout, re.M)[1]
        self.assertEqual(settings()["TimeoutStopSec"], [str(int(default) + 10)])

    def test_the_programs_end_is_understood(self):
        # An unusable configuration, from which no restart helps.
        with tempfile.TemporaryDirectory() as folder:
            result = run(program("tributary"), "--config.file=/nowhere.yml", f"--storage.path={folder}",
                         "--web.listen-address=127.0.0.1:0")
            self.assertEqual([str(result.returncode)], settings()["RestartPreventExitStatus"], result.stdout)

    def test_credentials_are_where_the_packages_files_say(self):
        for path in ("deploy/systemd/tributary.service", "deploy/debian/tributary.yml", "docs/man/tributary.8"):
            with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                self.assertIn("/run/credentials/tributary.service/", file.read(), path)
