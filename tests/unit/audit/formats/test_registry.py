from __future__ import annotations

import subprocess
import sys

from fleet_telemetry.audit.formats.registry import FORMATS
from fleet_telemetry.cli.audit import FORMAT_NAMES


def test_the_command_knows_every_form_by_name_and_in_order() -> None:
    assert tuple(FORMATS) == FORMAT_NAMES
    assert all(name == one.name for name, one in FORMATS.items())


def test_the_names_are_known_without_the_forms() -> None:
    script = "import fleet_telemetry.cli.audit, sys; print('fleet_telemetry.audit' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
