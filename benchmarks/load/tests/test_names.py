"""A name of its own for the services, for one program only."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.load.names import NAME, hosts_with_name, own_address

PROGRAM = """
import socket, sys
from benchmarks.load.names import enter
name = enter(sys.argv)
print(name, socket.gethostbyname(name))
"""


def test_the_name_leads_to_this_machine_and_not_to_its_loopback():
    address = own_address()
    assert not address.startswith("127.")
    assert hosts_with_name("127.0.0.1 localhost\n\n", address) == f"127.0.0.1 localhost\n{address} {NAME}\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="a mount namespace needs root")
def test_the_program_starts_again_where_the_name_is_known_and_leaves_no_file_behind(tmp_path):
    program, scratch = tmp_path / "program.py", tmp_path / "scratch"
    program.write_text(PROGRAM)
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch), "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, program], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    name, address = done.stdout.split()
    assert (name, address.startswith("127.")) == (NAME, False)
    assert list(scratch.iterdir()) == []
