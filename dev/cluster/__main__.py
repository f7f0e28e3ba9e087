"""python -m dev.cluster build|up|down|status|env."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from dev.cluster import binaries, detached, paths, records, toolchain
from dev.cluster.errors import DevclusterError
from dev.cluster.progress import say

_USAGE = """\
Kubernetes {version} is at {url} (Services in {services}, pods in {pods}).
  use it in this shell:  eval "$({python} -m dev.cluster env)"
  or for one command:    KUBECONFIG={kubeconfig} {kubectl} get nodes
  stop it:               {python} -m dev.cluster down"""


def main() -> int:
    """Run the command that the command line names, and return the exit code."""
    arguments = _parser().parse_args()
    try:
        code: int = arguments.run(arguments)
    except (DevclusterError, OSError) as error:
        # An OSError is such as a full disk, or a folder that belongs to somebody else.
        say(f"devcluster: {error}")
        code = 1
    except KeyboardInterrupt:
        say("devcluster: interrupted")
        code = 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="devcluster", description="A real Kubernetes control plane on loopback."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    build = commands.add_parser("build", help="make the tools' binaries available")
    build.add_argument("tools", nargs="*", metavar="TOOL", help="which (default: all)")
    build.set_defaults(run=_build)
    for name, run, summary in (
        ("up", _up, "start the cluster and leave it running"),
        ("down", _down, "stop the cluster and remove its data"),
        ("status", _status, "say whether the cluster runs; exit code 1 if it does not"),
        ("env", _env, "print shell commands that make kubectl and helm use the cluster"),
    ):
        commands.add_parser(name, help=summary).set_defaults(run=run)
    return parser


def _build(arguments: argparse.Namespace) -> int:
    names = arguments.tools or [tool.name for tool in toolchain.TOOLS]
    for name, binary in binaries.ensure(names).items():
        print(f"{name} {toolchain.tool(name).version}  {paths.shown(binary)}")
    return 0


def _up(_: argparse.Namespace) -> int:
    detached.up()
    _print_usage()
    return 0


def _down(_: argparse.Namespace) -> int:
    detached.down()
    return 0


def _status(_: argparse.Namespace) -> int:
    trouble = detached.find_trouble()
    if trouble:
        print(f"The cluster is not usable: {trouble}.")
        return 1
    _print_usage()
    return 0


def _env(_: argparse.Namespace) -> int:
    trouble = detached.find_trouble()
    if trouble:
        raise DevclusterError(f"there is no cluster to use: {trouble}; start it with `up`")
    path = f"{paths.root() / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    for variable, value in (
        ("KUBECONFIG", detached.kubeconfig()),
        # kubectl's cache goes by address, and the next cluster may have the same.
        ("KUBECACHEDIR", detached.directory() / "kubectl-cache"),
        ("PATH", path),
    ):
        print(f"export {variable}={shlex.quote(str(value))}")
    return 0


def _print_usage() -> None:
    record = records.read(detached.directory())
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    print(
        _USAGE.format(
            version=toolchain.tool("kube-apiserver").version,
            url=record.url,
            services=record.service_cidr,
            pods=record.pod_cidr,
            python=python,
            kubeconfig=paths.shown(detached.kubeconfig()),
            kubectl=paths.shown(paths.root() / "bin" / "kubectl"),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
