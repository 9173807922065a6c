"""What the user is told when a model cannot be had from the hub."""

from __future__ import annotations

import errno
from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub import errors

from gradcost.models import store
from gradcost.study.files import read_json

SPEC = {"source": {"hub": "owner/name", "revision": "v1"}}


def refused(kind, status=404):
    return kind("refused", response=SimpleNamespace(headers={}, status_code=status, request=None))


@pytest.fixture
def hub(monkeypatch):
    """Says what the hub raises, or returns."""

    def says(what):
        def snapshot_download(*_, **__):
            if isinstance(what, Exception):
                raise what
            return what

        monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)

    return says


def test_the_manifest_holds_the_commit(hub, tmp_path):
    hub("/cache/snapshots/c0ffee")
    store.prepare(SPEC, {}, tmp_path)
    assert read_json(tmp_path / store.MANIFEST)["identity"] == {"commit": "c0ffee"}
    expected = {"pretrained_model_name_or_path": "owner/name", "revision": "c0ffee"}
    assert store.locate(tmp_path) == expected


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        (
            refused(errors.GatedRepoError, 403),
            [
                "accept its licence on https://huggingface.co/owner/name",
                "hf auth login",
                "HF_TOKEN",
            ],
        ),
        (refused(errors.RevisionNotFoundError), ["owner/name has no revision 'v1'"]),
        (
            refused(errors.RepositoryNotFoundError, 401),
            ["there is no https://huggingface.co/owner/name", "private", "hf auth login"],
        ),
    ],
)
def test_what_the_hub_refuses_says_what_to_do(hub, tmp_path, error, parts):
    hub(error)
    with pytest.raises(OSError, match="owner/name") as caught:
        store.prepare(SPEC, {}, tmp_path)
    assert all(part in str(caught.value) for part in parts), str(caught.value)
    assert not (tmp_path / store.MANIFEST).exists()


@pytest.mark.parametrize(
    "error",
    [
        errors.LocalEntryNotFoundError("nothing cached"),
        errors.IncompleteSnapshotError("half of it", "/cache"),
        errors.OfflineModeIsEnabled("HF_HUB_OFFLINE=1"),
        errors.HTTPError("no route"),
        refused(errors.HfHubHTTPError, 503),
    ],
    ids=lambda error: type(error).__name__,
)
def test_without_a_network_the_message_has_the_command_that_fetches_the_model(hub, tmp_path, error):
    hub(error)
    with pytest.raises(OSError, match="cannot fetch owner/name") as caught:
        store.prepare(SPEC, {}, tmp_path)
    assert "hf download owner/name --revision v1\n" not in str(caught.value)
    assert str(caught.value).endswith("hf download owner/name --revision v1")
    assert "source: {folder: FOLDER}" in str(caught.value)


def test_a_full_disk_is_not_taken_for_a_missing_network(hub, tmp_path):
    hub(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OSError, match="No space left") as caught:
        store.prepare(SPEC, {}, tmp_path)
    assert caught.value.errno == errno.ENOSPC
