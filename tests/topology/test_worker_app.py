"""What the worker's app consists of. Names are literals: moving a file must not move a group or a changelog."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from schemas.topics import event_topics
from streams.settings import load_settings
from streams.worker.app import CHANGELOGS, SOURCES, WorkerPorts, create_app, plane_settings
from tests.worlds import World

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {"ATSTREAM_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}


async def _load(missing: object) -> None:
    raise AssertionError("no schema is loaded by creating an app")


def ports() -> WorkerPorts:
    return WorkerPorts(World().state, _load, partitions=4)


def test_every_topic_that_is_read_has_an_agent() -> None:
    app = create_app(load_settings(), ports())
    assert set(SOURCES) == {topic.name for topic in event_topics()} | {
        "channel-acks",
        "listings",
        "atstream-listing-exchange",
    }
    listened = {name for agent in app.agents.values() for name in agent.channel.topics}
    assert listened == set(SOURCES)


def test_tables_and_changelogs_have_literal_names() -> None:
    app = create_app(load_settings(), ports())
    assert {"facts", "publications"} == set(app.tables.keys())
    assert CHANGELOGS == {
        "facts": "atstream-facts-changelog",
        "publications": "atstream-publications-changelog",
    }


def test_every_test_and_process_gets_an_app_of_its_own() -> None:
    settings = load_settings()
    first = create_app(settings, ports())
    assert create_app(settings, ports()) is not first


def test_the_web_server_of_faust_is_off() -> None:
    app = create_app(load_settings(), ports())
    assert app.conf.web_enabled is False


def test_a_fetched_record_waits_no_longer_than_the_session_to_be_written() -> None:
    settings = plane_settings(load_settings())
    assert settings.message_timeout_s < settings.session_timeout_s


def test_importing_the_worker_creates_no_app_and_reads_no_environment() -> None:
    code = (
        "import faust, sys; import streams.worker.app, streams.worker.run, streams.cli.worker; "
        "import gc; sys.exit(any(isinstance(one, faust.App) for one in gc.get_objects()))"
    )
    environment = {**ENVIRONMENT, "ATSTREAM_WORKER__SESSION_TIMEOUT_S": "not a number"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
