"""Schemathesis makes requests from the service's OpenAPI, right and wrong ones: none is answered with 5xx."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from yochi_bench.workload import SHIPPED

from .box import serving

EXAMPLES = int(os.environ.get("YOCHI_LONG_EXAMPLES", "100"))  # for each operation
# Server-sent events have no end, which a client of single answers would wait for. The others
# take no input, and 503 is what they say of a box that is not ready.
LEFT_OUT = ("/v1/live/events", "/readyz", "/healthz")


@pytest.mark.timeout(3600)
def test_no_request_makes_the_service_fail(tmp_path: Path) -> None:
    camera = ("--camera", str(SHIPPED / "images"), "--note", "Routine round.", "--every", "5")
    with serving(tmp_path, *camera) as url:  # which has routes of its own
        done = subprocess.run(
            [
                Path(sys.executable).with_name("schemathesis"),
                "run",
                f"{url}/openapi.json",
                "--checks=not_a_server_error",
                *(f"--exclude-path={path}" for path in LEFT_OUT),
                f"--max-examples={EXAMPLES}",
                "--generation-deterministic",
                "--request-timeout=60",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
