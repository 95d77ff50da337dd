"""``itmo-hub serve``: run the hub until it is told to stop."""

import asyncio
import logging
import signal
import sys
from typing import Annotated

import structlog
import typer
import uvloop

from hub import bootstrap
from hub.commands.options import ConfigFile, DatabaseUrl
from hub.commands.output import refusals
from hub.config import Settings, load


def serve(
    config: ConfigFile = None,
    database: DatabaseUrl = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    metrics_port: Annotated[int | None, typer.Option(help="Port for /metrics.")] = None,
    signer: Annotated[
        list[str] | None, typer.Option(help="URI of a signing key; twice for hybrid.")
    ] = None,
    xml_signer: Annotated[
        str | None, typer.Option(help="URI of the ES256 key that signs XML (else a lone --signer).")
    ] = None,
) -> None:
    """Run the hub. Its address is printed once it takes envelopes."""
    with refusals():
        settings = load(
            config,
            database_url=database,
            host=host,
            port=port,
            metrics_port=metrics_port,
            signers=tuple(signer) if signer else None,
            xml_signer=xml_signer,
        )
        configure_logs(settings.log_level)
        uvloop.run(_run(settings))


async def _run(settings: Settings) -> None:
    """Start, say where, wait for a signal, close."""
    process = bootstrap.build(settings)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        await process.start()
    except OSError:
        await process.close()
        raise
    typer.echo(f"listening\t{process.address}")
    sys.stdout.flush()
    await stopped.wait()
    await process.close()


def configure_logs(level: str) -> None:
    """Write structured logs to standard error: JSON, or readable on a terminal."""
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer()
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
