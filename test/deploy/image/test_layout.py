"""The image by its bytes."""

import gzip
import hashlib
import os
import re
import subprocess

from counted import Case
from image import ROOT, build_folder, image, make_image, needed, run, sha256

LAYER_MAX = 14 << 20


class Layout(Case):
    def setUp(self):
        needed("readelf")

    def test_digests_and_sizes_are_those_of_the_blobs(self):
        made = image()
        for entry in (made.index["manifests"][0], made.manifest["config"], made.layer):
            self.assertEqual("sha256:" + sha256(made.path(entry)), entry["digest"])
            self.assertEqual(os.path.getsize(made.path(entry)), entry["size"])
        with gzip.open(made.path(made.layer)) as file:
            self.assertEqual(made.config["rootfs"]["diff_ids"], ["sha256:" + hashlib.sha256(file.read()).hexdigest()])

    def test_it_is_small(self):
        size = image().layer["size"]
        print(f"layer: {size} bytes, {size / (1 << 20):.2f} MiB")
        with open(os.path.join(build_folder(), "CMakeCache.txt"), encoding="utf-8") as file:
            release = "CMAKE_BUILD_TYPE:STRING=Release" in file.read()
        self.assertLessEqual(size, LAYER_MAX if release else 2 * LAYER_MAX)

    def test_it_is_the_same_each_time(self):
        again = make_image(build_folder(), TZ="Asia/Kolkata", LC_ALL="C")
        self.assertEqual(again.digest, image().digest)
        self.assertNotEqual(make_image(build_folder(), SOURCE_DATE_EPOCH="1000000000").digest, image().digest)

    def test_it_has_programs_libraries_certificates_and_nothing_else(self):
        names = []
        for file in image().files():
            names.append(file.name)
            self.assertFalse(file.mode & 0o7022, file.name)  # no setuid, nothing that others can write
            self.assertTrue(file.isreg() or file.isdir(), file.name)
            if file.name == "var/lib/tributary":
                self.assertEqual((file.uid, file.gid, file.mode), (65534, 65534, 0o700))
            else:
                self.assertEqual((file.uid, file.gid), (0, 0), file.name)
                self.assertTrue(file.mode & 0o004, file.name)
        files = {file.name for file in image().files() if file.isreg()}
        others = {name for name in files if not re.fullmatch(r"(usr/)?lib(64)?/.*\.so(\.[\d.]+)?", name)}
        self.assertEqual(others, {"usr/bin/tributary", "usr/bin/agentctl", "etc/passwd", "etc/group", "etc/nsswitch.conf",
                                  "etc/ssl/certs/ca-certificates.crt"})
        # Each before what is in it, and all in one order.
        self.assertEqual(len(names), len(set(names)))
        for name in names:
            folder = os.path.dirname(name)
            self.assertTrue(not folder or names.index(folder) < names.index(name), name)

    def test_all_libraries_are_there_and_each_is_needed(self):
        root = image().unpacked()
        wanted, there = set(), set()
        for folder, _, files in os.walk(root):
            for name in files:
                path = os.path.join(folder, name)
                if "/lib" in path[len(root):] or "/bin/" in path:
                    there |= {name} - {"tributary", "agentctl"}
                    text = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, check=True).stdout
                    wanted |= set(re.findall(r"Shared library: \[(.*)\]", text))
        loader = {name for name in there if name.startswith("ld-linux")}
        self.assertEqual(len(loader), 1)
        self.assertEqual(wanted | loader, there)

    def test_settings(self):
        config = image().config
        self.assertEqual(config["os"], "linux")
        settings = config["config"]
        self.assertEqual(settings["User"], "65534:65534")
        self.assertEqual(settings["Entrypoint"], ["/usr/bin/tributary"])
        known = run(os.path.join(build_folder(), "bin/tributary"), "--help").stdout
        for flag in settings["Cmd"]:
            self.assertIn(f"  {flag.partition('=')[0]} ", known)
        # The Containerfile says the same.
        with open(os.path.join(ROOT, "deploy/image/Containerfile"), encoding="utf-8") as file:
            text = re.sub(r"\\\n\s*", "", file.read())
        last = text[text.rindex("FROM scratch"):]
        for instruction, name in (("ENTRYPOINT", "Entrypoint"), ("CMD", "Cmd")):
            self.assertIn(f"\n{instruction} " + str(settings[name]).replace("'", '"'), last)
        self.assertIn(f"\nUSER {settings['User']}\n", last)
        self.assertIn(f"\nWORKDIR {settings['WorkingDir']}\n", last)
        for variable in settings["Env"]:
            self.assertIn(variable, last)
