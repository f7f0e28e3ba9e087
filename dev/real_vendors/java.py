"""Finds a Java that a product can run on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from dev.real_vendors.errors import RealVendorError

_SECONDS = 30.0


def find(title: str, first: int, last: int) -> Path:
    """The program, of JAVA_HOME or else of PATH. Raises RealVendorError unless it fits."""
    home = os.environ.get("JAVA_HOME")
    program = str(Path(home, "bin", "java")) if home else shutil.which("java")
    requirement = f"{title} needs Java {first} to {last}"
    remedy = "install one, or name it in JAVA_HOME"
    if program is None:
        raise RealVendorError(f"{requirement}, and no java was found: {remedy}.")
    try:
        output = subprocess.run(
            [program, "-version"], capture_output=True, text=True, check=True, timeout=_SECONDS
        ).stderr
    except (OSError, subprocess.SubprocessError) as error:
        raise RealVendorError(f"{requirement}, and {program} does not run: {remedy}.") from error
    version = re.search(r'version "(\d+)', output)
    if version is None or not first <= int(version[1]) <= last:
        found = version[1] if version else "something else"
        raise RealVendorError(f"{requirement}, and {program} is {found}: {remedy}.")
    # Whoever runs it may have neither PATH nor the right to see where a link comes from.
    return Path(program).resolve()
