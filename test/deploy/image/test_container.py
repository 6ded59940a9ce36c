"""The image in a container that may do nothing: another user, a read-only root, no capabilities, a network of its own."""

import contextlib
import json
import os
import subprocess
import unittest
import uuid

from counted import Case
from image import eventually, image, needed, run, temporary_folder

CONFIG = """
global: {scrape_interval: 1s}
scrape_configs: [{job_name: itself, static_configs: [{targets: ['127.0.0.1:9095']}]}]
"""
LOG = "/var/lib/tributary"


class Bundle:
    """What runc runs; `arguments` in place of the image's Cmd."""

    def __init__(self, runtime, arguments=None, log=True):
        self.runtime = runtime
        settings = image().config["config"]
        self.folder = temporary_folder()
        self.root = image().unpacked()
        self.config = os.path.join(temporary_folder(), "tributary.yml")
        os.chmod(os.path.dirname(self.config), 0o755)
        self.set_config(CONFIG)
        run(runtime, "spec", cwd=self.folder)
        path = os.path.join(self.folder, "config.json")
        with open(path, encoding="utf-8") as file:
            spec = json.load(file)
        spec["root"] = {"path": self.root, "readonly": True}
        # An empty list is none for both runtimes.
        nothing = {kind: [] for kind in ("bounding", "effective", "permitted", "inheritable", "ambient")}
        user = int(settings["User"].partition(":")[0])
        spec["process"].update({
            "terminal": False, "user": {"uid": user, "gid": user}, "cwd": settings["WorkingDir"], "env": settings["Env"],
            "args": settings["Entrypoint"] + (settings["Cmd"] if arguments is None else arguments),
            "capabilities": nothing, "noNewPrivileges": True,
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}]})
        spec["mounts"].append({"destination": "/etc/tributary", "type": "bind", "source": os.path.dirname(self.config),
                               "options": ["bind", "ro"]})
        if log:
            spec["mounts"].append({"destination": LOG, "type": "tmpfs", "source": "tmpfs",
                                   "options": ["nosuid", "nodev", "noexec", f"uid={user}", f"gid={user}", "mode=0700"]})
        with open(path, "w", encoding="utf-8") as file:
            json.dump(spec, file)

    def set_config(self, text):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)

    def command(self, name, *arguments):
        return [self.runtime, "--root", os.path.join(self.folder, "state"), name, *arguments]

    def run(self):
        return run(*self.command("run", "--bundle", self.folder, f"tributary-{uuid.uuid4()}"), stdin=subprocess.DEVNULL)

    @contextlib.contextmanager
    def running(self):
        """Meanwhile: a function that runs a program in it."""
        name = f"tributary-{uuid.uuid4()}"
        with open(os.path.join(self.folder, "log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(self.command("run", "--bundle", self.folder, name), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        try:
            yield lambda *command: run(*self.command("exec", name, *command), stdin=subprocess.DEVNULL)
        finally:
            if self.process.poll() is None:
                run(*self.command("kill", name, "KILL"))
            self.process.wait(20)
            run(*self.command("delete", "--force", name))

    def stop(self):
        """As an engine does: SIGTERM, which runc passes on. The exit status."""
        self.process.terminate()
        return self.process.wait(20)

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8") as file:
            return file.read()


class Container(Case):
    def setUp(self):
        if os.getuid() != 0:
            raise unittest.SkipTest("only root can start containers with a user of their own")
        self.runtime = needed("runc", "crun")

    def test_version(self):
        ended = Bundle(self.runtime, ["--version"]).run()
        self.assertEqual(ended.returncode, 0, ended.stdout)
        self.assertIn("tributary, version", ended.stdout)

    def test_it_scrapes_keeps_its_log_and_stops_in_order(self):
        bundle = Bundle(self.runtime)
        with bundle.running() as inside:
            self.assertTrue(eventually(lambda: inside("agentctl", "health", "--ready").returncode == 0), bundle.log())
            checked = inside("agentctl", "test-config", "/etc/tributary/tributary.yml")
            self.assertEqual(checked.returncode, 0, checked.stdout)
            self.assertTrue(eventually(lambda: "1 of 1 up" in inside("agentctl", "status").stdout),
                            inside("agentctl", "status").stdout)
            page = inside("agentctl", "scrape", "127.0.0.1:9095").stdout
            self.assertIn("process_resident_memory_bytes", page)
            self.assertEqual(inside("agentctl", "log", "verify", LOG).returncode, 0)
            # There is nothing else to run.
            self.assertNotEqual(inside("/bin/sh", "-c", "true").returncode, 0)
            status = self.status_of(bundle)
            for name, value in (("Uid", "65534"), ("CapEff", "0" * 16), ("CapBnd", "0" * 16), ("NoNewPrivs", "1")):
                self.assertIn(f"\n{name}:\t{value}", status)
            self.assertEqual(bundle.stop(), 0, bundle.log())
        self.assertIn("msg=stopped", bundle.log())

    def status_of(self, bundle):
        with open(f"/proc/{bundle.process.pid}/task/{bundle.process.pid}/children", encoding="utf-8") as file:
            children = file.read().split()
        for thread in os.listdir(f"/proc/{bundle.process.pid}/task"):
            with open(f"/proc/{bundle.process.pid}/task/{thread}/children", encoding="utf-8") as file:
                children += file.read().split()
        for child in children:
            with open(f"/proc/{child}/status", encoding="utf-8") as file:
                text = file.read()
            if text.startswith("Name:\ttributary"):
                return text
        self.fail(f"{bundle.runtime} has no child that is the agent")

    def test_where_nothing_can_be_written_memory_will_do(self):
        bundle = Bundle(self.runtime, image().config["config"]["Cmd"], log=False)
        ended = bundle.run()
        self.assertEqual(ended.returncode, 1, ended.stdout)
        self.assertIn("cannot use --storage.path", ended.stdout)
        bundle = Bundle(self.runtime, ["--config.file=/etc/tributary/tributary.yml", "--storage.mode=memory"], log=False)
        with bundle.running() as inside:
            self.assertTrue(eventually(lambda: "1 of 1 up" in inside("agentctl", "status").stdout), bundle.log())
            self.assertEqual(bundle.stop(), 0, bundle.log())

    def test_buildah_takes_the_layout(self):
        buildah = needed("buildah")
        place = ["--root", temporary_folder(), "--runroot", temporary_folder(), "--storage-driver", "vfs"]
        name = run(buildah, *place, "pull", "--quiet", "--signature-policy", self.policy(), f"oci:{image().folder}")
        self.assertEqual(name.returncode, 0, name.stdout)
        seen = run(buildah, *place, "inspect", "--type", "image", name.stdout.split()[-1])
        self.assertEqual(json.loads(seen.stdout)["OCIv1"]["config"], image().config["config"], seen.stdout)

    @staticmethod
    def policy():
        path = os.path.join(temporary_folder(), "policy.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"default": [{"type": "insecureAcceptAnything"}]}, file)
        return path
