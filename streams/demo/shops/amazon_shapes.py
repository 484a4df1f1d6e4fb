"""The bodies that are exchanged with a Selling Partner API about quantities, as shapes that refuse anything else.

Written by us, after Listings Items 2021-08-01, Feeds 2021-06-30 and version 2 of listings feeds and their
processing reports. Names are the vendor's. What is not named here is refused, also where the vendor would take it;
a field with a default may be left out but not be null. That the vendor's own schemas agree is tested where they
are at hand.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_MESSAGES = 25_000
HIGHEST_MESSAGE_ID = 2_147_483_647

Filled = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0)]
MessageId = Annotated[int, Field(ge=1, le=HIGHEST_MESSAGE_ID)]
Severity = Literal["ERROR", "WARNING", "INFO"]


class Shape(BaseModel):
    """A body. Nothing is converted: a number in quotes is no number."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Patch(Shape):
    """One change of a listing's attributes."""

    op: Literal["add", "replace", "merge", "delete"]
    path: str
    value: list[dict[str, Any]] = []


class PatchRequest(Shape):
    """What patchListingsItem is asked."""

    productType: str
    patches: Annotated[list[Patch], Field(min_length=1)]


class Issue(Shape):
    """What is wrong with a listing, in the answer to a patch."""

    code: str
    message: str
    severity: Severity
    categories: list[str]


class PatchAnswer(Shape):
    """What patchListingsItem answers."""

    sku: str
    status: Literal["ACCEPTED", "INVALID", "VALID"]
    submissionId: str
    issues: list[Issue] = []


class Availability(Shape):
    """How many of a listing there are for one way of fulfilment."""

    fulfillmentChannelCode: str
    quantity: Count = 0


class ItemShown(Shape):
    """What getListingsItem answers, when it is asked for the quantities."""

    sku: str
    fulfillmentAvailability: list[Availability] = []


class Error(Shape):
    """Why a request failed."""

    code: str
    message: str
    details: str = ""


class ErrorList(Shape):
    """What a request is answered that failed."""

    errors: list[Error]


class DocumentRequest(Shape):
    """What createFeedDocument is asked."""

    contentType: str


class DocumentAnswer(Shape):
    """What createFeedDocument answers."""

    feedDocumentId: str
    url: str


class FeedRequest(Shape):
    """What createFeed is asked."""

    feedType: str
    marketplaceIds: Annotated[list[str], Field(min_length=1, max_length=25)]
    inputFeedDocumentId: str
    feedOptions: dict[str, str] = {}


class FeedAnswer(Shape):
    """What createFeed answers."""

    feedId: str


class FeedShown(Shape):
    """What getFeed answers."""

    feedId: str
    feedType: str
    createdTime: str
    processingStatus: Literal["CANCELLED", "DONE", "FATAL", "IN_PROGRESS", "IN_QUEUE"]
    marketplaceIds: list[str] = []
    resultFeedDocumentId: str = ""


class FeedsShown(Shape):
    """What getFeeds answers."""

    feeds: list[FeedShown]


class ReportDocument(Shape):
    """What getFeedDocument answers."""

    feedDocumentId: str
    url: str
    compressionAlgorithm: Literal["GZIP"] = "GZIP"


class FeedHeader(Shape):
    """Whose feed it is."""

    sellerId: str
    version: Literal["2.0"]


class Message(Shape):
    """One listing in a feed. PATCH is the only operation that a quantity needs."""

    messageId: MessageId
    sku: Filled
    operationType: Literal["PATCH"]
    productType: Filled
    patches: Annotated[list[Patch], Field(min_length=1)]


class FeedContent(Shape):
    """The document of a listings feed."""

    header: FeedHeader
    messages: Annotated[list[Message], Field(min_length=1, max_length=MOST_MESSAGES)]


class ReportHeader(FeedHeader):
    """Which feed was worked on."""

    feedId: str


class ReportIssue(Shape):
    """What is wrong with a message; without a number, with the feed."""

    messageId: Annotated[int, Field(ge=1)] = 1
    sku: Filled = "-"
    code: Filled = "-"
    severity: Severity
    message: Filled


class ReportSummary(Shape):
    """How many messages, and what became of them."""

    errors: Count
    warnings: Count
    messagesProcessed: Count
    messagesAccepted: Count
    messagesInvalid: Count


class Report(Shape):
    """The processing report of a feed."""

    header: ReportHeader
    issues: list[ReportIssue]
    summary: ReportSummary
