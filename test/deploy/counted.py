"""Tests that count: each assertion, and each test once however many of its sub-tests fail."""

import functools
import sys
import time
import unittest

sys.dont_write_bytecode = True


class Case(unittest.TestCase):
    assertions = 0


def _counted(method):
    @functools.wraps(method)
    def call(self, *arguments, **named):
        Case.assertions += 1
        return method(self, *arguments, **named)
    return call


for _name in dir(unittest.TestCase):
    if _name.startswith("assert"):
        setattr(Case, _name, _counted(getattr(unittest.TestCase, _name)))


class Result(unittest.TextTestResult):
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


def run(names, more=""):
    """Runs the tests of these names; the exit status. The last line is 'N passed, N failed, N skipped'."""
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    start = time.monotonic()
    result = unittest.TextTestRunner(resultclass=Result, stream=sys.stdout, verbosity=1).run(suite)
    for test, reason in result.skipped:
        print(f"skipped: {test.id()}: {reason}")
    print(f"{Case.assertions} assertions{more}, {time.monotonic() - start:.0f} s")
    failed, skipped = len(result.bad), len(result.skipped)
    print(f"{result.testsRun - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not result.testsRun else 0
