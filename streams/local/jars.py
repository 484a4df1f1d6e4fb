"""The jars of Apache Kafka: resolved once by Maven from the pinned pom, then kept beside the stack's data."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from streams.local.errors import StartFailed, Unavailable

POM = Path(__file__).resolve().parents[2] / "ops" / "kafka" / "pom.xml"
LOGGING = POM.with_name("log4j2.xml")
MINIMUM_JAVA = 17
_MAVEN_TIMEOUT_S = 900


def missing() -> str | None:
    """Why a real Kafka cannot be run on this machine, or None when it can."""
    if not POM.is_file():
        return f"{POM} is absent (only a checkout of the project has it)"
    for program, needed_for in (
        ("java", f"the broker (Java {MINIMUM_JAVA} or newer)"),
        ("mvn", "resolving its jars"),
    ):
        if shutil.which(program) is None:
            return f"`{program}` is not on PATH: it is needed for {needed_for}"
    version = java_version()
    if version is not None and version < MINIMUM_JAVA:
        return f"`java` is version {version}: Apache Kafka needs Java {MINIMUM_JAVA} or newer"
    return None


def java_version() -> int | None:
    """The major version of `java` on PATH; None when it does not tell."""
    answer = subprocess.run(["java", "-version"], capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    return int(found.group(1)) if found else None


def kafka_version() -> str:
    """The version of Apache Kafka that the pom pins."""
    found = re.search(r"<kafka\.version>([^<]+)</kafka\.version>", POM.read_text())
    if found is None:
        raise Unavailable(f"{POM} has no property kafka.version")
    return found.group(1)


def resolve(cache: Path, say: Callable[[str], None] = lambda message: None) -> Path:
    """The directory `<cache>/<version>/libs` with the jars, filled by Maven when it is not there yet.

    Two starters at once are safe: the second waits for the first. Raises Unavailable without Java or Maven, and
    StartFailed with Maven's own words when it cannot resolve.
    """
    reason = missing()
    if reason is not None:
        raise Unavailable(f"no Apache Kafka on this machine: {reason}")
    target = cache / kafka_version() / "libs"
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "resolve.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            say(f"resolving Apache Kafka {kafka_version()} with Maven (about 45 MB, once)")
            _copy_dependencies(target)
    return target


def _copy_dependencies(target: Path) -> None:
    # Copied beside, then renamed: an interrupted download never looks complete.
    partial = Path(tempfile.mkdtemp(prefix="partial-", dir=target.parent))
    command = ["mvn", "-B", "-q", "-f", str(POM), "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={partial.resolve()}"]
    try:
        outcome = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_MAVEN_TIMEOUT_S,
            check=False,
        )
        if outcome.returncode != 0:
            words = "\n".join((outcome.stdout + outcome.stderr).splitlines()[:10])
            raise StartFailed(f"Maven could not resolve {POM} (is its repository reachable?):\n{words}")
        os.replace(partial, target)
    except subprocess.TimeoutExpired as error:
        raise StartFailed(f"Maven did not resolve {POM} in {_MAVEN_TIMEOUT_S} s") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
