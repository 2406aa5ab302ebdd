import http.server
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import select

from service.audit.events import CatalogFinished
from service.errors import ServiceError
from service.runtime import Runtime
from service.settings import Settings
from service.webhooks import addresses
from service.webhooks.addresses import Target, is_public, targets
from service.webhooks.models import Delivery, Webhook
from service.webhooks.outbox import announce
from service.webhooks.sending import Sender

PUBLIC = ("1.1.1.1", "223.5.5.5", "8.8.8.8", "2400:3200::1", "2606:4700:4700::1111")
NOT_PUBLIC = (
    "0.0.0.0",
    "0.1.2.3",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.9.9.9",
    "168.63.129.16",
    "169.254.0.23",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:1.1.1.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::1.1.1.1",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:101:101::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "ff02::1",
)


def strict(*hosts: str) -> Settings:
    return Settings(environment="development", webhook_hosts=hosts)


def answering(monkeypatch: pytest.MonkeyPatch, *found: str) -> list[tuple[str, int]]:
    """Every name stands for these addresses; gives the look-ups that are made."""
    asked = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return list(found)

    monkeypatch.setattr(addresses, "resolve", resolve)
    return asked


def refused(url: str, settings: Settings) -> str:
    with pytest.raises(ServiceError) as caught:
        targets(url, settings)
    assert caught.value.code == "E440"
    return caught.value.chinese


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_are_public(address):
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_other_addresses_are_not(address, monkeypatch):
    assert not is_public(address)
    answering(monkeypatch, address)
    assert "内网" in refused("https://hooks.example.cn/", strict("hooks.example.cn"))
    answering(monkeypatch, "1.1.1.1", address)
    assert "内网" in refused("https://hooks.example.cn/", strict("hooks.example.cn"))


@pytest.mark.parametrize("address", [address for address in NOT_PUBLIC if "%" not in address])
def test_nor_may_they_be_written_into_the_url(address):
    host = f"[{address}]" if ":" in address else address
    assert "内网" in refused(f"https://{host}/", strict(host))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_in_the_url_needs_no_look_up(address, monkeypatch):
    asked = answering(monkeypatch)
    host = f"[{address}]" if ":" in address else address
    assert targets(f"https://{host}/a?b=c", strict(host)) == [Target(f"https://{host}:443/a?b=c", host, address)]
    assert asked == []


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "017700000001",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "127.0.0.1.",
        "1.1.1.1.",
        "01.1.1.1",
        "256.1.1.1",
        "1.1.1",
        "hooks.1",
        "0x",
        "[::1",
        "[1.1.1.1]x",
        "[fe80::1%lo]",
        "[::ffff:127.0.0.1%25]",
        "[:::]",
    ],
)
@pytest.mark.parametrize("allow_private", [False, True])
def test_other_ways_to_write_an_address_are_refused(host, allow_private, monkeypatch):
    asked = answering(monkeypatch, "1.1.1.1")
    settings = strict(host, host.strip("[]")).model_copy(update={"webhook_allow_private": allow_private})
    refused(f"https://{host}/", settings)
    assert asked == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.cn",
        "//hooks.example.cn/",
        "ftp://hooks.example.cn/",
        "file:///etc/passwd",
        "gopher://hooks.example.cn/",
        "https:hooks.example.cn",
        "https:///hooks.example.cn",
        "https://user@hooks.example.cn/",
        "https://user:word@hooks.example.cn/",
        "https://hooks.example.cn@127.0.0.1/",
        "https://127.0.0.1#@hooks.example.cn/",
        "https://hooks.example.cn#x",
        "https://hooks.example.cn/a#x",
        "https://127.0.0.1\\@hooks.example.cn/",
        "https://hooks.example.cn\\.evil.cn/",
        "https://hooks.example.cn/a\\b",
        "https://hooks.example.cn:0/",
        "https://hooks.example.cn:/",
        "https://hooks.example.cn:0443/",
        "https://hooks.example.cn:65536/",
        "https://hooks.example.cn:443:80/",
        "https://hooks.example.cn:٤٤٣/",
        "https://hooks.example.cn:-1/",
        "https://hooks.example.cn:22/",
        "https://hooks.example.cn:6379/",
        "https://hooks.example.cn./",
        "https://hooks。example。cn/",
        "https://ｈooks.example.cn/",
        "https://%68ooks.example.cn/",
        "https://hooks.example.cn/路径",
        "https://hooks.example.cn/a b",
        "https://hooks.example.cn/a\r\nX-Injected: 1",
        "https://hooks.example.cn/\0",
        " https://hooks.example.cn/",
        "https://hooks.example.cn/\n",
        "http://hooks.example.cn/",
        "https://evil.cn/?hooks.example.cn",
        "https://hooks.example.cn.evil.cn/",
        "https://xhooks.example.cn/",
        "https://example.cn/",
        "https://a.hooks.example.cn/",
    ],
)
def test_only_a_plain_address_of_an_allowed_host_will_do(url, monkeypatch):
    asked = answering(monkeypatch, "1.1.1.1")
    refused(url, strict("hooks.example.cn"))
    assert asked == []


