"""A worker of the toy application, as a process of its own: RUN BOOTSTRAP PARTITIONS SESSION_S."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time

from streams.data_plane.app import add_agent, create_plane_app
from streams.data_plane.batch import Batch
from streams.data_plane.settings import PlaneSettings
from streams.data_plane.worker import run_worker
from tests.integration.data_plane.toy import Names, ToyState

STARTED = time.time()
HOLD = os.environ.get("TOY_HOLD")  # while this file exists, handlers wait as they would for an outage


def outage() -> bool:
    return HOLD is not None and os.path.exists(HOLD)


def main(run: str, bootstrap: str, partitions: str, session_s: str) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(name)s %(levelname)s %(message)s")
    names = Names(run)
    state = ToyState(names)
    settings = PlaneSettings(
        app_id=run,
        bootstrap_servers=bootstrap,
        session_timeout_s=float(session_s),
        heartbeat_s=float(session_s) / 6,
        stall_s=float(os.environ.get("TOY_STALL_S", "120")),
    )
    app = create_plane_app(
        settings, state, sources=names.sources, partitions=int(partitions), changelogs={"facts": names.changelog}
    )
    seen: set[tuple[object, int]] = set()

    async def listen(batch: Batch) -> None:
        if not seen:
            logging.info("first batch %.2f s after the process began", time.time() - STARTED)
        if (batch.tp, batch.token) not in seen:
            seen.add((batch.tp, batch.token))
            logging.info("begins %s %d at %d", batch.tp.topic, batch.tp.partition, batch.first)
        while outage():
            await batch.wait(0.2)
        for record in batch.records:
            if record.value() == b"unbearable":
                raise ValueError("unbearable")
            if record.value() == b"endless":
                await asyncio.sleep(3600)
            if record.value() == b"freezing":
                time.sleep(3600)  # noqa: ASYNC251 - the event loop is to freeze
        await state.take(batch)

    for topic in names.sources:
        add_agent(app, f"listen-{topic[-1]}", [topic], listen)
    code = run_worker(app, outputs=[names.output])
    logging.info("exit code %d, %s", code, app.plane.stats)
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
