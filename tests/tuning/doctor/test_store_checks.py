"""MLflow's store: absent, right, damaged, and of another version."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from srcnn.errors import SearchError
from srcnn.tuning.doctor.store_checks import stores

from past_store import PastStore


def test_no_store_yet_and_a_store(tmp_path: Path) -> None:
    uri, storage = f"sqlite:///{tmp_path / 'none.db'}", str(tmp_path / "ray")
    assert "no store at" in stores(uri, storage).text
    assert not (tmp_path / "none.db").exists()
    store = PastStore(tmp_path)
    store.open("earlier")
    store.close()
    seen = stores(store.uri, storage)
    assert seen.figures == {"runs": 1, "kept": 0}
    file = Path(store.uri.removeprefix("sqlite:///"))
    old = tmp_path / "old.db"
    old.write_bytes(file.read_bytes())
    with sqlite3.connect(old) as database:
        database.execute("UPDATE alembic_version SET version_num = 'acf3f17fdcc7'")
    database.close()
    with pytest.raises(SearchError, match=r"tracking-uri: .*old\.db cannot be read: .*database schema"):
        stores(f"sqlite:///{old}", storage)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "bad.db").write_bytes(b"no database, but some text that is long enough" * 50)
    with pytest.raises(SearchError, match=r"tracking-uri: .*bad\.db cannot be read"):
        stores(f"sqlite:///{tmp_path / 'bad.db'}", str(tmp_path))
