"""Runs the tests of this folder; see tools/test-image."""

import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.dirname(HERE), HERE]
import counted  # noqa: E402

QUICK = ("test_layout",)
REST = ("test_container", "test_containerfile", "test_arm64")

if __name__ == "__main__":
    named = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    sys.exit(counted.run(named or (QUICK if "--quick" in sys.argv[1:] else QUICK + REST)))
