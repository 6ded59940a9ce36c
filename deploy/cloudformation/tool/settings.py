"""What params/ENV.json, --set and --config say, checked against the parameters that platform.yaml has."""

import difflib
import ipaddress
import json
import os
import re

from .aws import Problem
from .template import read

HERE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
ENVIRONMENTS = ("dev", "staging", "production")
EXAMPLE_DOMAIN = "company.com"
# Variables of deploy/config whose secret no template hands to its container: {name: the secret's file}.
NOT_CARRIED = {"FEDERATION_USERNAME": "federation-password", "DEADMAN_WEBHOOK_ENABLED": "deadman-url"}
# What is not routed on the internet: RFC 1918 and RFC 6598.
PRIVATE = [ipaddress.ip_network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")]


class Settings:
    def __init__(self, environment, assignments=(), configuration=(), folder=None):
        if environment not in ENVIRONMENTS:
            near = [e for e in ENVIRONMENTS if e.startswith(environment[:3])]
            raise Problem(f"there is no environment '{environment}'" + (f"; is {near[0]} meant?" if near else ".")
                          + f" There are {', '.join(ENVIRONMENTS)}.")
        self.environment = environment
        self.stack = f"tributary-{environment}"
        self.template = read(os.path.join(HERE, "platform.yaml"))
        self.table = self.template["Mappings"]["Environments"][environment]
        self.path = os.path.join(folder or os.path.join(HERE, "params"), f"{environment}.json")
        file = self._read()
        self.account, self.region = file.get("Account", ""), file.get("Region", "")
        self.parameters = {key: str(value) for key, value in file.get("Parameters", {}).items()}
        self.configuration = {key: str(value) for key, value in file.get("Configuration", {}).items()}
        self.parameters.update(_pairs(assignments, "--set"))
        self.configuration.update(_pairs(configuration, "--config"))
        if self.parameters.get("Environment") != environment:
            raise Problem(f"{self.path} (or --set) is for the environment '{self.parameters.get('Environment')}', "
                          f"not for {environment}")
        self.check()

    def _read(self):
        try:
            with open(self.path, encoding="utf-8") as handle:
                file = json.load(handle)
        except OSError as error:
            raise Problem(f"{self.path}: {error.strerror}") from None
        except ValueError as error:
            raise Problem(f"{self.path}: {error}") from None
        unknown = set(file) - {"Account", "Region", "Parameters", "Configuration"}
        if unknown:
            raise Problem(f"{self.path}: unknown key {sorted(unknown)[0]}; there are Account, Region, Parameters, "
                          "Configuration")
        return file

    def check(self):
        """All that is wrong with the parameters, at once and before anything is sent."""
        problems = []
        known = self.template["Parameters"]
        for name, value in self.parameters.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                problems.append(f"there is no parameter {name}" + (f"; is {near[0]} meant?" if near else ""))
            elif not _valid(value, known[name]):
                problems.append(f"{name}: '{value}' is not {known[name]['ConstraintDescription']}")
        problems = problems or self._check_together()
        if problems:
            raise Problem("\n".join(problems))

    def _check_together(self):
        """What each value by itself does not show."""
        problems = []
        for name in ("GrafanaAllowedCidr", "AgentCidr", "ScrapeCidr"):
            try:
                ipaddress.ip_network(self.plain(name), strict=False)
            except ValueError:
                problems.append(f"{name}: '{self.plain(name)}' is no IPv4 range")
        if not problems and self.plain("GrafanaScheme") == "internet-facing" and self.grafana_is_for_private_addresses \
                and not self.plain("GrafanaAllowedPrefixListId"):
            problems.append(f"GrafanaScheme internet-facing is reached from public addresses, and GrafanaAllowedCidr "
                            f"{self.plain('GrafanaAllowedCidr')} has none of them: nobody would reach Grafana. Set it, or "
                            "GrafanaAllowedPrefixListId, to the public ranges that people come from")
        problems += [f"{name}: no template gives its container the secret {file}, which this needs; leave it out"
                     for name, file in NOT_CARRIED.items() if self.configuration.get(name, "false") not in ("", "false")]
        if bool(self.plain("ScrapedRoleArns")) != bool(self.configuration.get("CLOUDWATCH_ROLES")):
            problems.append("ScrapedRoleArns lets the CloudWatch exporter assume roles, and CLOUDWATCH_ROLES (Configuration) "
                            "has it do so: set both or neither")
        return problems

    @property
    def grafana_is_for_private_addresses(self):
        network = ipaddress.ip_network(self.plain("GrafanaAllowedCidr"), strict=False)
        return any(network.subnet_of(private) for private in PRIVATE)

    def value(self, name, column=None):
        """The value in force: what was set, or that of the environment's table."""
        given = self.parameters.get(name, str(self.template["Parameters"][name].get("Default", "")))
        return given if given not in ("", "0") else str(self.table[column or name])

    def plain(self, name):
        return self.parameters.get(name, str(self.template["Parameters"][name].get("Default", "")))

    @property
    def domain(self):
        return self.value("Domain")

    @property
    def namespace(self):
        return f"{self.environment}.monitoring.internal"

    @property
    def replicas(self):
        return 0 if self.plain("Backend") == "amp" else int(self.value("PrometheusReplicas"))


def _pairs(assignments, flag):
    found = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise Problem(f"{flag} {assignment}: expected NAME=VALUE")
        found[name] = value
    return found


def _valid(value, parameter):
    if "AllowedValues" in parameter and value not in [str(v) for v in parameter["AllowedValues"]]:
        return False
    if parameter["Type"] == "Number":
        try:
            number = float(value)
        except ValueError:
            return False
        return parameter.get("MinValue", number) <= number <= parameter.get("MaxValue", number)
    return re.fullmatch(parameter.get("AllowedPattern", ".*"), value) is not None
