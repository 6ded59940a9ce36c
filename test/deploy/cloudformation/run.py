"""Runs the tests of this folder; see tools/test-deploy."""

import sys

from case import COMBINATIONS
import counted

QUICK = ("test_templates", "test_rules", "test_config", "test_tool", "test_agent")
REST = ("test_lint", "test_deploy", "test_discovery")

if __name__ == "__main__":
    sys.exit(counted.run(QUICK if "--quick" in sys.argv[1:] else QUICK + REST,
                         f", {len(COMBINATIONS)} combinations of environment, storage and backend"))
