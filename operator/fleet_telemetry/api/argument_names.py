"""Names of flags and programs that a TelemetryProduct may not use as a switch.

Such a flag can make a program load code, read other files, or send its traffic or its credentials
elsewhere. Its value is bounded besides: it has neither a slash nor a colon, so it is no path and no
address. No list is complete; docs/security.md says what the rights amount to in spite of this one.
A built-in product is reviewed and may use such a flag.
"""

from __future__ import annotations

import re

from fleet_telemetry.api.schema import Rule

_PARTS = (
    "config|file|plugin|exec|script|command|preload|passw|secret|token|librar|require|import"
    "|javaagent|classpath|proxy|privileg|insecure|unsafe|credential"
)
"""What a name contains."""
_WORDS = (
    "conf|path|dir|run|eval|env|load|loader|module|include|agent|url|uri|addr|address|host|port"
    "|listen|bind|endpoint|server|key|cert|ca|tls|ssl|auth|user|allow|trust|cmd|shell|hook|root"
)
"""What stands in a name between dots, dashes and underscores."""
REFUSED_FLAG = f"{_PARTS}|(^|[-._])({_WORDS})([-._]|$)"
"""Google's RE2 reads it like Python does. Upper and lower case are equal."""

ADVICE = (
    "this flag can make a program load code, read other files, or send traffic or credentials "
    "elsewhere; set it in the workload's own manifest"
)

SHELLS = frozenset(
    {
        *("sh", "bash", "dash", "ash", "zsh", "ksh", "fish", "busybox", "csh", "tcsh", "pwsh"),
        *("cmd.exe", "powershell.exe", "pwsh.exe"),
    }
)
_RUNNERS = frozenset(
    {
        *("env", "exec", "sudo", "su", "gosu", "su-exec", "xargs", "nice", "nohup", "timeout"),
        *("python", "python3", "perl", "ruby", "node", "php", "java", "lua", "awk", "chroot"),
        *("setpriv", "unshare", "nsenter", "strace", "gdb", "tini", "dumb-init", "catatonit"),
    }
)

_FLAG = re.compile(REFUSED_FLAG)

FLAG_RULE = Rule(
    f"!self.lowerAscii().matches('{REFUSED_FLAG}')", f"this flag may not be a switch: {ADVICE}"
)


def is_refused_flag(flag: str) -> bool:
    """Whether nobody but the built-in catalogue may name the flag as a switch."""
    return _FLAG.search(flag.lower()) is not None


def is_runner(program: str) -> bool:
    """Whether a program runs another one, or code, by its arguments."""
    return program in SHELLS or program in _RUNNERS
