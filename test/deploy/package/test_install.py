"""The package in a Debian 12: installed, upgraded, removed, purged; and its service under a real systemd."""

import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from case import Case, package
from debian import Debian

WANTED = "/etc/systemd/system/multi-user.target.wants/tributary.service"
CONFIG = "/etc/tributary/tributary.yml"


def newer():
    """The same package as the next version."""
    folder = tempfile.mkdtemp(prefix="tributary-newer-")
    unittest.addModuleCleanup(shutil.rmtree, folder)
    files, path = os.path.join(folder, "files"), os.path.join(folder, "newer.deb")
    subprocess.run(["dpkg-deb", "-R", package(), files], check=True)
    control = os.path.join(files, "DEBIAN/control")
    with open(control, encoding="utf-8") as file:
        text = re.sub(r"^(Version: .*)$", r"\g<1>0", file.read(), flags=re.M)
    with open(control, "w", encoding="utf-8") as file:
        file.write(text)
    with open(os.path.join(files, "etc/tributary/tributary.yml"), "a", encoding="utf-8") as file:
        file.write("# A later version's.\n")
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-b", files, path], check=True, stdout=subprocess.DEVNULL)
    return path


class Install(Case):
    def good(self, result):
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertNotRegex(result.stdout, r"(?i)\b(warning|error|failed|not found)\b")
        return result.stdout

    def test_without_systemd_running(self):
        debian = Debian()
        before = debian.files()
        self.good(debian.install(package()))
        self.assertEqual(debian.run("dpkg", "--audit").stdout, "")
        self.assertTrue(os.path.islink(debian.path(WANTED)))
        user = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        self.assertIn("version", self.good(debian.run(*user, "tributary", "--version")))
        self.good(debian.run(*user, "agentctl", "test-config", CONFIG))

        # What the administrator changed stays so.
        debian.write(CONFIG, debian.read(CONFIG) + "# Mine.\n")
        self.good(debian.run("systemctl", "disable", "tributary"))
        upgraded = debian.install(newer())
        self.assertEqual(upgraded.returncode, 0, upgraded.stdout)
        self.assertTrue(debian.read(CONFIG).endswith("# Mine.\n"))
        self.assertFalse(os.path.lexists(debian.path(WANTED)))
        self.good(debian.run("systemctl", "enable", "tributary"))

        self.good(debian.run("dpkg", "--remove", "tributary"))
        self.assertTrue(debian.read(CONFIG).endswith("# Mine.\n"))
        self.assertFalse(os.path.exists(debian.path("/usr/bin/tributary")))
        self.assertEqual(debian.install(package()).returncode, 0)
        self.assertTrue(os.path.islink(debian.path(WANTED)))

        debian.write("/var/lib/private/tributary/log/format", "a log")
        os.symlink("private/tributary", debian.path("/var/lib/tributary"))
        purged = debian.run("dpkg", "--purge", "tributary")
        self.assertEqual(purged.returncode, 0, purged.stdout)
        left = {path for path in debian.files() - before if not path.endswith("dpkg-old") and path != "var/lib/private"}
        self.assertEqual(left, set())
        self.assertEqual(before - debian.files(), set())
        self.assertIn("no packages found", debian.run("dpkg-query", "-W", "tributary").stdout)

    def test_purging_leaves_the_administrators_secrets(self):
        debian = Debian()
        self.good(debian.install(package()))
        debian.write("/etc/tributary/credentials/central-password", "s3cret")
        debian.run("dpkg", "--purge", "tributary")
        self.assertEqual(debian.read("/etc/tributary/credentials/central-password"), "s3cret")
        self.assertFalse(os.path.exists(debian.path(CONFIG)))


