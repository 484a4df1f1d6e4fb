"""What came of it: how it went, what was proven, and whether that is a pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich import box
from rich.console import Console
from rich.table import Table

from streams.demo.observation import Observation
from streams.demo.proof import Compared
from streams.demo.story import Truth
from streams.operations.verify import VerifyReport

SHOWN_DIFFERENCES = 10
SHOWN_CHARACTERS = 300
FRESHNESS = (0.50, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a demo. ``caught_up_s`` is None when the crash made nothing late; times are seconds.

    ``freshness_ms`` are the quantiles ``FRESHNESS`` of the whole run, None when nothing was applied.
    """

    last: Observation
    truth: Truth
    fed_in_s: float
    freshness_ms: tuple[float, ...] | None
    caught_up_s: float | None
    longest_behind_s: float
    verified: VerifyReport
    proofs: Sequence[Compared]
    notes: Sequence[str] = field(default=())

    @property
    def differences(self) -> list[str]:
        """Everything that is not as it must be."""
        return [*self.verified.differences, *(each for proof in self.proofs for each in proof.differences)]

    @property
    def passed(self) -> bool:
        """Whether everything was compared and nothing differed."""
        return self.verified.proven and not self.differences


def print_report(console: Console, outcome: Outcome) -> None:
    """How it went, then the proof."""
    console.print()
    console.print(_course(outcome))
    console.print(_channels(outcome.last))
    console.print(_proof(outcome))
    for difference in outcome.differences[:SHOWN_DIFFERENCES]:
        shown = difference if len(difference) <= SHOWN_CHARACTERS else f"{difference[:SHOWN_CHARACTERS]} ..."
        console.print(shown, style="red", markup=False, highlight=False)
    hidden = len(outcome.differences) - SHOWN_DIFFERENCES
    if hidden > 0:
        console.print(f"... and {hidden} more")
    verdict = "[bold green]proven[/]" if outcome.passed else "[bold red]NOT proven[/]"
    console.print(
        f"{verdict}: {outcome.verified.skus} SKUs compared, {len(outcome.differences)} differences, "
        f"{outcome.last.elapsed_s:.0f} s"
    )
    for note in outcome.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)


def _course(outcome: Outcome) -> Table:
    last, truth = outcome.last, outcome.truth
    table = Table(title="how it went", title_justify="left", show_header=False, box=box.SIMPLE)
    fresh = "nothing was applied"
    if outcome.freshness_ms is not None:
        median, most, nearly_all = outcome.freshness_ms
        fresh = f"median {median:,.0f} ms, 95 % {most:,.0f} ms, 99 % {nearly_all:,.0f} ms, the crash included"
    recovery = (
        "nothing was late" if outcome.caught_up_s is None else f"caught up after {outcome.caught_up_s:.1f} s"
    )
    peak = max(last.applied_history, default=0.0)
    rows = (
        ("events", f"{last.fed:,} in {outcome.fed_in_s:.0f} s; at most {peak:,.0f} applied in a second"),
        ("from event to new numbers", fresh),
        ("kill -9 of a worker", f"{recovery}; at most {outcome.longest_behind_s:.1f} s behind"),
        ("delivered twice", f"{truth.repeated:,} events, counted once"),
        ("broken", f"{truth.broken} records fed, {last.dead} dead letters"),
        ("in a wrong partition", f"{truth.misrouted} records, forwarded"),
        ("findings", f"{sum(each.times for each in last.findings):,} of {len(last.findings)} kinds"),
    )
    for name, text in rows:
        table.add_row(name, text)
    return table


def _channels(last: Observation) -> Table:
    table = Table(title="channels", title_justify="left", box=box.SIMPLE)
    table.add_column("channel", no_wrap=True)
    table.add_column("told by", no_wrap=True)
    table.add_column("rule", no_wrap=True)
    for name in ("budget/s", "updates accepted", "refused", "sold out now"):
        table.add_column(name, justify="right")
    for channel in last.channels:
        numbers = (f"{channel.budget_per_s:g}", f"{channel.accepted:,}", str(channel.refused), str(channel.zero))
        table.add_row(channel.name, channel.kind, channel.rule, *numbers)
    return table


def _proof(outcome: Outcome) -> Table:
    verified = outcome.verified
    table = Table(title="the proof", title_justify="left", box=box.SIMPLE)
    table.add_column("compared", no_wrap=True)
    table.add_column("values", justify="right")
    table.add_column("differences", justify="right")
    recomputed = f"SKUs recomputed from {verified.events:,} events: tables, outputs, channels"
    table.add_row(recomputed, f"{verified.skus:,}", _number(len(verified.differences)))
    table.add_row("quantities accepted by a channel as planned", f"{verified.accepted:,}", "")
    for proof in outcome.proofs:
        table.add_row(proof.what, f"{proof.values:,}", _number(len(proof.differences)))
    return table


def _number(differences: int) -> str:
    return f"[bold red]{differences:,}[/]" if differences else "[green]0[/]"
