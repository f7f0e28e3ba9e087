"""Names of environment variables that neither a policy nor a TelemetryProduct may set.

A variable of this list can make a process load code or run a program, says where it finds programs,
libraries, configuration or certificates, or sends its traffic or its credentials elsewhere. Whoever
may set one in another person's pod is that pod. The list is the only one: the CRDs, admission and
the loader use it. A built-in product is reviewed and may use such a variable.

Sources: glibc, sysdeps/generic/unsecvars.h (what the loader drops for privileged programs), and
sudo, plugins/sudoers/env.c, initial_badenv_table; then the manuals of the runtimes.

No list is complete: a product has variables of its own that are as strong, such as the address of a
plugin repository. docs/security.md says what the rights amount to in spite of this list.
"""

from __future__ import annotations

import re

from fleet_telemetry.api.schema import Pattern, Rule

ENV_NAME = Pattern(
    r"^[-._A-Za-z][-._A-Za-z0-9]*$",
    "a variable's name has letters, digits, dashes, dots and underscores, and does not begin with "
    "a digit",
    cheap=r"!self.matches(r'[^-.\w]') && (self < '0' || self >= ':')",
)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST_WORDS = _words("""
    LD LDR DYLD GLIBC GCONV MALLOC TCMALLOC RES RESOLV NIS
    BASH
    JDK JRE CATALINA LOADER MAVEN GRADLE SPRING MICRONAUT QUARKUS SMALLRYE
    NODE NPM PNPM YARN COREPACK BUN DENO ELECTRON
    PIP UV CONDA UWSGI GUNICORN DJANGO FLASK
    GEM BUNDLE BUNDLER PHP
    DOTNET CORECLR COR COMPLUS ASPNETCORE MONO
    ERL ELIXIR MIX HEX LUA R JULIA GUILE CARGO RUSTC RUSTUP
    SSL OPENSSL NSS GNUTLS CURL REQUESTS GIT SSH SUDO KRB5 SASL LDAPTLS
    DOCKER KUBE KUBERNETES AWS AZURE GOOGLE GCLOUD CLOUDSDK VAULT NVIDIA CUDA XDG OTEL
    """)
"""What stands before the first underscore."""

NAMES = _words("""
    HOME ENV IFS PS0 PS1 PS2 PS3 PS4 GLOBIGNORE ZDOTDIR TMPPREFIX TMPDIR TEMPDIR TMP TEMP
    USER LOGNAME PWD OLDPWD HOSTNAME EDITOR VISUAL PAGER MANPAGER BROWSER LESSOPEN LESSCLOSE
    INPUTRC WGETRC NETRC PHPRC LDAPRC ODBCINI ODBCSYSINI TNS_ADMIN
    HOSTALIASES LOCALDOMAIN TZDIR GETCONF_DIR TERMCAP TERMINFO TERMINFO_DIRS
    GODEBUG GOROOT GOENV GOBIN GOTOOLCHAIN GOINSECURE GOCOVERDIR GCC_EXEC_PREFIX
    HEAPPROFILE CPUPROFILE SSLKEYLOGFILE VIRTUAL_ENV __PYVENV_LAUNCHER__ HF_ENDPOINT
    PGHOST PGHOSTADDR PGPORT PGSERVICE PGSERVICEFILE PGSYSCONFDIR PGPASSFILE PGSSLROOTCERT
    """)
"""Whole names."""

PARTS = (
    "^(_RLD|PYTHON|PERL|RUBY)|JAVA|JVM|PROXY|PRELOAD|JDBC|PASSW|SECRET|TOKEN"
    "|(PATH|OPTS|OPTIONS|ARGS|FLAGS|COMMAND|SHELL|CONFIG)$"
)
"""What a name starts with, contains or ends with. Google's RE2 reads it like Python does."""

