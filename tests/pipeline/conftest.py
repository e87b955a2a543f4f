"""One small run for all tests of the pipeline: a search takes the better part of a minute."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from small_search import REQUEST, Guard, GuardedData

from tinynas.data import fingerprint, load_dataset
from tinynas.errors import RunError
from tinynas.pipeline.run import run_search
from tinynas.search import RunFolder
from tinynas.search.run_folder import MODEL, RESULT


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Guard]:
    """A run that met a full disk as its model was written, and was started again."""
    folder, guard = tmp_path_factory.mktemp("runs") / "a", Guard()
    pictures = load_dataset("digits")
    data, known_by = GuardedData(pictures, guard), fingerprint(pictures)
    write = RunFolder.write_bytes

    def full(self: RunFolder, name: str, content: bytes) -> Path:
        if name == MODEL:
            raise RunError("no space left on the disk") from OSError(errno.ENOSPC, "")
        return write(self, name, content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tinynas.pipeline.run.load_dataset", lambda *_a, **_k: data)
        patch.setattr("tinynas.pipeline.run.describe", lambda _data: "digits")
        patch.setattr("tinynas.pipeline.run.fingerprint", lambda _data: known_by)
        patch.setattr(RunFolder, "write_bytes", full)
        with pytest.raises(RunError, match="no space left"):
            run_search(REQUEST, folder, guard)
        assert not (folder / RESULT).exists() and not (folder / MODEL).exists()
        patch.setattr(RunFolder, "write_bytes", write)
        run_search(REQUEST, folder, Guard())
    return folder, guard
