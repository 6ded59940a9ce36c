"""The Containerfile, built by buildah on a base of Debian's own packages. As long as a build: TRIBUTARY_CONTAINERFILE=yes."""

import json
import os
import unittest

from counted import Case
from image import ROOT, image, needed, run, temporary_folder

MIRROR = os.environ.get("TRIBUTARY_MIRROR", "http://deb.debian.org/debian")


class Containerfile(Case):
    def setUp(self):
        if os.environ.get("TRIBUTARY_CONTAINERFILE") != "yes":
            raise unittest.SkipTest("it takes as long as a build: TRIBUTARY_CONTAINERFILE=yes")
        if os.getuid() != 0:
            raise unittest.SkipTest("only root can build it on a system made by debootstrap")
        needed("debootstrap")
        self.buildah = [needed("buildah"), "--root", temporary_folder(), "--runroot", temporary_folder(),
                        "--storage-driver", "vfs"]

    def good(self, *arguments):
        result = run(*self.buildah, *arguments)
        self.assertEqual(result.returncode, 0, result.stdout[-3000:])
        return result.stdout

    def test_it_makes_the_image_that_our_tool_makes(self):
        base = os.path.join(temporary_folder(), "debian")
        made = run("debootstrap", "--variant=minbase", "bookworm", base, MIRROR)
        self.assertEqual(made.returncode, 0, made.stdout[-1000:])
        policy = os.path.join(temporary_folder(), "policy.json")
        with open(policy, "w", encoding="utf-8") as file:
            json.dump({"default": [{"type": "insecureAcceptAnything"}]}, file)
        container = self.good("from", "scratch").split()[-1]
        self.good("add", "--quiet", container, base, "/")
        self.good("commit", "--quiet", "--rm", "--signature-policy", policy, container, "localhost/debian:12")
        self.good("build", "--isolation=chroot", "--signature-policy", policy, "--pull=never", "--build-arg",
                  "BASE=localhost/debian:12", "-f", os.path.join(ROOT, "deploy/image/Containerfile"), "-t", "tributary", ROOT)
        settings = json.loads(self.good("inspect", "--type", "image", "tributary"))["OCIv1"]["config"]
        for name in ("User", "Entrypoint", "Cmd", "WorkingDir", "Volumes", "ExposedPorts", "Env"):
            self.assertEqual(settings[name], image().config["config"][name], name)
        container = self.good("from", "--pull=never", "--signature-policy", policy, "tributary").split()[-1]
        root = self.good("mount", container).split()[-1]
        try:
            files, found = {file.name: file for file in image().files()}, set()
            for folder, folders, names in os.walk(root):
                for path in (os.path.join(folder, name) for name in folders + names):
                    name, status = os.path.relpath(path, root), os.lstat(path)
                    found.add(name)
                    self.assertEqual((status.st_mode & 0o7777, status.st_uid), (files[name].mode, files[name].uid), name)
            self.assertEqual(found, set(files))
            version = run("chroot", "--userspec=65534:65534", root, "/usr/bin/tributary", "--version")
            self.assertIn("tributary, version", version.stdout)
        finally:
            run(*self.buildah, "umount", container)
