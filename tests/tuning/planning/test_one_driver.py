"""One driver for a search: what is refused, and when."""

from __future__ import annotations

from pathlib import Path

import pytest

from srcnn.errors import SearchExistsError, SearchRunningError
from srcnn.system.folder_lock import LOCK_FILE
from srcnn.tuning.planning.one_driver import check_free, only_driver
from srcnn.tuning.planning.settings import SearchSettings, has_begun, save_settings


def settings(storage: Path) -> SearchSettings:
    return SearchSettings(name="a", storage=str(storage))


def test_a_new_search_is_free_until_it_runs_or_exists(tmp_path: Path) -> None:
    one = settings(tmp_path)
    check_free(one, resume=False)
    assert list(tmp_path.iterdir()) == []
    with only_driver(one, resume=False):
        assert not has_begun(one.folder)  # the lock alone is no search
        for resume in (False, True):
            with pytest.raises(SearchRunningError, match=r"^name: the search a is running already: process \d+ on "):
                check_free(one, resume=resume)
            with pytest.raises(SearchRunningError), only_driver(one, resume=resume):
                pass
        save_settings(one)
    with pytest.raises(SearchExistsError, match=r"^name: a search a exists; add --resume a to continue it$"):
        check_free(one, resume=False)
    check_free(one, resume=True)


def test_a_search_that_another_process_ran_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    one = settings(tmp_path)
    check_free(one, resume=False)
    save_settings(one)  # another process was faster
    with pytest.raises(SearchExistsError), only_driver(one, resume=False):
        pass


def test_a_start_that_failed_before_its_settings_leaves_the_name_free(tmp_path: Path) -> None:
    one = settings(tmp_path)
    with only_driver(one, resume=False):
        pass
    assert [file.name for file in one.folder.iterdir()] == [LOCK_FILE]
    check_free(one, resume=False)