def test_a_leading_dot_allows_subdomains_and_a_port_has_to_be_named(monkeypatch):
    asked = answering(monkeypatch, "1.1.1.1", "2400:3200::1")
    settings = strict(".Example.cn", "hooks.other.cn:8443")
    assert targets("HTTPS://A.b.EXAMPLE.cn/In", settings) == [
        Target("https://1.1.1.1:443/In", "a.b.example.cn", "a.b.example.cn"),
        Target("https://[2400:3200::1]:443/In", "a.b.example.cn", "a.b.example.cn"),
    ]
    assert targets("https://hooks.other.cn:8443", settings)[0] == Target("https://1.1.1.1:8443", "hooks.other.cn:8443", "hooks.other.cn")
    assert asked == [("a.b.example.cn", 443), ("hooks.other.cn", 8443)]
    for url in (
        "https://example.cn/",
        "https://badexample.cn/",
        "https://a.example.cn:8443/",
        "https://hooks.other.cn/",
        "https://hooks.other.cn:18443/",
    ):
        refused(url, settings)


def test_private_addresses_may_be_allowed_but_only_of_listed_hosts(monkeypatch):
    answering(monkeypatch, "10.0.0.7")
    settings = strict("hooks.intra").model_copy(update={"webhook_allow_private": True})
    assert targets("http://hooks.intra:8080/", settings) == [Target("http://10.0.0.7:8080/", "hooks.intra:8080", "hooks.intra")]
    refused("http://169.254.169.254/latest/meta-data/", settings)
    refused("http://127.0.0.1:8080/", settings)


def test_nothing_is_allowed_by_default(monkeypatch):
    asked = answering(monkeypatch, "1.1.1.1")
    refused("https://hooks.example.cn/", strict())
    assert asked == []


@pytest.mark.parametrize("host", ["localhost", "ip6-localhost", "a..b", "a" * 64 + ".cn"])
def test_names_are_looked_up_as_the_system_does(host):
    refused(f"https://{host}/", strict(host))


@dataclass
class TlsReceiver:
    """An HTTPS server on 127.0.0.1 with a certificate for one name, and what it was asked."""

    authority: Path
    port: int = 0
    names: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)


@pytest.fixture
def tls_receiver(tmp_path: Path) -> Iterator[TlsReceiver]:
    certificate = tmp_path / "receiver.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    alternatives = x509.SubjectAlternativeName([x509.DNSName("hooks.example.cn"), x509.IPAddress(ipaddress.ip_address("127.0.0.2"))])
    moment = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), moment, moment + timedelta(days=1))
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    certificate.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    receiver = TlsReceiver(certificate)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.hosts.append(self.headers["Host"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _socket, asked, _context: receiver.names.append(asked)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None
    server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield receiver
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"webhook_hosts": (".example.cn",), "webhook_allow_private": True})


def send(runtime: Runtime, url: str) -> Delivery:
    with runtime.database.writing() as session:
        session.add(Webhook(url=url, event_types=["catalog.finished"], created_by="test"))
        session.flush()
        announce(session, CatalogFinished("c-1", "330702"))
    Sender(runtime).step()
    with runtime.database.reading() as session:
        return session.scalars(select(Delivery)).one()


def test_the_connection_goes_to_the_address_that_was_checked(runtime, tls_receiver, monkeypatch):
    """The name is looked up once; TLS and the Host header still speak of the name, and the certificate is that of the name."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_receiver.authority))
    for variable in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    asked = answering(monkeypatch, "127.0.0.1")
    looked_up = []
    system = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: looked_up.append(host) or system(host, *rest, **more))
    delivery = send(runtime, f"https://hooks.example.cn:{tls_receiver.port}/in")
    assert (delivery.state, delivery.last_error) == ("delivered", "")
    assert asked == [("hooks.example.cn", tls_receiver.port)]
    assert "hooks.example.cn" not in [host.decode() if isinstance(host, bytes) else host for host in looked_up]
    assert tls_receiver.names == ["hooks.example.cn"] and tls_receiver.hosts == [f"hooks.example.cn:{tls_receiver.port}"]


def test_a_certificate_for_another_name_is_refused(runtime, tls_receiver, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_receiver.authority))
    answering(monkeypatch, "127.0.0.1")
    delivery = send(runtime, f"https://other.example.cn:{tls_receiver.port}/in")
    assert delivery.state == "pending" and "CERTIFICATE_VERIFY_FAILED" in delivery.last_error
    assert tls_receiver.hosts == []


def test_an_unknown_authority_is_refused(runtime, tls_receiver, monkeypatch):
    answering(monkeypatch, "127.0.0.1")
    delivery = send(runtime, f"https://hooks.example.cn:{tls_receiver.port}/in")
    assert delivery.state == "pending" and "CERTIFICATE_VERIFY_FAILED" in delivery.last_error


def test_a_name_that_turns_private_is_not_connected_to(runtime, tls_receiver, monkeypatch):
    """Rebinding: public when the webhook was made, private when a notice is sent."""
    strict_settings = runtime.settings.model_copy(
        update={"webhook_allow_private": False, "webhook_hosts": (f".example.cn:{tls_receiver.port}",)}
    )
    monkeypatch.setattr(runtime, "settings", strict_settings)
    url = f"https://hooks.example.cn:{tls_receiver.port}/in"
    answering(monkeypatch, "1.1.1.1")
    targets(url, strict_settings)
    answering(monkeypatch, "127.0.0.1")
    delivery = send(runtime, url)
    assert delivery.state == "pending" and "E440" in delivery.last_error and tls_receiver.names == []
