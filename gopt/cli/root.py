"""The top of the command line; a command's module is imported when it is called."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module

import click

from .. import __version__

# Command -> module and the line that `gopt --help` shows, so that help imports none of them.
COMMANDS = {
    "run": ("run", "Optimize a model, verify it, and write it."),
    "passes": ("passes", "List the passes and rules, or explain one."),
    "inspect": ("inspect", "Show what a model consists of."),
    "compare": ("compare", "Compare two models: their structure and their numbers."),
    "check": ("check", "Tell what of a model a target does not take."),
    "reduce": ("reduce", "Find the smallest part of a model that a target refuses."),
    "rknn": ("rknn", "Set up the toolkit for Rockchip NPUs."),
    "source": ("source", "Write and check what a network was trained with."),
    "batch": ("batch", "Run many models, each in a process of its own."),
    "set-batch": ("set_batch", "Change the batch size of a model."),
    "opset": ("opset", "Tell what another opset takes of a model."),
    "bisect": ("bisect", "Find the rewrite that breaks a model."),
    "expose": ("expose", "Make values inside a model outputs of it."),
    "dump": ("dump", "Run a model and write values that it computes to a file."),
    "extract": ("extract", "Cut a part out of a model."),
    "split": ("split", "Cut a model into stages that run one after the other."),
    "explain": ("explain", "Tell what was done to a model, or to one node of it."),
    "test-pass": ("test_pass", "Try rules on random models made from their patterns."),
}


class LazyGroup(click.Group):
    """A group whose commands live in modules that are imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in the order of their use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f".{COMMANDS[cmd_name][0]}", __package__).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments begin with.

        Raises:
            click.UsageError: there is none.
        """
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            close = get_close_matches(name, list(COMMANDS), n=1)
            if not close and name.endswith(".onnx"):
                close = [f"run {name}"]
            hint = f"; did you mean `gopt {close[0]}`?" if close else ""
            raise click.UsageError(f"there is no command {name!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table above."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: gopt run --passes fold,fuse model.onnx",
)
@click.version_option(__version__, prog_name="gopt")
def cli() -> None:
    """gopt, an optimizing compiler for ONNX graphs.

    Every rewrite is recorded, can be left out, and is checked numerically.

    \b
    Exit status: 0 done, 2 usage, 3 bad input, 4 verification failed, 5 out of reach for the target,
    6 a limit on time, memory or size, 7 a component is missing.
    """
