"""ec2_sd_configs of the real program, against a server that answers as EC2 does (moto)."""

import json
import os
import re
import socket
import subprocess
import tempfile
import time
import unittest

from case import Case
from test_agent import agentctl

TOOLS = os.path.join(os.environ.get("TRIBUTARY_DEPLOY_TOOLS", "/nonexistent"), "cloudformation", "bin")
KEYS = {"AWS_ACCESS_KEY_ID": "an-id", "AWS_SECRET_ACCESS_KEY": "a-secret", "AWS_REGION": "eu-west-1"}
RUN = """
import boto3, json, sys
ec2 = boto3.client("ec2", endpoint_url=sys.argv[1], region_name="eu-west-1")
image = ec2.describe_images()["Images"][0]["ImageId"]
tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}, {"Key": "team-x", "Value": "shop"}]}]
made = ec2.run_instances(ImageId=image, MinCount=3, MaxCount=3, TagSpecifications=tags)["Instances"]
ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)
print(json.dumps({i["PrivateIpAddress"]: [i["InstanceId"], i["VpcId"], i["SubnetId"]] for i in made}))
"""


@unittest.skipIf(agentctl() is None, "agentctl is not built")
@unittest.skipUnless(os.access(os.path.join(TOOLS, "moto_server"), os.X_OK), "moto is not here")
class Ec2(Case):
    def test_instances_are_those_that_the_filter_takes(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        server = subprocess.Popen([os.path.join(TOOLS, "moto_server"), "-p", str(port)], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        environment = dict(os.environ, **KEYS)
        made = json.loads(subprocess.run([os.path.join(TOOLS, "python"), "-c", RUN, url], env=environment, check=True,
                                         capture_output=True, text=True).stdout)
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as config:
            config.write(f"""
scrape_configs:
  - job_name: instances
    ec2_sd_configs:
      - endpoint: {url}
        port: 9100
        filters: [{{name: "tag:Name", values: [web]}}]
""")
            config.flush()
            found = subprocess.run([agentctl(), "sd", "--config", config.name, "--job", "instances"], env=environment,
                                   capture_output=True, text=True)
        self.assertEqual(found.returncode, 0, found.stderr)
        self.assertNotIn("a-secret", found.stdout + found.stderr)
        targets = {}
        for part in re.split(r"\n(?=\S+:9100 )", found.stdout)[1:]:
            labels = dict(re.findall(r'^ +(\w+)="(.*)"$', part.partition("  after")[0], re.M))
            targets[labels["__meta_ec2_private_ip"]] = labels
        self.assertEqual(set(targets), set(made))
        for address, (instance, vpc, subnet) in made.items():
            labels = targets[address]
            self.assertEqual(labels["__address__"], address + ":9100")
            self.assertEqual((labels["__meta_ec2_instance_id"], labels["__meta_ec2_vpc_id"]), (instance, vpc))
            self.assertEqual(labels["__meta_ec2_subnet_id"], f",{subnet},")
            self.assertEqual((labels["__meta_ec2_tag_Name"], labels["__meta_ec2_tag_team_x"]), ("web", "shop"))
            self.assertEqual((labels["__meta_ec2_region"], labels["__meta_ec2_instance_state"]), ("eu-west-1", "running"))


if __name__ == "__main__":
    unittest.main()
