"""The container's processors, not the host's."""

import os

import pytest
from coderag_embedding import cpu


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("150000 100000", 1),
        ("50000 100000", 1),
        ("1600000 100000", 8),
        ("?", 8),
    ],
)
def test_a_version_2_limit_is_rounded_down_to_whole_processors(tmp_path, content, expected):
    (tmp_path / "cpu.max").write_text(content + "\n")
    assert cpu.cpu_limit(tmp_path) == expected


@pytest.mark.parametrize(("quota", "expected"), [("-1", 8), ("300000", 3)])
def test_a_version_1_limit_is_read(tmp_path, quota, expected):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota + "\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert cpu.cpu_limit(tmp_path) == expected


def test_without_a_control_group_every_processor_is_used(tmp_path):
    assert cpu.cpu_limit(tmp_path) == 8


def test_without_affinity_the_count_is_used(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert cpu.cpu_limit(tmp_path) == 3
