"""Limits at the door: requests per minute for each connector that has a limit, counted in PostgreSQL."""

from collections import Counter
from collections.abc import Sequence

from connector_master.ingest.gather import Gathering
from connector_master.ingest.source import Source
from connector_master.ingest.writer import Writer
from connector_master.model.problem import RateLimited
from connector_master.storage import rate_limits
from connector_master.storage.rate_limits import Wanted


class Limits:
    """Lets requests pass or refuses them. `run` is its task. Connectors without a limit cost nothing."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._gathering: Gathering[Source, None] = Gathering(self._spend, most_in_write=2_000, most_waiting=20_000)

    async def run(self) -> None:
        """Count until stopped."""
        await self._gathering.run()

    def stop(self) -> None:
        """Take nothing more."""
        self._gathering.close()

    async def pass_one(self, source: Source) -> None:
        """Return when the request may pass. Raises RateLimited with the seconds to wait."""
        if source.settings.rate_limit_per_minute is not None:
            await self._gathering.submit(source)

    async def _spend(self, sources: Sequence[Source]) -> Sequence[BaseException | None]:
        counts = Counter(source.connector_id for source in sources)
        limits = {source.connector_id: source for source in sources}
        wanted = [
            Wanted(source.workspace_id, connector_id, source.settings.rate_limit_per_minute or 1, counts[connector_id])
            for connector_id, source in sorted(limits.items())
        ]
        granted = await self._writer.write(_spend, wanted)
        (by_connector,) = granted
        left = {connector_id: one.count for connector_id, one in by_connector.items()}
        results: list[BaseException | None] = []
        for source in sources:
            if left[source.connector_id] > 0:
                left[source.connector_id] -= 1
                results.append(None)
            else:
                seconds = by_connector[source.connector_id].retry_after_seconds
                results.append(
                    RateLimited(
                        "This connector's limit of requests per minute is used up.", retry_after_seconds=seconds
                    )
                )
        return results


async def _spend(connection: rate_limits.Connection, wanted: Sequence[Wanted]) -> list[rate_limits.GrantedByConnector]:
    return [await rate_limits.spend(connection, wanted)]
