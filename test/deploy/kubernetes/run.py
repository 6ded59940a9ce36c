"""Runs the tests of this folder; see tools/test-kubernetes. The last line is 'N passed, N failed, N skipped'."""

import sys
import time
import unittest

from case import Case

QUICK = ("test_manifests", "test_rules", "test_values")
REST = ("test_chart", "test_apiserver")


class Result(unittest.TextTestResult):
    """Counts a test once, however many of its sub-tests fail."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.bad = set()

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.bad.add(test.id())

    def addError(self, test, error):
        super().addError(test, error)
        self.bad.add(test.id())

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.bad.add(test.id())


def main():
    named = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    names = named or (QUICK if "--quick" in sys.argv[1:] else QUICK + REST)
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    start = time.monotonic()
    result = unittest.TextTestRunner(resultclass=Result, stream=sys.stdout, verbosity=1).run(suite)
    for test, reason in result.skipped:
        print(f"skipped: {test.id()}: {reason}")
    print(f"{Case.assertions} assertions, {time.monotonic() - start:.0f} s")
    failed, skipped = len(result.bad), len(result.skipped)
    print(f"{result.testsRun - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
