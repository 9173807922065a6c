"""Translates pip's configuration for uv, which has its own and does not read pip's.

Reads the output of ``pip config list`` and prints shell ``export`` lines:

>>> print(*exports("global.index-url='https://mirror.invalid/simple'", {}), sep="\\n")
export UV_DEFAULT_INDEX=https://mirror.invalid/simple

Only the standard library: it runs before anything is installed.
"""

import ast
import os
import shlex
import sys
from collections.abc import Mapping


def pip_options(listing: str) -> dict[str, str]:
    """The options in force for ``pip install``, by name, from ``pip config list``'s output."""
    # pip's own order: a command's section over [global], the environment over both.
    sections = ("global", "install", ":env:")
    found: dict[str, dict[str, str]] = {section: {} for section in sections}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        section, _, option = key.partition(".")
        if section in found and value:
            found[section][option] = str(ast.literal_eval(value))
    return {option: value for section in sections for option, value in found[section].items()}


def exports(listing: str, environment: Mapping[str, str]) -> list[str]:
    """Shell lines that set what pip is told and uv is not. What uv is told already stays."""
    pip = pip_options(listing)
    uv = {}
    # uv stops at a folder of wheels that does not exist; pip goes on.
    links = [
        link for link in pip.get("find-links", "").split() if "://" in link or os.path.isdir(link)
    ]
    if links:
        uv["UV_FIND_LINKS"] = ",".join(links)
    if pip.get("no-index", "").lower() in {"1", "true", "yes", "on"}:
        uv["UV_NO_INDEX"] = "1"
    if "index-url" in pip:
        uv["UV_DEFAULT_INDEX"] = pip["index-url"]
    if "extra-index-url" in pip:
        uv["UV_INDEX"] = " ".join(pip["extra-index-url"].split())
        # uv would take a package from the first index that has it, pinned version or not.
        uv["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if "cert" in pip:
        uv["SSL_CERT_FILE"] = pip["cert"]
    if "trusted-host" in pip:
        uv["UV_INSECURE_HOST"] = " ".join(pip["trusted-host"].split())
    if "proxy" in pip:
        uv["ALL_PROXY"] = pip["proxy"]
    return [
        f"export {name}={shlex.quote(value)}"
        for name, value in uv.items()
        if name not in environment
    ]


if __name__ == "__main__":
    print(*exports(sys.stdin.read(), os.environ), sep="\n")
