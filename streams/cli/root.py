"""The root command. Sub-commands are imported when they are called, so that ``--help`` is quick."""

from __future__ import annotations

import importlib

import click

COMMANDS = {
    "demo": ("streams.demo.command:demo", "The whole system on real retail data, with a live view and a proof."),
    "up": ("streams.local.commands:up", "Start the local stack: broker, registry, Redis-compatible server."),
    "down": ("streams.local.commands:down", "Stop the local stack and leave nothing behind."),
    "doctor": ("streams.local.commands:doctor", "Check broker, topics, partitions, schemas and policy."),
    "worker": ("streams.cli.worker:worker", "Run a worker: fold, pool, split, plan."),
    "sink": ("streams.sink.command:sink", "Publish a channel's updates to the channel, and acknowledge."),
    "topics": ("streams.operations.topics:topics", "Plan or apply the topics."),
    "schemas": ("streams.operations.schemas:schemas", "Check or register the schemas."),
    "policy": ("streams.cli.policy:policy", "Check or apply a policy file; ask for a full sync."),
    "produce": ("streams.cli.produce:produce", "Canonical JSON lines to Avro to Kafka, keyed by SKU."),
    "replay": ("streams.cli.replay:replay", "Canonical JSON lines in, numbers per SKU out; no broker needed."),
    "explain": (
        "streams.cli.explain:explain_command",
        "Why is it 7? The waterfall and the facts behind each term.",
    ),
    "lag": ("streams.cli.lag:lag_command", "How far a consumer group is behind, with a verdict."),
    "verify": ("streams.cli.verify:verify_command", "Recompute every SKU from the topics and compare."),
}


class _LazyCommands(click.Group):
    """Knows each command's summary without importing it."""

    def list_commands(self, context: click.Context) -> list[str]:
        """The commands, in the order a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=_LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="atstream")
def main() -> None:
    """Keep available-to-sell right, and tell every sales channel in time.

    Settings come from ATSTREAM_* environment variables, then atstream.toml, then defaults. Exit codes: 0 done,
    1 the answer is no, 2 usage or configuration, 3 an outage.
    """
