"""The same repositories over ssh, by the real sshd without privileges: started when a test brings its first public key.

Only git's own commands run, and the keys of the host and of those who may come in lie in a folder of the stand-in's.
"""

import subprocess
import threading
from pathlib import Path

SSHD = "/usr/sbin/sshd"
PORT = 8083
STARTING = threading.Lock()
CONFIGURATION = """
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized_keys
AuthenticationMethods publickey
StrictModes no
PidFile none
UsePAM no
ForceCommand git-shell -c "$SSH_ORIGINAL_COMMAND"
"""


def admit(folder: Path, public_key: str) -> str:
    """Let the holder of a key in from now on; return the host's own public key.

    Raises CalledProcessError when the key is not one, OSError where there is no sshd.
    """
    folder.mkdir(parents=True, exist_ok=True)
    host = folder / "host"
    with STARTING:
        subprocess.run(["ssh-keygen", "-l", "-f", "-"], input=public_key, check=True, capture_output=True, text=True)
        (folder / "authorized_keys").write_text(f"restrict {public_key.strip()}\n")
        if not host.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host], check=True)
            start(folder)
    return " ".join(host.with_suffix(".pub").read_text().split()[:2])


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Run sshd, which says on standard error who came and what was refused."""
    configuration = folder / "sshd_config"
    configuration.write_text(CONFIGURATION.format(folder=folder))
    return subprocess.Popen([SSHD, "-D", "-e", "-p", str(PORT), "-f", configuration])
