"""Read a source that a service answers with: a JSON list or NDJSON, in pages.

Decides what is asked for, which pages follow one another, and what makes an answer unreadable.
Nothing is followed to another scheme, host or port, since the token goes along.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from monitor.providers.streams import StreamFailed, open_stream
from monitor.sources.formats import JsonLines, JsonList
from monitor.sources.rows import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from monitor.providers.streams import Client, Stream
    from monitor.sources.formats import Format
    from monitor.sources.rows import SourceRow

MOST_PAGES = 10_000
LARGEST_PAGE = 64 << 20
PATIENCE_S = 60.0
"""How long a service may be silent; a whole reading may take longer."""

_LISTS = frozenset({"application/json", "text/json"})
_LINES = frozenset(
    {
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "application/json-lines",
        "text/x-ndjson",
    }
)
_ACCEPT = "application/json, application/x-ndjson"


@dataclass(slots=True)
class ServiceReading:
    """One reading of a service.

    Args:
        headers: What goes with each page, such as the token.
        etag: That of the last reading; an answer that says it still holds brings no row.
        is_unchanged: Set by `rows` where that was so.
        patience_s: How long the service may be silent.
    """

    client: Client
    url: str
    headers: Mapping[str, str] = field(repr=False)
    defaults: Mapping[str, Any]
    etag: str = ""
    is_unchanged: bool = False
    patience_s: float = PATIENCE_S

    async def rows(self) -> AsyncIterator[SourceRow]:
        """Yield the rows of all pages.

        Raises:
            OutOfResources: It could not be called for want of resources of our own.
            UnreadableSource: Any of it cannot be read, perhaps after rows were yielded:
                then they are part of no list.
        """
        try:
            async for row in self._read_pages():
                yield row
        except StreamFailed as error:
            raise UnreadableSource(str(error)) from None

    async def _read_pages(self) -> AsyncIterator[SourceRow]:
        url: str | None = self.url
        known, self.etag, n_rows = self.etag, "", 0
        seen: set[str] = set()
        while url is not None:
            if url in seen or len(seen) >= MOST_PAGES:
                raise UnreadableSource(_explain_pages(len(seen)))
            is_first = not seen
            seen.add(url)
            headers = {"Accept": _ACCEPT, **self.headers}
            if known and is_first:
                headers["If-None-Match"] = known
            async with open_stream(self.client, url, headers, self.patience_s) as stream:
                if stream.status == HTTPStatus.NOT_MODIFIED and known and is_first:
                    self.etag, self.is_unchanged = known, True
                    return
                of_kind = _choose_format(stream, self.defaults, n_rows)
                async for row in _read_page(stream, of_kind):
                    yield row
                n_rows = of_kind.n_rows
                url = stream.find_next()
                # What several pages say is not known by the mark of the first.
                self.etag = stream.header("ETag") if url is None and is_first else ""


async def _read_page(stream: Stream, of_kind: Format) -> AsyncIterator[SourceRow]:
    size = 0
    async for chunk in stream.chunks():
        size += len(chunk)
        if size > LARGEST_PAGE:
            raise UnreadableSource(f"a page is larger than {LARGEST_PAGE >> 20} MiB")
        for row in of_kind.feed(chunk):
            yield row
    for row in of_kind.close():
        yield row


def _explain_pages(n_pages: int) -> str:
    if n_pages >= MOST_PAGES:
        return f"more than {MOST_PAGES:,} pages"
    return "its pages lead back to one that was read"


def _choose_format(stream: Stream, defaults: Mapping[str, Any], first: int) -> Format:
    """Return what takes rows out of *stream*, by its type."""
    host, status = stream.host, stream.status
    if stream.is_redirect:
        raise UnreadableSource(f"{host} redirects ({status}), and redirects are not followed")
    if status != HTTPStatus.OK:
        raise UnreadableSource(f"{host} answered {status}")
    if stream.header("Content-Encoding").strip().lower() not in {"", "identity"}:
        raise UnreadableSource(f"{host} compresses its answer, unasked")
    kind = stream.header("Content-Type").partition(";")[0].strip().lower()
    if kind in _LISTS:
        return JsonList(defaults, "", first)
    if kind in _LINES:
        return JsonLines(defaults, "", first)
    shown = kind if kind.isprintable() and len(kind) <= 60 else "something else"  # noqa: PLR2004
    raise UnreadableSource(
        f"{host} answered neither a JSON list nor NDJSON: its Content-Type is"
        f" {shown or 'not given'}"
    )


def read_service(
    client: Client,
    url: str,
    headers: Mapping[str, str],
    defaults: Mapping[str, Any],
    etag: str = "",
) -> ServiceReading:
    """Return a reading of the list at *url*, not begun yet."""
    return ServiceReading(client, url, headers, defaults, etag)
