from __future__ import annotations

from pathlib import Path

import pytest

from monitor import resources

ROOT = Path(__file__).resolve().parents[1]


def test_a_checkout_has_its_migrations_beside_the_package():
    assert resources.migrations_path() == ROOT / "migrations"
    assert (resources.migrations_path() / "env.py").is_file()


def test_an_installed_package_finds_what_lies_inside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "monitor")
    (tmp_path / "monitor/store/migrations").mkdir(parents=True)
    (tmp_path / "migrations").mkdir()  # another distribution's
    assert resources.migrations_path() == tmp_path / "monitor/store/migrations"


def test_an_incomplete_installation_says_what_is_missing_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "monitor")
    with pytest.raises(FileNotFoundError, match=r"connwatch\.service: .*install connwatch"):
        resources.unit_file()
