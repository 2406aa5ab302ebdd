"""Where notices may go: to allowed hosts only, and never into the private network by way of a name.

A name is looked up once, here; the connection then goes to the very address that was checked, so that a name which
changes its mind between the check and the connection gains nothing. Checked when a webhook is written and at every sending.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass

from service.errors import ServiceError
from service.settings import Settings

_URL = re.compile(r"(https?)://(\[[\da-f:.]+\]|[a-z\d._-]{1,253})(?::([1-9]\d{0,4}))?((?:[/?][!-~]*)?)", re.ASCII | re.IGNORECASE)
_NUMERIC = re.compile(r"(?:.*\.)?(?:\d+|0x[\da-f]*)\.?", re.ASCII)
_PORTS = {"http": 80, "https": 443}

_UNICAST = ipaddress.ip_network("2000::/3")
_NEVER = tuple(
    ipaddress.ip_network(block)
    for block in (
        "168.63.129.16/32",  # Azure's metadata and host service, on a public address
        "192.0.0.0/24",  # protocol assignments, Oracle's metadata among them
        "192.88.99.0/24",  # relays of 6to4
        "2001::/32",  # Teredo: an IPv4 address in IPv6
        "2002::/16",  # 6to4: likewise
        "3fff::/20",  # documentation
    )
)


@dataclass(frozen=True, slots=True)
class Target:
    """One checked address of a webhook. `url` holds it in place of the host; `host`: the Host header; `name`: TLS asks for it."""

    url: str
    host: str
    name: str


def resolve(host: str, port: int) -> list[str]:
    """Every address of a host, those that the system prefers first. Raises OSError, UnicodeError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def targets(url: str, settings: Settings) -> list[Target]:
    """The addresses of a webhook's URL, all of them checked. Raises ServiceError E440 where the URL or any address is refused."""
    match = _URL.fullmatch(url)
    if match is None or "#" in url or "\\" in url:
        raise _refused(url, "应为 http(s)://主机[:端口]/路径，不含用户名、片段或非 ASCII 字符 not a plain http(s) address")
    scheme, host, path = match[1].lower(), match[2].lower(), match[4]
    port = int(match[3] or _PORTS[scheme])
    if port > 65535:
        raise _refused(host, f"端口 {port} no such port")
    if scheme != "https" and not settings.webhook_allow_private:
        raise _refused(host, "不是 https not https")
    if not _is_listed(host, port, usual=port == _PORTS[scheme], settings=settings):
        raise _refused(f"{host}:{port}", "不在允许的主机之列 not an allowed host")
    literal = _literal(host)
    addresses = [literal] if literal else _looked_up(host, port)
    if not settings.webhook_allow_private and not all(map(is_public, addresses)):
        raise _refused(host, "指向内网、本机或元数据地址 a private, local or metadata address")
    header = host if port == _PORTS[scheme] else f"{host}:{port}"
    places = [f"[{address}]" if ":" in address else address for address in addresses]
    return [Target(f"{scheme}://{place}:{port}{path}", header, host.strip("[]")) for place in places]


def is_public(address: str) -> bool:
    """Whether an address is a machine of the open internet, reached as what it is.

    IPv6 beyond global unicast is refused as a whole: loopback, link-local, unique and site-local, multicast, and the forms
    that stand for an IPv4 address (mapped, compatible, NAT64).
    """
    parsed = ipaddress.ip_address(address)
    if parsed.version == 6 and parsed not in _UNICAST:
        return False
    return parsed.is_global and not parsed.is_multicast and not any(parsed in block for block in _NEVER)


def _is_listed(host: str, port: int, *, usual: bool, settings: Settings) -> bool:
    """Whether the settings name the host (for the scheme's usual port, or any where private ones are allowed) or host:port."""
    names = [f"{host}:{port}"]
    if usual or settings.webhook_allow_private:
        names.append(host)
    entries = [entry.lower() for entry in settings.webhook_hosts]
    return any(name == entry or (entry.startswith(".") and name.endswith(entry)) for name in names for entry in entries)


def _literal(host: str) -> str:
    """The address that a host is written as, empty for a name. Decimal, octal, hexadecimal and short forms are refused."""
    if not host.startswith("[") and not _NUMERIC.fullmatch(host):
        return ""
    try:
        return ipaddress.ip_address(host.strip("[]")).compressed
    except ValueError as error:
        raise _refused(host, "不是规范的 IP 地址 not a regular IP address") from error


def _looked_up(host: str, port: int) -> list[str]:
    try:
        return resolve(host, port)
    except (OSError, UnicodeError) as error:
        raise _refused(host, f"无法解析 cannot be looked up: {error}") from error


def _refused(what: str, why: str) -> ServiceError:
    return ServiceError("E440", found=f"{what[:200]}（{why}）")
