"""Runs the tests of this folder; see tools/test-package."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
import counted  # noqa: E402

QUICK = ("test_unit", "test_pages", "test_package")
REST = ("test_install",)

if __name__ == "__main__":
    named = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    sys.exit(counted.run(named or (QUICK if "--quick" in sys.argv[1:] else QUICK + REST)))
