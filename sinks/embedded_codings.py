"""HTTP content codings: how request bodies come packed, and how answers are packed on their way back."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import lz4.frame  # type: ignore[import-untyped]

from sinks.embedded_errors import EngineError, ErrorCode

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


MAX_BODY_BYTES = 1 << 30


class _Frame(Protocol):
    """How all four libraries undo one frame; `unused_data` is what follows it."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /, max_length: int) -> bytes: ...


_UNPACK: dict[str, Callable[[], _Frame]] = {
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "deflate": zlib.decompressobj,
    "zstd": zstd.ZstdDecompressor,
    "lz4": lz4.frame.LZ4FrameDecompressor,
}


def unpack(body: bytes, coding: str) -> bytes:
    """A request's body as its sender had it. Clients pack block by block, so a body may hold many frames.

    Errors: `EngineError` for a coding not known here, a body that is not of it, or one over 1 GiB.
    """
    name = coding.strip().lower()
    if name in {"", "identity"}:
        return body
    start = _UNPACK.get(name)
    if start is None:
        raise EngineError.raised(ErrorCode.UNKNOWN_COMPRESSION_METHOD, f"Unknown compression method {coding}")
    try:
        return b"".join(_frames(body, start))
    except (OSError, EOFError, RuntimeError, zlib.error, zstd.ZstdError) as error:
        raise EngineError.raised(ErrorCode.CANNOT_DECOMPRESS, f"The body is not {name}: {error}") from None


def _frames(body: bytes, start: Callable[[], _Frame]) -> Iterator[bytes]:
    room = MAX_BODY_BYTES
    while body:
        frame = start()
        content = frame.decompress(body, max_length=room + 1)
        room -= len(content)
        if room < 0:
            raise too_large()
        if not frame.eof:
            raise EOFError("it ends within a frame")
        yield content
        body = frame.unused_data or b""


def too_large() -> EngineError:
    return EngineError.raised(
        ErrorCode.QUERY_IS_TOO_LARGE, f"A request may have {MAX_BODY_BYTES >> 20} MiB: send the rows in parts"
    )


class Packer(Protocol):
    """One answer's packing: a single frame over all its chunks."""

    def compress(self, chunk: bytes) -> bytes: ...
    def flush(self) -> bytes: ...


class _Lz4Packer:
    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._head: bytes = self._frame.begin()

    def compress(self, chunk: bytes) -> bytes:
        head, self._head = self._head, b""
        packed: bytes = self._frame.compress(chunk)
        return head + packed

    def flush(self) -> bytes:
        tail: bytes = self._frame.flush()
        return self._head + tail


# In the order of choice: on one machine the quickest is the best.
_PACK: dict[str, Callable[[], Packer]] = {
    "lz4": _Lz4Packer,
    "zstd": lambda: zstd.ZstdCompressor(level=1),
    "gzip": lambda: zlib.compressobj(level=1, wbits=31),
    "deflate": lambda: zlib.compressobj(level=1),
}


def choose(accepted: str) -> str | None:
    """The coding for an Accept-Encoding header, None to send as is."""
    names = {entry.partition(";")[0].strip().lower() for entry in accepted.split(",") if "q=0" not in entry.split(";")}
    return next((name for name in _PACK if name in names), None)


def packer(coding: str) -> Packer:
    return _PACK[coding]()
