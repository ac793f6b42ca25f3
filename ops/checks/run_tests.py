#!/usr/bin/env python3
"""run_tests.py BUILD_DIR...: ctest in each build folder, then one line of totals.

Every folder is run even when an earlier one failed. A folder without a single
test counts as a failure: a gate that tests nothing must not look green.
CTEST_ARGS is passed on (for example CTEST_ARGS="-L unit").
"""
import os
import pathlib
import shlex
import subprocess
import sys
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Set to 0 a sanitizer would only print; the builds make every report fatal.
ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1:suppressions="
                    f"{ROOT}/tests/sanitizers/tsan.supp",
}


def run_ctest(folder):
    """Returns (passed, names of failed, names of skipped); failed is ["ctest"]
    when no result could be had at all."""
    report = pathlib.Path(folder).resolve() / "ctest-report.xml"
    report.unlink(missing_ok=True)
    command = ["ctest", "--test-dir", folder, "--output-on-failure",
               "--no-tests=error", "--parallel", str(os.cpu_count() or 1),
               "--output-junit", str(report)]
    command += shlex.split(os.environ.get("CTEST_ARGS", ""))
    print(f"== {folder}", flush=True)
    status = subprocess.run(command, check=False,
                            env={**ENVIRONMENT, **os.environ}).returncode
    if not report.exists():
        return 0, [f"{folder}: ctest itself"], []
    passed, failed, skipped = 0, [], []
    for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
        outcome, name = case.get("status"), f"{folder}: {case.get('name')}"
        if outcome == "run":
            passed += 1
        elif outcome == "disabled" or was_skipped(outcome, case):
            skipped.append(name)
        else:
            failed.append(name)
    if status and not failed:
        failed.append(f"{folder}: ctest itself")
    return passed, failed, skipped


def was_skipped(outcome, case):
    """ctest writes `notrun` for a skipped test and for one that cannot start."""
    reason = case.find("skipped")
    return (outcome == "notrun" and reason is not None
            and reason.get("message", "").startswith("SKIP_"))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    passed, failed, skipped = 0, [], []
    for folder in sys.argv[1:]:
        one = run_ctest(folder)
        passed += one[0]
        failed += one[1]
        skipped += one[2]
    for title, names in (("skipped", skipped), ("FAILED", failed)):
        for name in names:
            print(f"{title}: {name}")
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
