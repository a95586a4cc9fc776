"""Keys and certificates of one cluster, made fresh by openssl for each: nothing in a cluster is a fixed secret."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from e2e.cluster.commands import run
from e2e.cluster.paths import made

DAYS = "365"
NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


@dataclass(frozen=True)
class Subject:
    """Whom a certificate names: the user and group of a client, the addresses of a server."""

    user: str
    group: str = ""
    names: Sequence[str] = ()

    def line(self) -> str:
        """The subject as openssl takes it."""
        return (f"/O={self.group}" if self.group else "") + f"/CN={self.user}"

    def extensions(self) -> str:
        """Both usages: an API server is a client of etcd and of the kubelet as well."""
        lines = ["basicConstraints=CA:FALSE", "extendedKeyUsage=serverAuth,clientAuth"]
        if self.names:
            lines.append("subjectAltName=" + ",".join(alternative_name(name) for name in self.names))
        return "\n".join(lines) + "\n"


def alternative_name(name: str) -> str:
    """IP:… for an address, DNS:… for a name."""
    return f"IP:{name}" if name.replace(".", "").isdigit() else f"DNS:{name}"


class Authority:
    """The certificate authority of one cluster and the folder with all it signed."""

    def __init__(self, folder: Path) -> None:
        self.folder = made(folder, 0o700)

    def certificate(self, name: str) -> Path:
        """The certificate of that name."""
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        """The private key of that name."""
        return self.folder / f"{name}.key"

    def create(self) -> None:
        """Make the authority itself."""
        self.openssl(
            ["req", "-x509", "-subj", "/CN=coderag-cluster-ca"],
            [*NEW_KEY, "-days", DAYS, "-keyout", self.key("ca"), "-out", self.certificate("ca")],
        )

    def issue(self, name: str, subject: Subject) -> None:
        """Make a key and a certificate for it."""
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(subject.extensions())
        self.openssl(["req", *NEW_KEY, "-subj", subject.line(), "-keyout", self.key(name), "-out", request])
        self.openssl(
            [
                "x509",
                "-req",
                "-in",
                request,
                "-CA",
                self.certificate("ca"),
                "-CAkey",
                self.key("ca"),
                "-CAcreateserial",
            ],
            ["-days", DAYS, "-extfile", extensions, "-out", self.certificate(name)],
        )
        request.unlink()
        extensions.unlink()

    def signing_pair(self, name: str) -> None:
        """Make a bare key pair: NAME.key and NAME.pub."""
        self.openssl(["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.key(name)])
        self.openssl(["ec", "-in", self.key(name), "-pubout", "-out", self.folder / f"{name}.pub"])

    def openssl(self, *parts: Sequence[str | Path]) -> None:
        """Run openssl; files it makes are for their owner only, because the folder is."""
        run(["openssl", *chain(*parts)], what="making the cluster's certificates", timeout=30)
