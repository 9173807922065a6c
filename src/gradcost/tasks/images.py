"""The images of a task: in one file, each once, read one by one.

The file is Arrow's, mapped into memory: a batch reads its own images and no other, and the
processes of one machine share what was read.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from PIL.Image import Image

FILE = "images.arrow"
# of one record batch: what is looked up at once is small, and so is the file's index
_TOGETHER = 64
_SCHEMA = pa.schema([("bytes", pa.large_binary())])


def write(path: Path, pictures: Iterable[tuple[str, bytes]]) -> None:
    """Write the bytes of picture files, in their order.

    Args:
        pictures: name and bytes.

    Raises:
        ValueError: naming the picture that does not open.
    """
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, _SCHEMA) as writer:
        together: list[bytes] = []

        def flush() -> None:
            if together:
                writer.write_batch(pa.record_batch([pa.array(together, _SCHEMA[0].type)], _SCHEMA))
                together.clear()

        for name, found in pictures:
            try:
                opened(found)
            except OSError as error:
                raise ValueError(f"the image {name} does not open: {error}") from error
            together.append(found)
            if len(together) == _TOGETHER:
                flush()
        flush()


def opened(found: bytes) -> Image:
    """A picture, whole and in colours.

    Raises:
        OSError: if the bytes are not those of a picture, or not all of them.
    """
    from PIL import Image

    try:
        return Image.open(io.BytesIO(found)).convert("RGB")
    except (SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # what Pillow raises of damaged headers, and of sizes that no photograph has
        raise OSError(str(error)) from error


class Images:
    """The images in the file that `write` wrote, by their number."""

    def __init__(self, path: Path) -> None:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        self._bytes = table.column("bytes")

    def __len__(self) -> int:
        return len(self._bytes)

    def __getitem__(self, index: int) -> Image:
        return opened(self._bytes[index].as_py())
