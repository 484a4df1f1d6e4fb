"""Faust's producer, refusing: everything is written by epochs, or offsets could be committed before effects.

Relies on Faust: ``app.producer`` being started with the app, its ``buffer`` being asked by the conductor
(``wait_until_ebb``), ``flush`` being awaited on rebalance and stop.
"""

from __future__ import annotations

from typing import Any, NoReturn

from faust.transport.producer import Producer

from streams.data_plane.failures import PlaneFailure


class RefusingProducer(Producer):
    """Keeps Faust's life cycle; writes nothing."""

    async def send(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise PlaneFailure("nothing may be sent past the epochs: return it from State.collect")

    async def send_and_wait(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise PlaneFailure("nothing may be sent past the epochs: return it from State.collect")

    def send_soon(self, fut: Any) -> NoReturn:
        """Refuse."""
        raise PlaneFailure("nothing may be sent past the epochs: return it from State.collect")

    async def flush(self) -> None:
        """Nothing is ever pending here."""

    async def create_topic(self, *args: Any, **kwargs: Any) -> None:
        """Topics are created by the deploy step, never by a worker."""
