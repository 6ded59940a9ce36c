"""What has to hold of all that the chart renders. Each rule takes the objects and yields complaints."""

import re

import yaml

WORKLOADS = ("DaemonSet", "StatefulSet")
# Pod Security "restricted" as the API server has it; the real one judges in test_apiserver.py.
VOLUMES = {"configMap", "emptyDir", "secret", "persistentVolumeClaim", "projected", "downwardAPI"}


def workloads(items):
    for item in items:
        if item["kind"] in WORKLOADS:
            yield f"{item['kind']} {item['metadata']['name']}", item["spec"]["template"]["spec"], item


def containers(pod):
    return pod.get("initContainers", []) + pod["containers"]


def restricted(items):
    for name, pod, _ in workloads(items):
        context = pod.get("securityContext", {})
        if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{name}: seccompProfile"
        if context.get("runAsNonRoot") is not True or context.get("runAsUser", 0) == 0:
            yield f"{name}: may run as root"
        if pod.get("hostNetwork") or pod.get("hostPID") or pod.get("hostIPC"):
            yield f"{name}: a namespace of the host"
        for volume in pod.get("volumes", []):
            if not set(volume) - {"name"} <= VOLUMES:
                yield f"{name}: volume {volume['name']}"
        for container in containers(pod):
            own = container.get("securityContext", {})
            if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
                yield f"{name}: {container['name']} may become more"
            if own.get("capabilities", {}) != {"drop": ["ALL"]}:
                yield f"{name}: {container['name']} has capabilities"
            if own.get("readOnlyRootFilesystem") is not True:
                yield f"{name}: {container['name']} may write to its root"
            if own.get("runAsUser") == 0:
                yield f"{name}: {container['name']} runs as root"


def bounded(items):
    """Resources, images that are pinned, volumes with a limit, and a grace period that the drain fits into."""
    for name, pod, _ in workloads(items):
        for container in containers(pod):
            resources = container.get("resources", {})
            if not {"cpu", "memory"} <= set(resources.get("requests", {})) or "memory" not in resources.get("limits", {}):
                yield f"{name}: resources of {container['name']}"
            if not re.search(r"(@sha256:[0-9a-f]{64}|:(?!latest)[\w.-]+)$", container["image"]):
                yield f"{name}: image {container['image']}"
        for volume in pod.get("volumes", []):
            if "emptyDir" in volume and not (volume["emptyDir"] or {}).get("sizeLimit"):
                yield f"{name}: volume {volume['name']} without a limit"
        drain = int(flags(pod).get("--shutdown.deadline", "20s")[:-1])
        if pod.get("terminationGracePeriodSeconds", 30) < drain + 10:
            yield f"{name}: a drain of {drain} s does not fit into its grace period"


def stored(items):
    """The log has less than its volume has: of an emptyDir that is over its limit the pod is evicted."""
    for name, pod, item in workloads(items):
        sizes = [volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"]
                 if volume["name"] == "data" and "emptyDir" in volume]
        sizes += [claim["spec"]["resources"]["requests"]["storage"]
                  for claim in item["spec"].get("volumeClaimTemplates", [])]
        retention = mebibytes(flags(pod)["--storage.retention.size"])
        if not any("hostPath" in volume for volume in pod["volumes"]) and len(sizes) != 1:
            yield f"{name}: volumes of the log: {sizes}"
        if retention < 64:
            yield f"{name}: a log of {retention} MiB"
        for size in sizes:
            if not 0.6 < retention / mebibytes(size) <= 0.8:
                yield f"{name}: a log of {retention} MiB on {size}"


def mebibytes(size):
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)B?", size).groups()
    return int(number) * (1024 if unit == "Gi" else 1)


def flags(pod):
    agent = next(container for container in pod["containers"] if container["name"] == "tributary")
    return dict(argument.split("=", 1) if "=" in argument else (argument, "") for argument in agent["args"])


def probed(items):
    for name, pod, _ in workloads(items):
        agent = pod["containers"][0]
        for probe, path in (("readinessProbe", "/-/ready"), ("livenessProbe", "/-/healthy")):
            if agent.get(probe, {}).get("httpGet", {}).get("path") != path:
                yield f"{name}: {probe}"


