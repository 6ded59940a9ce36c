"""The image for arm64, started under qemu's user mode."""

import functools
import os
import re
import subprocess
import tarfile
import unittest

from counted import Case
from image import ROOT, Image, eventually, needed, run, temporary_folder

LAYER_MAX = 14 << 20
IMAGE = os.path.join(ROOT, os.environ.get("TRIBUTARY_ARM64", "build/arm64"), "image")
CONFIG = """
global: {scrape_interval: 1s}
scrape_configs: [{job_name: itself, static_configs: [{targets: ['127.0.0.1:PORT']}]}]
"""


@functools.cache
def arm64():
    """The image, and its files in a folder."""
    image = Image(IMAGE)
    return image, image.unpacked()


class Arm64(Case):
    def setUp(self):
        if not os.path.exists(os.path.join(IMAGE, "index.json")):
            raise unittest.SkipTest(f"{IMAGE} is not there: tools/cross-arm64 makes it")
        self.image, self.root = arm64()

    def emulated(self, name, *arguments):
        """The command that runs a program of the image, with the image's libraries."""
        emulator = needed("qemu-aarch64-static", "qemu-aarch64")
        return [emulator, "-L", self.root, os.path.join(self.root, "usr/bin", name), *arguments]

    def test_all_of_it_is_for_arm64(self):
        self.assertEqual(self.image.config["architecture"], "arm64")
        self.assertEqual(self.image.index["manifests"][0]["platform"], {"architecture": "arm64", "os": "linux"})
        checked = 0
        for folder, _, files in os.walk(self.root):
            for name in files:
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    head = file.read(20)
                if head[:4] == b"\x7fELF":
                    self.assertEqual(int.from_bytes(head[18:20], "little"), 183, path)  # EM_AARCH64
                    checked += 1
        self.assertGreater(checked, 30)

    def test_it_is_small(self):
        size = self.image.layer["size"]
        print(f"arm64 layer: {size} bytes, {size / (1 << 20):.2f} MiB")
        self.assertLessEqual(size, LAYER_MAX)

    def test_version_and_configuration(self):
        version = run(*self.emulated("tributary", "--version"))
        self.assertEqual(version.returncode, 0, version.stdout)
        self.assertIn("tributary, version", version.stdout)
        for name in sorted(os.listdir(os.path.join(ROOT, "configs"))):
            if name.endswith(".yml"):
                checked = run(*self.emulated("agentctl", "test-config", os.path.join(ROOT, "configs", name)))
                # What is wrong with some is that a pod's files are not here.
                errors = re.findall(r": error: (.*)$", checked.stdout, re.M)
                self.assertEqual([error for error in errors if not error.endswith("No such file or directory")], [])
                self.assertEqual(checked.returncode, 1 if errors else 0, checked.stdout)
        with open(os.path.join(temporary_folder(), "bad.yml"), "w", encoding="utf-8") as file:
            file.write("scrape_configs: 3\n")
        self.assertEqual(run(*self.emulated("agentctl", "test-config", file.name)).returncode, 1)

    def test_it_scrapes_and_stops_in_order(self):
        folder = temporary_folder()
        config, log = os.path.join(folder, "agent.yml"), os.path.join(folder, "log")

        def configure(port):
            with open(config, "w", encoding="utf-8") as file:
                file.write(CONFIG.replace("PORT", port))

        def text():
            with open(log, encoding="utf-8") as file:
                return file.read()

        configure("1")
        with open(log, "w", encoding="utf-8") as file:
            agent = subprocess.Popen(self.emulated("tributary", f"--config.file={config}", f"--storage.path={folder}/data",
                                                   "--web.listen-address=127.0.0.1:0"), stdout=file, stderr=file)
        try:
            self.assertTrue(eventually(lambda: "msg=listening" in text(), 60), text())
            port = re.search(r"msg=listening address=127.0.0.1:(\d+)", text())[1]
            configure(port)
            agent.send_signal(1)  # SIGHUP
            status = self.emulated("agentctl", "status", "--url", f"http://127.0.0.1:{port}")
            self.assertTrue(eventually(lambda: "1 of 1 up" in run(*status).stdout, 60), run(*status).stdout)
            page = run(*self.emulated("agentctl", "scrape", f"127.0.0.1:{port}")).stdout
            self.assertIn("process_resident_memory_bytes", page)
            agent.terminate()
            self.assertEqual(agent.wait(30), 0, text())
        finally:
            agent.kill()
            agent.wait()
        self.assertIn("msg=stopped", text())
        verified = run(*self.emulated("agentctl", "log", "verify", f"{folder}/data"))
        self.assertEqual(verified.returncode, 0, verified.stdout)

    def test_the_package_is_for_arm64(self):
        needed("dpkg-deb")
        packages = [name for name in os.listdir(os.path.dirname(IMAGE)) if name.endswith("_arm64.deb")]
        self.assertEqual(len(packages), 1)
        path = os.path.join(os.path.dirname(IMAGE), packages[0])
        self.assertEqual(run("dpkg-deb", "-f", path, "Architecture").stdout.strip(), "arm64")
        self.assertIn("libcurl4", run("dpkg-deb", "-f", path, "Depends").stdout)
        print(f"arm64 package: {os.path.getsize(path)} bytes")
        with tarfile.open(fileobj=subprocess.Popen(["dpkg-deb", "--fsys-tarfile", path],
                                                   stdout=subprocess.PIPE).stdout, mode="r|") as tar:
            self.assertIn("./usr/bin/tributary", [file.name for file in tar])