class Service(Case):
    def show(self, *names):
        text = self.debian.run("systemctl", "show", *[f"-p{name}" for name in names], "tributary").stdout
        values = dict(line.split("=", 1) for line in text.splitlines())
        return values[names[0]] if len(names) == 1 else values

    def eventually(self, name, value, limit=20):
        end = time.monotonic() + limit
        while (last := self.show(name)) != value and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual(last, value, self.debian.run("systemctl", "status", "--no-pager", "-l", "tributary").stdout)

    def systemctl(self, *arguments, good=True):
        result = self.debian.run("systemctl", *arguments)
        self.assertEqual(result.returncode == 0, good, result.stdout)
        return result.stdout

    def drop_in(self, text):
        self.debian.write("/etc/systemd/system/tributary.service.d/test.conf", text)
        self.systemctl("daemon-reload")

    def test_its_life(self):
        self.debian = Debian()
        with self.debian.booted():
            self.assertEqual(self.debian.install(package()).returncode, 0)
            # The start waits until it is ready.
            self.assertEqual(self.show("ActiveState", "SubState", "StatusText"),
                             {"ActiveState": "active", "SubState": "running", "StatusText": "scraping and sending"})
            ready = self.debian.run("agentctl", "health", "--ready")
            self.assertEqual(ready.returncode, 0, ready.stdout)
            self.rights()
            self.reloads()
            self.variables()
            self.secrets()
            self.a_hang()
            self.upgrades()
            self.ends()

    def rights(self):
        status = self.debian.run("cat", f"/proc/{self.show('MainPID')}/status").stdout
        for line in (r"^CapEff:\s+0+$", r"^CapBnd:\s+0+$", r"^NoNewPrivs:\s+1$", r"^Seccomp:\s+2$"):
            self.assertRegex(status, re.compile(line, re.M))
        user = int(re.search(r"^Uid:\s+(\d+)", status, re.M)[1])
        self.assertGreaterEqual(user, 61184)  # a dynamic one
        self.assertEqual(os.stat(self.debian.path("/var/lib/private/tributary/log")).st_uid, user)
        page = self.debian.run("agentctl", "scrape", "127.0.0.1:9095").stdout
        for name in ("process_start_time_seconds", "process_open_fds", "process_resident_memory_bytes"):
            self.assertIn(name, page)

    def reloads(self):
        process, text = self.show("MainPID"), self.debian.read(CONFIG)
        self.debian.write(CONFIG, text + "  # one more line\n")
        self.systemctl("reload", "tributary")
        self.eventually("ActiveState", "active")
        journal = self.debian.run("journalctl", "-u", "tributary", "--no-pager").stdout
        self.assertIn("the new configuration is in force", journal)
        self.debian.write(CONFIG, "scrape_configs: 3\n")
        self.systemctl("reload", "tributary", good=False)
        journal = self.debian.run("journalctl", "-u", "tributary", "--no-pager").stdout
        self.assertIn("'scrape_configs' has to be a list", journal)
        # One that tells the agent all the same.
        self.systemctl("kill", "-s", "HUP", "tributary")
        self.eventually("StatusText",
                        "scraping and sending by the old configuration; the new one is refused, see the log")
        self.assertEqual(self.show("ActiveState"), "active")
        self.debian.write(CONFIG, text)
        self.systemctl("reload", "tributary")
        self.eventually("StatusText", "scraping and sending")
        self.assertEqual(self.show("MainPID"), process)

    def variables(self):
        """Of the service: the agent reads them with ARGS, the check before a reload with CHECK_ARGS. HOSTNAME is no variable."""
        text, default = self.debian.read(CONFIG), self.debian.read("/etc/default/tributary")
        self.debian.write(CONFIG, text.replace("  - job_name: tributary\n", "  - job_name: '%{HOSTNAME}'\n"
                                                                           "    sample_limit: '%{LIMIT}'\n"))
        given = 'LIMIT=5000\nARGS="--config.expand-env"\n'
        self.debian.write("/etc/default/tributary", given)
        self.systemctl("restart", "tributary")
        self.assertIn("'sample_limit' has to be", self.systemctl("reload", "tributary", good=False) +
                      self.debian.run("journalctl", "-u", "tributary", "--no-pager").stdout)
        self.debian.write("/etc/default/tributary", given + 'CHECK_ARGS="--config.expand-env"\n')
        self.systemctl("reload", "tributary")
        self.eventually("StatusText", "scraping and sending")
        name = self.debian.run("cat", "/proc/sys/kernel/hostname").stdout.strip()
        self.assertRegex(self.debian.run("agentctl", "status").stdout, rf"(?m)^  {re.escape(name)}: \d of 1 up$")
        self.debian.write(CONFIG, text)
        self.debian.write("/etc/default/tributary", default)
        self.systemctl("restart", "tributary")

    def secrets(self):
        self.debian.write("/etc/tributary/credentials/central-password", "s3cret")
        os.chmod(self.debian.path("/etc/tributary/credentials"), 0o700)
        text = self.debian.read(CONFIG)
        self.debian.write(CONFIG, text + "remote_write:\n  - url: http://127.0.0.1:9/api/v1/write\n    basic_auth:\n"
                          "      username: agent\n"
                          "      password_file: /run/credentials/tributary.service/central-password\n")
        self.drop_in("[Service]\nLoadCredential=central-password:/etc/tributary/credentials/central-password\n")
        self.systemctl("restart", "tributary")
        # As the service sees it, in its own mounts.
        read = self.debian.run("nsenter", "-t", self.show("MainPID"), "-m", "cat",
                               "/run/credentials/tributary.service/central-password")
        self.assertEqual(read.stdout, "s3cret")
        self.systemctl("reload", "tributary")  # the check before it finds the file, too
        self.debian.write(CONFIG, text)
        self.systemctl("reload", "tributary")

    def a_hang(self):
        self.drop_in("[Service]\nWatchdogSec=1\nRestartSec=100ms\n")
        self.systemctl("restart", "tributary")
        process = self.show("MainPID")
        time.sleep(3)
        self.assertEqual(self.show("MainPID"), process)  # it is fed
        self.systemctl("kill", "-s", "STOP", "tributary")
        self.eventually("NRestarts", "1")
        self.eventually("StatusText", "scraping and sending")
        self.assertIn("Watchdog timeout", self.debian.run("journalctl", "-u", "tributary", "--no-pager").stdout)
        self.drop_in("[Service]\n")

    def upgrades(self):
        process = self.show("MainPID")
        self.assertEqual(self.debian.install(newer()).returncode, 0)
        self.eventually("StatusText", "scraping and sending")
        self.assertNotEqual(self.show("MainPID"), process)
        # A configuration of no use is not tried again and again.
        text = self.debian.read(CONFIG)
        self.debian.write(CONFIG, "scrape_configs: 3\n")
        self.systemctl("restart", "tributary", good=False)
        time.sleep(1)
        self.assertEqual(self.show("ActiveState", "ExecMainStatus"), {"ActiveState": "failed", "ExecMainStatus": "2"})
        self.debian.write(CONFIG, text)
        # One that was stopped for good is not started by an upgrade.
        self.systemctl("disable", "--now", "tributary")
        self.assertEqual(self.debian.install(package()).returncode, 0)
        self.assertEqual(self.debian.run("systemctl", "is-enabled", "tributary").stdout.strip(), "disabled")
        self.systemctl("enable", "--now", "tributary")
        self.assertEqual(self.show("StatusText"), "scraping and sending")

    def ends(self):
        # With samples that nobody takes it has its deadline and ends well, however short the unit's own time is.
        text = self.debian.read(CONFIG)
        self.debian.write(CONFIG, "global: {scrape_interval: 1s}\n" + text.split("\n\n", 1)[1] +
                          "remote_write: [{url: 'http://127.0.0.1:9/'}]\n")
        self.debian.write("/etc/default/tributary", 'ARGS="--shutdown.deadline=4s"\n')
        self.drop_in("[Service]\nTimeoutStopSec=2\n")
        self.systemctl("restart", "tributary")
        time.sleep(3)
        start = time.monotonic()
        self.systemctl("stop", "tributary")
        self.assertGreater(time.monotonic() - start, 3)
        self.assertEqual(self.show("ActiveState", "Result"), {"ActiveState": "inactive", "Result": "success"})
        self.systemctl("start", "tributary")
        purged = self.debian.run("dpkg", "--purge", "tributary")
        self.assertEqual(purged.returncode, 0, purged.stdout)
        self.assertFalse(os.path.lexists(self.debian.path("/var/lib/tributary")))
        self.assertFalse(os.path.exists(self.debian.path("/var/lib/private/tributary")))
        self.assertEqual(self.show("LoadState"), "not-found")
