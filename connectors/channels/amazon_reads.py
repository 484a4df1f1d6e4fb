"""What Amazon shows of a listing: ``getListingsItem`` of the Listings Items API 2021-08-01.

Its usage plan, 5 calls a second and burst 10, is never more narrow than the one of single calls, which reads keep.
"""

from __future__ import annotations

from connectors.channels.amazon_wire import Offer, item_path, rate_wait_s
from connectors.channels.http import Answered, CallFailed
from connectors.channels.reading import ANSWER_UNREADABLE, Shown, Unread, read_object, whole


def read_path(offer: Offer, sku: str) -> str:
    """Path and query of the read: of all that Amazon has of the listing, its quantities only."""
    return item_path(offer, sku) + "&includedData=fulfillmentAvailability"


def read_item(offer: Offer, sku: str, answer: Answered | CallFailed) -> Shown | Unread:
    """The quantity of the channel by which the seller fulfils."""
    if isinstance(answer, Answered) and answer.status == 429:
        return Unread("HTTP 429", rate_wait_s(answer))
    content = read_object(answer)
    if isinstance(content, Unread):
        return content
    stated = content.get("fulfillmentAvailability")
    if content.get("sku") != sku or not isinstance(stated, list):
        return Unread(ANSWER_UNREADABLE)
    quantities = [
        whole(one.get("quantity"))
        for one in stated
        if isinstance(one, dict) and one.get("fulfillmentChannelCode") == offer.fulfillment_channel
    ]
    return {sku: quantities[0] if len(quantities) == 1 else None}
