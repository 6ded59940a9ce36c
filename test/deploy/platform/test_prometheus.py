"""prometheus.yml and web.yml.example: promtool accepts them in each shape, and they say what they have to."""

import glob
import os
import re

import yaml

from support import CONFIG, EVERYTHING, Scratch, need, processes, render, run

MINIMUM = {"PROMETHEUS_USERNAME": "", "WEBHOOK_ENABLED": "false"}


class Prometheus(Scratch):
    def load(self, name, values):
        folder = render(os.path.join(self.folder, name), **values)
        file = os.path.join(folder, "prometheus", "prometheus.yml")
        with open(file, encoding="utf-8") as handle:
            return file, yaml.safe_load(handle)

    def test_check_config(self):
        promtool = need(processes.find_promtool)
        # Each switch alone as well: what belongs to several must not be left out or come twice.
        alone = ("FEDERATION_TARGETS", "EC2_DISCOVERY", "ECS_DISCOVERY", "ONWARD_REMOTE_WRITE_URL", "GRAFANA_TARGETS",
                 "CLOUDWATCH_EXPORTER_TARGETS")
        shapes = {"local": {}, "minimum": MINIMUM, "everything": EVERYTHING}
        shapes.update({n: {**MINIMUM, "AWS_REGION": "us-east-1", n: EVERYTHING[n]} for n in alone})
        for name, values in shapes.items():
            with self.subTest(name):
                file, _ = self.load(name, values)
                status, output = run(promtool, "check", "config", "--lint=all", "--lint-fatal", file)
                self.assertEqual(status, 0, output)

    def test_check_web_config(self):
        status, output = run(need(processes.find_promtool), "check", "web-config",
                             os.path.join(CONFIG, "prometheus", "web.yml.example"))
        self.assertEqual(status, 0, output)

    def test_agents_may_catch_up(self):
        _, config = self.load("local", {})
        self.assertEqual(config["storage"]["tsdb"]["out_of_order_time_window"], "1d")

    def test_alerts_of_replicas_are_the_same(self):
        _, config = self.load("local", {})
        self.assertEqual(config["global"]["external_labels"]["prometheus_replica"], "0")
        self.assertIn({"action": "labeldrop", "regex": "prometheus_replica"}, config["alerting"]["alert_relabel_configs"])

    def test_federation(self):
        _, config = self.load("everything", EVERYTHING)
        jobs = [job for job in config["scrape_configs"] if job["job_name"].startswith("federate-")]
        self.assertEqual([job["job_name"] for job in jobs], ["federate-eks-us-east-1", "federate-eks-us-west-2"])
        for job in jobs:
            self.assertTrue(job["honor_labels"])
            self.assertEqual(job["metrics_path"], "/federate")
            self.assertEqual(len(job["params"]["match[]"]), 5)
        self.assertEqual(jobs[1]["static_configs"], [{"targets": ["prometheus.eks-us-west-2.internal:9090"], "labels": {
            "cluster": "eks-us-west-2", "region": "us-west-2"}}])

    def test_onward_queue(self):
        _, config = self.load("everything", EVERYTHING)
        self.assertEqual(config["remote_write"][0]["queue_config"],
                         {"capacity": 10000, "max_shards": 200, "max_samples_per_send": 1000})

    def test_jobs_and_alerts_speak_of_the_same_names(self):
        """Each job= of rules and dashboards is a job of the configuration with everything."""
        _, config = self.load("everything", EVERYTHING)
        jobs = {job["job_name"] for job in config["scrape_configs"]}
        for own in ("central-prometheus", "central-alertmanager", "central-grafana", "central-cloudwatch"):
            self.assertIn(own, jobs)
        for file in glob.glob(os.path.join(CONFIG, "prometheus", "rules", "*.yml")):
            with open(file, encoding="utf-8") as handle:
                for name in re.findall(r'\{job="([^"]+)"', handle.read()):
                    self.assertIn(name, jobs, file)
