"""Stacks and change sets: making one, showing what it would do, carrying it out, telling why it failed."""

import json
import os
import time

from .aws import Problem, Refused
from .template import parse, read

STATEFUL = ("AWS::EFS::FileSystem", "AWS::EC2::Volume", "AWS::RDS::DBCluster", "AWS::APS::Workspace",
            "AWS::Backup::BackupVault", "AWS::KMS::Key", "AWS::EFS::AccessPoint")
CAPABILITIES = ("CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")


def describe(aws, name):
    """The stack, or None."""
    try:
        return aws.call("cloudformation", "describe-stacks", "--stack-name", name)["Stacks"][0]
    except Refused as error:
        if "does not exist" in str(error):
            return None
        raise


def nested(aws, name):
    """{logical id: physical id} of a stack's nested stacks."""
    resources = aws.call("cloudformation", "describe-stack-resources", "--stack-name", name)["StackResources"]
    return {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in resources
            if r.get("ResourceType") == "AWS::CloudFormation::Stack" and r.get("PhysicalResourceId")}


def refuse_if_busy(stack):
    status = stack["StackStatus"] if stack else ""
    name = stack["StackName"] if stack else ""
    if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
        raise Problem(f"{name} is {status}: somebody is at it already; wait until that has ended")
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"):
        raise Problem(f"{name} is {status}: its creation failed, and CloudFormation can only delete it. "
                      f"`deploy {name.rsplit('-', 1)[-1]} delete`, then apply again")
    if status == "UPDATE_ROLLBACK_FAILED":
        raise Problem(f"{name} is UPDATE_ROLLBACK_FAILED: `aws cloudformation continue-update-rollback --stack-name "
                      f"{name}` has to succeed first")


class ChangeSet:
    def __init__(self, aws, stack_name, url, parameters, tags):
        stack = describe(aws, stack_name)
        refuse_if_busy(stack)
        self._aws, self._stack, self.executed = aws, stack_name, False
        self.creates = stack is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS"
        self.name = time.strftime("deploy-%Y%m%d-%H%M%S", time.gmtime())
        arguments = ["--stack-name", stack_name, "--change-set-name", self.name, "--template-url", url,
                     "--change-set-type", "CREATE" if self.creates else "UPDATE", "--capabilities", *CAPABILITIES,
                     "--parameters", json.dumps([{"ParameterKey": k, "ParameterValue": v}
                                                 for k, v in sorted(parameters.items())]),
                     "--tags", json.dumps([{"Key": k, "Value": v} for k, v in sorted(tags.items())])]
        aws.call("cloudformation", "create-change-set", *arguments)
        self.changes = self._wait()

    def _wait(self):
        for attempt in range(300):
            answer = self._aws.call("cloudformation", "describe-change-set", "--stack-name", self._stack,
                                    "--change-set-name", self.name)
            if answer["Status"] == "CREATE_COMPLETE":
                return answer.get("Changes", [])
            if answer["Status"] == "FAILED":
                reason = answer.get("StatusReason", "no reason given")
                self.discard()
                if "didn't contain changes" in reason or "No updates are to be performed" in reason:
                    return []
                raise Problem(f"CloudFormation refuses the change: {reason}")
            time.sleep(min(5, 0.2 + attempt * 0.2))
        raise Problem(f"the change set {self.name} of {self._stack} was not ready in time")

    def discard(self):
        """Leaves nothing: neither the change set nor, where it was to create a stack, the empty stack it came with."""
        try:
            self._aws.call("cloudformation", "delete-change-set", "--stack-name", self._stack, "--change-set-name",
                           self.name)
            stack = describe(self._aws, self._stack)
            if stack and stack["StackStatus"] == "REVIEW_IN_PROGRESS":
                self._aws.call("cloudformation", "delete-stack", "--stack-name", self._stack)
        except Refused:
            pass  # gone already, which is what was wanted

    def execute(self, say):
        self.executed = True
        self._aws.call("cloudformation", "execute-change-set", "--stack-name", self._stack, "--change-set-name",
                       self.name)
        follow(self._aws, self._stack, say)


