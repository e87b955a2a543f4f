"""Reads what firmware/test/*/test_main.c prints: PlatformIO finds this file by `test_framework = custom`.

A board has been running for a while when its port is opened, so the first report read may lack its beginning:
the firmware repeats it, and only a whole one counts.
"""

import re

import click
from platformio.test.result import TestCase, TestStatus
from platformio.test.runners.base import TestRunnerBase

BEGIN = re.compile(r"(\d+) tests")
CASE = re.compile(r"(?P<name>\w+): (?P<verdict>pass|FAIL)(?: (?P<message>.*))?")
VERDICTS = {"pass": TestStatus.PASSED, "FAIL": TestStatus.FAILED}


class CustomTestRunner(TestRunnerBase):
    """The name PlatformIO asks for."""

    awaited = None
    cases = ()

    def on_testing_line_output(self, line):
        line = line.strip()
        if begin := BEGIN.fullmatch(line):
            self.awaited, self.cases = int(begin[1]), []
        elif self.awaited is not None and (case := CASE.fullmatch(line)):
            self.cases.append(
                TestCase(case["name"], VERDICTS[case["verdict"]], message=case["message"], stdout=line)
            )
            if len(self.cases) == self.awaited:
                self.report()

    def report(self):
        for case in self.cases:
            click.echo(case.stdout)
            self.test_suite.add_case(case)
        self.test_suite.on_finish()
