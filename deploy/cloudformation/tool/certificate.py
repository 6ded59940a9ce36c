"""A certificate of our own making, for environments without a domain: nobody but us trusts it, and all of us have to."""

import os
import shutil
import subprocess

from .aws import Problem, Refused

TAG = "TributarySelfSigned"
DAYS = 397


def self_signed(aws, settings, work, say):
    """ARN of the one for the environment's names, which is made and put into ACM if it is not there. Its key is in ACM
    alone."""
    if settings.environment == "production":
        raise Problem("--self-signed is not for production: set CertificateArn, or Domain with PublicHostedZoneId")
    found = _existing(aws, settings)
    if found:
        return found
    if not shutil.which("openssl"):
        raise Problem("openssl is needed for --self-signed: apt-get install openssl")
    domain = settings.domain
    say(f"making a self-signed certificate for {domain} and the names below it, in ACM, for {DAYS} days")
    names = [domain, f"query.{domain}"] + [f"prometheus-{i}.{domain}" for i in range(3)]
    key, certificate = os.path.join(work, "tls.key"), os.path.join(work, "tls.crt")
    done = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", str(DAYS), "-keyout", key,
         "-out", certificate, "-subj", f"/CN={domain[:64]}", "-addext", "keyUsage=digitalSignature,keyCertSign",
         "-addext", "extendedKeyUsage=serverAuth", "-addext", "subjectAltName=" + ",".join("DNS:" + n for n in names)],
        capture_output=True, text=True)
    if done.returncode != 0:
        raise Problem(f"openssl could not make a certificate: {done.stderr.strip()}")
    try:
        return aws.call("acm", "import-certificate", "--certificate", "fileb://" + certificate, "--private-key",
                        "fileb://" + key, "--tags", f"Key={TAG},Value={settings.stack}")["CertificateArn"]
    finally:
        os.unlink(key)


def _existing(aws, settings):
    """ARN of the one that an earlier run made for this environment, or None."""
    for summary in aws.call("acm", "list-certificates")["CertificateSummaryList"]:
        arn = summary["CertificateArn"]
        if summary.get("DomainName") == settings.domain:
            tags = aws.call("acm", "list-tags-for-certificate", "--certificate-arn", arn)["Tags"]
            if {"Key": TAG, "Value": settings.stack} in tags:
                return arn
    return None


def authority(aws, arn):
    """The certificate itself if it is one of ours, so that agents and Grafana can be told to trust it; else None."""
    try:
        tags = aws.call("acm", "list-tags-for-certificate", "--certificate-arn", arn)["Tags"]
    except Refused as error:
        raise Problem(f"CertificateArn {arn} is not to be had in this region and account: {error}") from None
    if not any(tag["Key"] == TAG for tag in tags):
        return None
    return aws.call("acm", "get-certificate", "--certificate-arn", arn)["Certificate"].strip() + "\n"
