"""What of this machine's package settings reaches a build."""

import stat
from pathlib import Path

import pytest

from e2e.cluster import host_settings

LISTING = """\
:env:.cert='/a/bundle.crt'
:env:.default-timeout='180'
global.index-url='https://user:secret@example.test/simple'
global.timeout='5'
install.no-index='true'
freeze.all='true'
"""


def test_the_environment_wins_and_other_commands_do_not_count() -> None:
    found = host_settings.pip_settings(LISTING + ":env:.index-url='https://example.org/simple'\n")
    assert found["index-url"] == "https://example.org/simple"
    assert "all" not in found


def test_a_build_gets_the_index_and_its_own_path_of_the_certificates() -> None:
    text = host_settings.pip_conf(host_settings.pip_settings(LISTING), certificates=True)
    assert "index-url = https://user:secret@example.test/simple" in text
    assert "cert = /etc/ssl/certs/ca-certificates.crt" in text
    assert "/a/bundle.crt" not in text


def test_only_folders_that_exist_are_lent(tmp_path: Path) -> None:
    settings = {"find-links": f"{tmp_path} /nonexistent https://example.org/links"}
    assert host_settings.local_folders(settings) == [str(tmp_path)]
    assert f"find-links = {tmp_path}\n" in host_settings.pip_conf(settings, certificates=False)


def test_no_settings_make_an_empty_configuration() -> None:
    assert host_settings.pip_conf({}, certificates=False) == "[global]\ndisable-pip-version-check = true\n"


def test_apt_keeps_proxies_and_nothing_else() -> None:
    dump = 'Acquire::http "";\nAcquire::http::Proxy "http://proxy.test:3128";\nDir "/";\nAcquire::Languages "none";\n'
    assert host_settings.apt_conf(dump) == 'Acquire::http::Proxy "http://proxy.test:3128";\n'


def test_settings_are_mounted_read_only_and_private(tmp_path: Path) -> None:
    mounts = host_settings.mounts(tmp_path)
    assert all(mount.endswith(":ro") for mount in mounts)
    assert stat.S_IMODE((tmp_path / "pip.conf").stat().st_mode) == 0o600


def test_a_tool_that_is_not_there_says_nothing() -> None:
    assert host_settings.ask(["no-such-tool-anywhere"]) == ""


def test_the_bundle_named_by_the_environment_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "bundle.crt"
    bundle.touch()
    monkeypatch.setenv("PIP_CERT", str(bundle))
    assert host_settings.bundle() == bundle