def follow(aws, name, say, good=("CREATE_COMPLETE", "UPDATE_COMPLETE"), limit_s=3 * 3600):
    """Waits for a stack to come to rest, saying what it does; raises Problem with the reasons if that is not good."""
    start, told = time.monotonic(), None
    while True:
        stack = describe(aws, name)
        status = stack["StackStatus"] if stack else "DELETE_COMPLETE"
        if status != told:
            say(f"{name}: {status}")
            told = status
        if status in good:
            return
        if not status.endswith("_IN_PROGRESS"):
            reasons = why(aws, stack["StackId"] if stack else name)
            raise Problem(f"{name} ended as {status}" + ("".join("\n  " + r for r in reasons) or
                                                         "; CloudFormation names no reason"))
        if time.monotonic() - start > limit_s:
            raise Problem(f"{name} is still {status} after {limit_s // 3600} hours; look at its events")
        time.sleep(min(10, 1 + (time.monotonic() - start) / 10))


def why(aws, stack, depth=0):
    """The first causes of a failure, from the nested stacks in which they happened."""
    try:
        events = aws.call("cloudformation", "describe-stack-events", "--stack-name", stack)["StackEvents"]
    except Refused:
        return []
    found = []
    for event in reversed(events):
        reason = event.get("ResourceStatusReason", "")
        if not event["ResourceStatus"].endswith("_FAILED") or "cancelled" in reason.lower():
            continue
        inner = event.get("PhysicalResourceId", "")
        if event["ResourceType"] == "AWS::CloudFormation::Stack" and inner and inner != event["StackId"] and depth < 3:
            deeper = why(aws, inner, depth + 1)
            found += deeper or [f"{event['LogicalResourceId']}: {reason}"]
        else:
            found.append(f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}")
    return list(dict.fromkeys(found))[:10]


def differences(aws, stack_name, root):
    """What changes inside the nested stacks, as lines: by comparing templates, for change sets that look into nested
    stacks know nothing of values that come from other nested stacks, and are wrong or fail (README)."""
    lines, present = [], nested(aws, stack_name)
    for logical, resource in read(root)["Resources"].items():
        new = read(os.path.join(os.path.dirname(root), resource["Properties"]["TemplateURL"]))["Resources"]
        if logical not in present:
            continue
        answer = aws.call("cloudformation", "get-template", "--stack-name", present[logical])["TemplateBody"]
        old = (parse(answer) if isinstance(answer, str) else answer)["Resources"]
        for name in sorted(set(old) | set(new)):
            kind = (new.get(name) or old[name])["Type"]
            mark = "  !! holds data" if kind in STATEFUL else ""
            if name not in old:
                lines.append(f"  add     {logical}/{name} ({kind})")
            elif name not in new:
                lines.append(f"  remove  {logical}/{name} ({kind}){mark}")
            elif old[name] != new[name]:
                before, after = old[name].get("Properties", {}), new[name].get("Properties", {})
                keys = [k for k in sorted(set(before) | set(after)) if before.get(k) != after.get(k)]
                lines.append(f"  change  {logical}/{name} ({kind}): {', '.join(keys) or 'attributes'}{mark}")
    return lines


def show(changes, say):
    """A change set's changes, one a line."""
    for change in changes:
        r = change["ResourceChange"]
        details = sorted({d["Target"].get("Name") or d["Target"]["Attribute"] for d in r.get("Details", [])})
        replaced = {"True": "  !! REPLACED", "Conditional": "  !! may be replaced"}.get(r.get("Replacement"), "")
        say(f"  {r['Action']:<7} {r['LogicalResourceId']} ({r['ResourceType']})"
            + (f": {', '.join(details)}" if details else "") + replaced)
