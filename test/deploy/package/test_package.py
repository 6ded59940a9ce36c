"""The Debian package by its bytes; nothing is installed."""

import gzip
import hashlib
import os
import re
import tempfile

from case import ROOT, Case, build_folder, make_package, needed, package, program, run

FILES = {
    "etc/default/tributary", "etc/tributary/tributary.yml", "lib/systemd/system/tributary.service",
    "usr/bin/agentctl", "usr/bin/tributary",
    "usr/share/bash-completion/completions/agentctl", "usr/share/bash-completion/completions/tributary",
    "usr/share/doc/tributary/changelog.Debian.gz", "usr/share/doc/tributary/changelog.gz",
    "usr/share/doc/tributary/copyright", "usr/share/lintian/overrides/tributary",
    "usr/share/man/man1/agentctl.1.gz", "usr/share/man/man8/tributary.8.gz",
    "usr/share/zsh/vendor-completions/_agentctl", "usr/share/zsh/vendor-completions/_tributary",
}


class Package(Case):
    def setUp(self):
        for tool in ("cpack", "dpkg-deb", "dpkg-shlibdeps"):
            needed(tool)

    def field(self, name):
        return run("dpkg-deb", "-f", package(), name).stdout.strip()

    def test_it_has_what_a_service_needs_and_nothing_else(self):
        files = set()
        for line in run("dpkg-deb", "-c", package()).stdout.splitlines():
            mode, owner, _, _, _, path = line.split(None, 5)
            self.assertEqual(owner, "root/root", path)
            if not mode.startswith("d"):
                files.add(path[2:])
                executable = path.startswith("./usr/bin/")
                self.assertEqual(mode, "-rwxr-xr-x" if executable else "-rw-r--r--", path)
        examples = {f"usr/share/doc/tributary/examples/{name}" for name in os.listdir(os.path.join(ROOT, "configs"))}
        self.assertEqual({path for path in files if "/examples/" not in path}, FILES)
        self.assertTrue({path for path in examples if path.endswith(".yml")} <= files)
        print(f"package: {os.path.getsize(package())} bytes")

    def test_configuration_is_the_administrators(self):
        with tempfile.TemporaryDirectory() as folder:
            run("dpkg-deb", "-e", package(), folder)
            with open(os.path.join(folder, "conffiles"), encoding="utf-8") as file:
                self.assertEqual({line[1:] for line in file.read().split()}, {one for one in FILES if one[:4] == "etc/"})
            for script in ("postinst", "prerm", "postrm"):
                self.assertEqual(run("sh", "-n", os.path.join(folder, script)).stdout, "")
                self.assertEqual(os.stat(os.path.join(folder, script)).st_mode & 0o777, 0o755)

    def test_the_programs_libraries_are_its_dependencies(self):
        depends = re.sub(r" \([^)]*\)", "", self.field("Depends")).split(", ")
        listed = run(os.path.join(ROOT, "tools/deps"), "--runtime", "--list").stdout.split()
        # CA certificates are recommended. spdlog's package has a virtual name.
        for name in set(listed) - {"ca-certificates"}:
            self.assertTrue([one for one in depends if one.startswith(name)], f"{name} is not in {depends}")
        # The libraries of C and C++ are on each system.
        for one in set(depends) - {"libc6", "libgcc-s1", "libstdc++6"}:
            self.assertTrue([name for name in listed if one.startswith(name)], f"{one} is not in {listed}")
        self.assertEqual(self.field("Recommends"), "ca-certificates")

    def test_version_is_the_programs(self):
        version = self.field("Version")
        self.assertIn(f"version {version.partition('-')[0]} ", run(program("tributary"), "--version").stdout)
        with open(os.path.join(ROOT, "deploy/debian/changelog"), encoding="utf-8") as file:
            self.assertTrue(file.readline().startswith(f"tributary ({version}) "), version)

    def test_its_configuration_is_valid(self):
        result = run(program("agentctl"), "test-config", os.path.join(ROOT, "deploy/debian/tributary.yml"))
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_whoever_builds_it_is_its_maintainer(self):
        with tempfile.TemporaryDirectory() as folder:
            path = make_package(folder, DEBFULLNAME="A. Builder", DEBEMAIL="a.builder@example.org")
            self.assertEqual(run("dpkg-deb", "-f", path, "Maintainer").stdout.strip(), "A. Builder <a.builder@example.org>")
            run("dpkg-deb", "-x", path, folder)
            with gzip.open(os.path.join(folder, "usr/share/doc/tributary/changelog.Debian.gz"), "rt") as file:
                self.assertRegex(file.read(), r"(?m)^ -- A\. Builder <a\.builder@example\.org>  ")
        nobody = {name: value for name, value in os.environ.items() if name not in ("DEBFULLNAME", "DEBEMAIL")}
        with tempfile.TemporaryDirectory() as folder:
            made = run(os.path.join(ROOT, "deploy/debian/build"), build_folder(), folder, env=nobody)
            self.assertIn("without DEBEMAIL the package's maintainer has no address\n", made.stdout)

    def test_it_is_the_same_bytes_each_time(self):
        with tempfile.TemporaryDirectory() as folder:
            again = make_package(folder, TZ="Asia/Kolkata", LC_ALL="C")
            digests = []
            for path in (package(), again):
                with open(path, "rb") as file:
                    digests.append(hashlib.sha256(file.read()).hexdigest())
            self.assertEqual(*digests)
            other = make_package(folder, SOURCE_DATE_EPOCH="1000000000")
            with open(other, "rb") as file:
                self.assertNotEqual(hashlib.sha256(file.read()).hexdigest(), digests[0])

    def test_lintian_finds_nothing(self):
        result = run(needed("lintian"), "--allow-root", "--fail-on", "warning,error", package())
        self.assertEqual((result.returncode, result.stdout), (0, ""))
