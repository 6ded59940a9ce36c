"""Each rule is awake: it complains of manifests that were broken on purpose."""

import copy

from case import Case, objects
from rules import RULES, complaints
from test_manifests import TEXT


def find(items, kind, part=""):
    return next(item for item in items if item["kind"] == kind and part in item["metadata"]["name"])


def pod(items, kind="DaemonSet"):
    return find(items, kind)["spec"]["template"]["spec"]


def agent(items, kind="DaemonSet"):
    return pod(items, kind)["containers"][0]


def config(items, kind, old, new):
    data = find(items, "ConfigMap", kind)["data"]
    assert old in data["agent.yml"], old
    data["agent.yml"] = data["agent.yml"].replace(old, new)


def drop(mapping, key):
    del mapping[key]


def replace(items, old, new, kind="DaemonSet"):
    arguments = agent(items, kind)["args"]
    changed = [argument.replace(old, new) for argument in arguments]
    assert changed != arguments, old
    agent(items, kind)["args"] = changed


BROKEN = {
    "restricted": [
        lambda o: drop(pod(o)["securityContext"], "seccompProfile"),
        lambda o: pod(o)["securityContext"].update(runAsUser=0),
        lambda o: pod(o).update(hostNetwork=True),
        lambda o: pod(o)["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
        lambda o: agent(o)["securityContext"].update(allowPrivilegeEscalation=True),
        lambda o: agent(o)["securityContext"]["capabilities"].update(add=["SYS_PTRACE"]),
        lambda o: drop(agent(o)["securityContext"], "readOnlyRootFilesystem"),
        lambda o: pod(o)["containers"][0]["securityContext"].update(runAsUser=0),
    ],
    "bounded": [
        lambda o: drop(agent(o)["resources"], "limits"),
        lambda o: agent(o).update(image="tributary:latest"),
        lambda o: agent(o).update(image="registry.example.org/tributary"),
        lambda o: pod(o)["volumes"].append({"name": "x", "emptyDir": {}}),
        lambda o: pod(o).update(terminationGracePeriodSeconds=30),
    ],
    "stored": [
        lambda o: replace(o, "size=768MiB", "size=2GiB"),
        lambda o: replace(o, "size=768MiB", "size=32MiB"),
        lambda o: drop(find(o, "StatefulSet")["spec"], "volumeClaimTemplates"),
    ],
    "probed": [
        lambda o: drop(agent(o), "readinessProbe"),
        lambda o: agent(o)["livenessProbe"]["httpGet"].update(path="/-/ready"),
    ],
    "connected": [
        lambda o: pod(o).update(serviceAccountName="default"),
        lambda o: pod(o)["volumes"].pop(0),
        lambda o: find(o, "ConfigMap")["metadata"].update(name="other"),
        lambda o: find(o, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].update(x="y"),
        lambda o: find(o, "Service")["spec"]["selector"].update(x="y"),
        lambda o: find(o, "StatefulSet")["spec"].update(serviceName="other"),
        lambda o: find(o, "ClusterRoleBinding")["roleRef"].update(name="cluster-admin"),
        lambda o: find(o, "ClusterRoleBinding")["subjects"][0].update(name="default"),
    ],
    "least": [
        lambda o: find(o, "ClusterRole")["rules"][0]["verbs"].append("get"),
        lambda o: find(o, "ClusterRole")["rules"].append({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}),
        lambda o: find(o, "ClusterRole", "node")["rules"].pop(),
    ],
    "local": [
        lambda o: config(o, "node", "spec.nodeName=%{NODE_NAME}", "status.phase=Running"),
        lambda o: find(o, "StatefulSet")["spec"].update(replicas=2),
        lambda o: pod(o, "DaemonSet")["containers"][0]["args"].append("--shard=hostname/3"),
    ],
}


class Rules(Case):
    def test_each_rule_is_tried(self):
        self.assertEqual(set(BROKEN), {rule.__name__ for rule in RULES})

    def test_awake(self):
        good = objects(TEXT)
        for rule in RULES:
            for number, change in enumerate(BROKEN[rule.__name__]):
                with self.subTest(rule=rule.__name__, number=number):
                    broken = copy.deepcopy(good)
                    change(broken)
                    self.assertNotEqual(complaints(broken, [rule]), [])
