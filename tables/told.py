"""How far the rows of a partition that call a value told can be believed.

An epoch writes the row of a listing and the update of its channel to different partitions. When it breaks off in
between, the row may say that the channel was told what it never was, and no event comes again that would mend it.
So the epoch after it writes down up to which ``publish_seq`` everything is in the topics; what a recovered row
claims beyond that, and no channel has answered, is doubtful and is told anew.
"""

from __future__ import annotations

from domain.listings import Listing


class Told:
    """What was told of one partition: by us since the last mark, and, in doubt, by an earlier owner."""

    __slots__ = ("_marked", "_newest", "_seqs")

    def __init__(self) -> None:
        self._marked = 0
        self._newest = 0
        self._seqs: dict[tuple[str, str], int] = {}

    @property
    def doubtful(self) -> frozenset[tuple[str, str]]:
        """Channel and id of listings of which an earlier owner's last update may not exist."""
        return frozenset(self._seqs)

    def surely(self, publish_seq: int) -> None:
        """A recovered mark: every update up to this one was written. Of several marks the highest counts."""
        if publish_seq > self._marked:
            self._marked = publish_seq
            self._seqs = {name: seq for name, seq in self._seqs.items() if seq > publish_seq}

    def recovered(self, channel: str, listing: str, row: Listing) -> None:
        """A recovered listing, with all its rows so far joined."""
        if row.last_quantity is not None and row.publish_seq > max(self._marked, row.acked_seq):
            self._seqs[channel, listing] = row.publish_seq
        else:
            self._seqs.pop((channel, listing), None)

    def tell(self, channel: str, listing: str, publish_seq: int) -> None:
        """An update is on its way; an earlier one of the listing matters no more."""
        self._seqs.pop((channel, listing), None)
        self._newest = max(self._newest, publish_seq)

    def channel_is_gone(self, channel: str) -> None:
        """The channel is told nothing more."""
        self._seqs = {name: seq for name, seq in self._seqs.items() if name[0] != channel}

    def conclude(self) -> int | None:
        """Everything we told is written. The mark to write down, None when it says nothing new.

        None also while something of an earlier owner is in doubt, because our numbers are above its.
        """
        if self._seqs or self._newest <= self._marked:
            return None
        self._marked = self._newest
        return self._marked