def connected(items):
    """Whatever an object names is there, and selectors choose the pods that they are meant for."""
    there = {(item["kind"], item["metadata"]["name"]) for item in items}
    for name, pod, item in workloads(items):
        if ("ServiceAccount", pod["serviceAccountName"]) not in there:
            yield f"{name}: no account {pod['serviceAccountName']}"
        volumes = {volume["name"] for volume in pod["volumes"]}
        volumes |= {claim["metadata"]["name"] for claim in item["spec"].get("volumeClaimTemplates", [])}
        for container in containers(pod):
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in volumes:
                    yield f"{name}: no volume {mount['name']}"
        for volume in pod["volumes"]:
            if "configMap" in volume and ("ConfigMap", volume["configMap"]["name"]) not in there:
                yield f"{name}: no ConfigMap {volume['configMap']['name']}"
        labels = item["spec"]["template"]["metadata"]["labels"].items()
        if not item["spec"]["selector"]["matchLabels"].items() <= labels:
            yield f"{name}: does not select its pods"
        for other in items:
            if other["kind"] == "NetworkPolicy" and not other["spec"]["podSelector"]["matchLabels"].items() <= labels:
                yield f"{name}: not under the NetworkPolicy"
            if other["kind"] == "Service" and item["spec"].get("serviceName") == other["metadata"]["name"]:
                if not other["spec"]["selector"].items() <= labels:
                    yield f"{name}: not behind its Service"
        if item["kind"] == "StatefulSet" and ("Service", item["spec"]["serviceName"]) not in there:
            yield f"{name}: no Service {item['spec']['serviceName']}"
    for item in items:
        if item["kind"] == "ClusterRoleBinding":
            if ("ClusterRole", item["roleRef"]["name"]) not in there:
                yield f"binding of {item['roleRef']['name']}, which is not there"
            for subject in item["subjects"]:
                if (subject["kind"], subject["name"]) not in there:
                    yield f"binding for {subject['name']}, which is not there"


# Besides these an account may do nothing. The real API server is asked in test_apiserver.py.
ALLOWED = {
    "node": {("", "nodes", "list"), ("", "nodes", "watch"), ("", "pods", "list"), ("", "pods", "watch"),
             ("", "nodes/metrics", "get")},
    "cluster": {("", "services", "list"), ("", "services", "watch"), ("", "pods", "list"), ("", "pods", "watch"),
                ("discovery.k8s.io", "endpointslices", "list"), ("discovery.k8s.io", "endpointslices", "watch"),
                ("url", "/metrics", "get")},
}


def least(items):
    for item in items:
        if item["kind"] in ("Role", "RoleBinding"):
            yield f"{item['kind']} {item['metadata']['name']} is not known here"
        if item["kind"] != "ClusterRole":
            continue
        kind = item["metadata"]["labels"]["app.kubernetes.io/component"]
        has = {(group, resource, verb) for rule in item["rules"] for verb in rule["verbs"]
               for group in rule.get("apiGroups", []) for resource in rule.get("resources", [])}
        has |= {("url", url, verb) for rule in item["rules"] for verb in rule["verbs"]
                for url in rule.get("nonResourceURLs", [])}
        if has != ALLOWED[kind]:
            yield f"ClusterRole {item['metadata']['name']}: {sorted(has ^ ALLOWED[kind])}"


def local(items):
    """The agents of nodes watch nothing beyond their node, and the others keep to their shard."""
    for name, pod, item in workloads(items):
        members = item["spec"].get("replicas", 1)
        expected = None if members == 1 else f"hostname/{members}"
        if flags(pod).get("--shard") != expected:
            yield f"{name}: --shard is {flags(pod).get('--shard')}, not {expected}"
    for item in items:
        if item["kind"] != "ConfigMap":
            continue
        name, text = item["metadata"]["name"], item["data"]["agent.yml"]
        kind = item["metadata"]["labels"]["app.kubernetes.io/component"]
        for job in yaml.safe_load(text)["scrape_configs"] or []:
            for config in job.get("kubernetes_sd_configs", []) if kind == "node" else []:
                fields = [selector.get("field") for selector in config.get("selectors", [])]
                if fields not in (["spec.nodeName=%{NODE_NAME}"], ["metadata.name=%{NODE_NAME}"]):
                    yield f"{name}: {job['job_name']} looks beyond its node"


RULES = (restricted, bounded, stored, probed, connected, least, local)


def complaints(items, rules=RULES):
    return [f"{rule.__name__}: {text}" for rule in rules for text in rule(items)]
