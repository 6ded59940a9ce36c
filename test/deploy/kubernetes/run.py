"""Runs the tests of this folder; see tools/test-kubernetes."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
import counted  # noqa: E402

QUICK = ("test_manifests", "test_rules", "test_values")
REST = ("test_chart", "test_apiserver", "test_restart", "test_prometheus")

if __name__ == "__main__":
    named = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    sys.exit(counted.run(named or (QUICK if "--quick" in sys.argv[1:] else QUICK + REST)))
