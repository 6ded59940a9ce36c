"""A minimal Debian 12 to install the package in, as a folder; and booted, with its systemd as its first process."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
import unittest

from case import CACHE, ROOT, needed, run

MIRROR = os.environ.get("TRIBUTARY_MIRROR", "http://deb.debian.org/debian")
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


def base():
    """The path of a tar of it, with the libraries of the programs; made once."""
    if os.getuid() != 0:
        raise unittest.SkipTest("only root can install a package")
    needed("debootstrap")
    libraries = run(os.path.join(ROOT, "tools/deps"), "--runtime", "--list").stdout.split()
    digest = hashlib.sha256(" ".join(libraries).encode()).hexdigest()[:12]
    path = os.path.join(CACHE, f"debian12-{digest}.tar")
    if os.path.exists(path):
        return path
    os.makedirs(CACHE, exist_ok=True)
    print("making a minimal Debian 12 (once, a minute)", flush=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        made = run("debootstrap", "--variant=minbase", f"--include=systemd,systemd-sysv,{','.join(libraries)}", "bookworm",
                   os.path.join(folder, "root"), MIRROR, env={**os.environ, **ENVIRONMENT})
        if made.returncode != 0:
            raise unittest.SkipTest(f"debootstrap: {made.stdout.strip().splitlines()[-1]}")
        run("tar", "-C", os.path.join(folder, "root"), "-cf", path + ".new", "--exclude=./var/cache/apt/*", ".")
        os.rename(path + ".new", path)
    return path


class Debian:
    """One to be thrown away."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="tributary-debian-")
        os.chmod(self.folder, 0o755)
        unittest.addModuleCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        subprocess.run(["tar", "-C", self.folder, "-xpf", base()], check=True)
        self.inside = ["chroot", self.folder]

    def path(self, name):
        return os.path.join(self.folder, name.lstrip("/"))

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def run(self, *command):
        return run(*self.inside, *command, env=ENVIRONMENT, stdin=subprocess.DEVNULL)

    def install(self, package):
        shutil.copy(package, self.path("/root/tributary.deb"))
        return self.run("dpkg", "--force-confold", "-i", "/root/tributary.deb")

    def files(self):
        """All there is but for what dpkg and systemd keep books in."""
        books = ("var/lib/dpkg", "var/log", "var/cache", "root", "proc", "sys", "run", "tmp", "dev", "mnt")
        found = set()
        for folder, folders, names in os.walk(self.folder):
            here = os.path.relpath(folder, self.folder)
            folders[:] = [one for one in folders if os.path.normpath(os.path.join(here, one)) not in books]
            found |= {os.path.normpath(os.path.join(here, one)) for one in names + folders}
        return found

    @contextlib.contextmanager
    def booted(self):
        """Meanwhile run() runs in it."""
        for tool in ("unshare", "nsenter", "pivot_root"):
            needed(tool)
        boot = os.path.join(os.path.dirname(os.path.realpath(__file__)), "boot")
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(["unshare", "--pid", "--mount", "--uts", "--ipc", "--net", "--cgroup", "--fork",
                                        "--kill-child", boot, self.folder],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            plain = self.inside
            try:
                self.inside = ["nsenter", "-t", str(self.wait_for_systemd(process, log)), "-a"]
                self.run("/bin/sh", "-c", "systemctl is-system-running --wait")
                yield
            finally:
                self.inside = plain
                process.kill()
                process.wait()

    @staticmethod
    def wait_for_systemd(process, log):
        """The number of the first process, once it takes questions."""
        for _ in range(200):
            with contextlib.suppress(OSError, IndexError):
                with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="utf-8") as file:
                    first = file.read().split()[0]
                if os.path.exists(f"/proc/{first}/root/run/systemd/private"):
                    return first
            if process.poll() is not None:
                break
            time.sleep(0.1)
        log.seek(0)
        raise unittest.SkipTest(f"systemd does not start in namespaces here: {log.read(2000).decode(errors='replace')}")
