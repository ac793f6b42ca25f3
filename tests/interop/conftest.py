"""Fixtures of the interop tests."""
import pytest

import runs


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    if runs.DATA:
        runs.real_photos(folder)
    else:
        runs.generated_photos(folder)
    return folder