MORE_PARTS = (
    "DATASOURCE|DATABASE|PASSPHRASE|CREDENTIAL|PRIVATE_?KEY|API_?KEY|ACCESS_?KEY"
    "|^(LOG4J|KRB)|CODEINTEL_PG|CODEINSIGHTS_PG|SOCKS5?_SERVER|CONFIG_(ORDINAL|PROFILE)|COOKIE$"
    "|((?<!PHONE_)(?<!PHONE)(?<!CALL_)(?<!CALL)HOME|ARGUMENTS|CMD|ENTRYPOINT|HOOKS?|SCRIPTS?|MODULES?|PLUGINS?(_?(DIR|FOLDER))?|CONF"
    "|CONF(IG)?_?(FILE|DIR|URL|JSON|LOCATIONS?)|CA_?(BUNDLE|CERTS?|FILE)|CERTS?(_?(FILE|DIR))?"
    "|(TRUST|KEY)_?STORE|SERVICE_(HOST|PORT))$"
    "|^(DBUS|GDK|OCL_ICD|QEMU_LD|TS_NODE|UVICORN|CELERY|COVERAGE|PYDEVD|DEBUGPY|GCOV|JPDA)_"
    "|^NIX_LD(_|$)|^(PG[A-Z]+|COMSPEC|PATHEXT|SYSTEMROOT|WINDIR|(LOCAL)?APPDATA|USERPROFILE|PROGRAMDATA|HISTFILE"
    "|GS_LIB|WINEDLLOVERRIDES|LLVM_PROFILE_FILE|MYSQL_(HOST|(UNIX|TCP)_PORT|PWD)|REDISCLI_AUTH"
    "|JETTY_BASE)$|^(OPENAI|ANTHROPIC)_(API_)?BASE|(^|_)(RSH|SSH|CATALOG_FILES)$"
)
"""The same, beyond what the API server's limit on the cost of rules allows."""

HARMLESS = (
    "AZURE_CORE_COLLECT_TELEMETRY",
    "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING",
    "DENO_NO_UPDATE_CHECK",
    "DOTNET_CLI_TELEMETRY_OPTOUT",
    "OTEL_LOGS_EXPORTER",
    "OTEL_METRICS_EXPORTER",
    "OTEL_SDK_DISABLED",
    "OTEL_TRACES_EXPORTER",
)
"""Telemetry switches whose first word is that of a runtime."""

ADVICE = (
    "it can make a process load code, run a program, read other files, or send traffic or "
    "credentials elsewhere; set it in the workload's own manifest"
)
EXPANSION_ADVICE = (
    "$(NAME) inserts another variable of the container, which may be a secret; write the value "
    "itself"
)

_NAME = re.compile(ENV_NAME.expression)
_PARTS = re.compile(f"{PARTS}|{MORE_PARTS}")
_UNIFORM = str.maketrans(".-", "__")


def is_refused_name(name: str) -> bool:
    """Whether nobody but the built-in catalogue and the workload's author may set the variable.

    Upper and lower case are equal, and so are dots, dashes and underscores, because some runtimes
    treat them alike. A name that no environment variable can have is refused, too.
    """
    if _NAME.fullmatch(name) is None:
        return True
    folded = name.upper().translate(_UNIFORM)
    if folded in HARMLESS:
        return False
    return (
        folded in NAMES
        or folded.partition("_")[0] in FIRST_WORDS
        or _PARTS.search(folded) is not None
    )


def is_refused_value(value: str) -> bool:
    """Whether Kubernetes would insert another variable into the value."""
    return "$(" in value


def _listed(names: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"'{name}'" for name in names) + "]"


_REFUSED_MESSAGE = f"this variable may not be set here: {ADVICE}"
_FIRST_WORD = f"self.upperAscii().split('_')[0] in {_listed(FIRST_WORDS)}"
# The API server limits the cost of rules. What these leave out (MORE_PARTS, names with dots and
# dashes, other parts of the names of aliases) is refused by admission and ignored by the loader.
NAME_RULE = Rule(
    f"self.upperAscii() in {_listed(HARMLESS)} || !({_FIRST_WORD} || "
    f"self.upperAscii() in {_listed(NAMES)} || self.upperAscii().matches('{PARTS}'))",
    _REFUSED_MESSAGE,
)
ALIAS_RULE = Rule(f"self.upperAscii() in {_listed(HARMLESS)} || !({_FIRST_WORD})", _REFUSED_MESSAGE)
VALUE_RULE = Rule("!self.contains('$(')", f"a value may not contain $(: {EXPANSION_ADVICE}")
