"""`python -m streams.local.registry --journal FILE --port PORT`: serve a registry until stopped."""

from __future__ import annotations

from pathlib import Path

import click
from aiohttp import web

from streams.local.errors import LocalStackError
from streams.local.ports import LOOPBACK
from streams.local.registry.compatibility import incompatibilities
from streams.local.registry.journal import Journal
from streams.local.registry.service import create_service
from streams.local.registry.store import SchemaStore


@click.command()
@click.option("--journal", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--port", type=click.IntRange(1, 65_535), required=True)
def serve(journal: Path, port: int) -> None:
    """Serve a schema registry on the loopback until SIGTERM."""
    try:
        store = SchemaStore(Journal(journal), incompatibilities)
    except LocalStackError as error:
        raise click.ClickException(str(error)) from error
    web.run_app(create_service(store), host=LOOPBACK, port=port, print=None, access_log=None, shutdown_timeout=1.0)


if __name__ == "__main__":
    serve()
