"""The broken variants: a line of the core, and what a plausible mistake would have put there."""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """A variant: ``right`` stands exactly once in ``module`` and becomes ``wrong``."""

    name: str
    module: str
    right: str
    wrong: str


MUTANTS = (
    # The set of facts and its join
    Mutant("last writer wins", "state", "winner = preferred(known, fact)", "winner = fact"),
    Mutant("first writer wins", "state", "winner = preferred(known, fact)", "winner = known"),
    Mutant("revision ignored", "facts", "return (fact.revision, _magnitude", "return (0, _magnitude"),
    Mutant("quantity does not break a tie", "facts", "_magnitude(fact), tuple(", "0, tuple("),
    Mutant(
        "a duplicate applied twice",
        "state",
        "            return Folded(None, findings.DUPLICATE)",
        "            self._put(unit, group, (*group, fact), (fact,))\n"
        "            return Folded(None, findings.DUPLICATE)",
    ),
    Mutant(
        "balances by arrival",
        "state",
        "ranked = sorted((*group, fact), key=newness, reverse=True)",
        "ranked = [fact, *group]",
    ),
    Mutant("only one balance kept", "state", "KEPT_BALANCES = 2", "KEPT_BALANCES = 1"),
    # Balances and movements
    Mutant(
        "a tie is not contained",
        "movements",
        "return move.posted_at <= evidence.as_of",
        "return move.posted_at < evidence.as_of",
    ),
    Mutant(
        "ambiguity taken optimistically",
        "movements",
        "return move.delta > 0 if ambiguous(move, evidence)",
        "return move.delta < 0 if ambiguous(move, evidence)",
    ),
    Mutant(
        "closed without units counts as before",
        "net_orders",
        "counted(move, newest))]",
        "counted(move, newest) or not move.delta)]",
    ),
    Mutant(
        "document list ignored",
        "movements",
        "None if balance.includes is None else frozenset(balance.includes)",
        "None",
    ),
    Mutant(
        "posting lag ignored",
        "documents",
        "fact.occurred_at + source.posting_lag.get(kind, 0)",
        "fact.occurred_at",
    ),
    Mutant("posting time of the echo ignored", "documents", "if same or kind != TRANSFER:", "if False:"),
    Mutant("echo counted twice", "tally", "        if not documents:\n", "        if True:\n"),
    Mutant(
        "receipt implies no sending", "documents", "self.legs_of(fact, implied=not sent)", "self.legs_of(fact)"
    ),
    Mutant(
        "a net balance read as physical",
        "availability",
        "+ place.reserved + tally.net_orders[place.location].corrections[0]",
        "",
    ),
    Mutant(
        "order lag ignored", "net_orders", "version.occurred_at + lag < before", "version.occurred_at < before"
    ),
    Mutant(
        "variance of a net balance ignores shipments between",
        "net_orders",
        "lambda move: contained(move, evidence)",
        "lambda move: True",
    ),
    Mutant(
        "settled movements never looked at again",
        "places",
        "        if horizon < self.horizon:\n",
        "        if False:\n",
    ),
    Mutant(
        "a movement at the edge of a clock's doubt is certain",
        "places",
        "        if posted_at > self.doubtless_after:",
        "        if posted_at >= self.doubtless_after:",
    ),
    Mutant(
        "the documents a balance lists are not asked",
        "places",
        "return END if newest.listed is not None else newest.as_of + newest.clock_skew",
        "return newest.as_of + newest.clock_skew",
    ),
    # Demand
    Mutant(
        "one shipment too large gives back more than was open",
        "lines",
        "return -left if final or units > left else -units",
        "return -left if final else -units",
    ),
    Mutant(
        "a final shipment gives back what it shipped only",
        "lines",
        "return -left if final or units > left else -units",
        "return -left if units > left else -units",
    ),
    Mutant(
        "reservations add up over versions",
        "tally",
        "units = open_quantity(current, shipped, short)",
        "units = sum(open_quantity(one, shipped, short) for one in group if type(one) is LineVersion)",
    ),
    Mutant(
        "cancellations add up over versions",
        "tally",
        "units = open_quantity(current, shipped, short)",
        "units = open_quantity(current, shipped + sum(one.cancelled_quantity for one in group"
        " if type(one) is LineVersion and one is not current), short)",
    ),
    Mutant(
        "a shipment does not reduce the reservation",
        "lines",
        "- version.cancelled_quantity - shipped\n",
        "- version.cancelled_quantity\n",
    ),
    Mutant("only the last shipment counts", "lines", "shipped += fact.quantity", "shipped = fact.quantity"),
    Mutant("final is not final", "lines", "short = short or fact.final", "short = False"),
    Mutant("expired reservations hold", "tally", "if requested.expires_at <= self.now:", "if False:"),
    Mutant(
        "a reservation holds one instant too long",
        "tally",
        "if requested.expires_at <= self.now:",
        "if requested.expires_at < self.now:",
    ),
    Mutant("a converted reservation still holds", "tally", "self._converted.get(requested_id, 0)", "0"),
    Mutant(
        "demand without a location forgotten",
        "availability",
        "            unsourced += units",
        "            unsourced += 0",
    ),
    # Numbers
    Mutant(
        "a negative location drains the pool",
        "availability",
        "total += numbers.available_to_sell",
        "total += min(numbers.available_to_sell, numbers.net)",
    ),
    Mutant(
        "in transit is sold",
        "availability",
        "total += numbers.available_to_sell",
        "total += numbers.available_to_sell + numbers.in_transit",
    ),
    Mutant("re-sourcing ignored", "availability", "(shortage if pool.re_sourcing else 0)", "0"),
    Mutant(
        "re-sourcing cannot be switched off", "availability", "(shortage if pool.re_sourcing else 0)", "shortage"
    ),
    Mutant(
        "book-negative stock shown as zero",
        "availability",
        "    net = on_hand - demand",
        "    on_hand = max(0, on_hand)\n    net = on_hand - demand",
    ),
    Mutant(
        "shortage of a negative location counted whole",
        "availability",
        "demand - there if demand > there else 0",
        "max(0, demand - on_hand)",
    ),
    Mutant(
        "safety stock rounded down",
        "quantities",
        "return -(-percent.numerator * base // (100 * percent.denominator))",
        "return percent.numerator * base // (100 * percent.denominator)",
    ),
    Mutant(
        "safety stock served before demand",
        "availability",
        "withheld = safety_stock if safety_stock < sellable else sellable",
        "withheld = safety_stock",
    ),
    Mutant(
        "sold before the first balance",
        "availability",
        'if stock.balances and rules.status == "OPEN" else 0',
        'if rules.status == "OPEN" else 0',
    ),
    Mutant("a stale answer is not thrown away", "sums", "        place.answer = None\n", ""),
    # Channels
    Mutant(
        "exposed amounts rounded up",
        "quantities",
        "return percent.numerator * base // (100 * percent.denominator)\n\n\ndef held",
        "return -(-percent.numerator * base // (100 * percent.denominator))\n\n\ndef held",
    ),
    Mutant(
        "stop-sell before the buffer",
        "channels",
        "buffered if buffered > policy.stop_sell_at",
        "buffered if guarded > policy.stop_sell_at",
    ),
    Mutant(
        "a cancelled order keeps its quota",
        "lines",
        "return shipped if current.state == CANCELLED else want(current)",
        "return current.quantity - current.cancelled_quantity",
    ),
    # Forgetting
    Mutant(
        "forgetting one horizon too far",
        "pruning",
        "min(one.horizon for one in evidence)",
        "max(one.horizon for one in evidence)",
    ),
    Mutant(
        "forgetting without lateness",
        "pruning",
        "min(one.horizon for one in evidence)",
        "min(one.as_of for one in evidence)",
    ),
    Mutant("forgetting what satisfies before what demands", "pruning", 'LineVersion: "1"', 'LineVersion: "3"'),
    Mutant(
        "forgetting orders that a net balance counted",
        "pruning",
        "any(orders.counts(unit) for orders in self.tally.net_orders.values())",
        "False",
    ),
)
