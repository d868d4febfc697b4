"""The command `mcp`."""

from aggregator.cli.command_context import Context


def mcp(context: Context) -> None:
    """Give an assistant read-only tools about the stories.

    Speaks the Model Context Protocol on standard input and output, until the input ends; a program that
    supports it starts this command. Needs the extra mcp (docs/mcp.md).

    \b
    Examples:
      aggregator mcp
      aggregator mcp --config ~/news/config.yaml
    """
    from aggregator.config.delivery_settings import MCP_LIBRARY, require_library
    from aggregator.store.read.reader import StoryReader

    require_library(*MCP_LIBRARY)
    from aggregator.web.mcp_server import serve

    with context.obj.reading(must_exist=True) as (config, database):
        serve(StoryReader(database, config.effective_tuning), config)
