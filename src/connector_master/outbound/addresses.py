"""Addresses: which of them lie in the public internet, and so may be called at a user's word.

Only addresses that a name was resolved to are judged, never its spelling: `127.1`, `0x7f000001` and `localhost.` all
come out as the same address. The tables are IANA's special-purpose registries (RFC 6890 and later), and a little more.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_SPECIAL_4 = [
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers (CGNAT)
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, with the clouds' metadata
        "168.63.129.16/32",  # Azure's own services for its machines
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # class E, broadcast
    )
]
# Global unicast is this alone. Beyond it lie loopback, mapped and compatible IPv4, link-local, site-local, unique local,
# multicast, discard, segment routing.
_GLOBAL_6 = IPv6Network("2000::/3")
_SPECIAL_6 = [
    IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocol assignments: Teredo, ORCHID, benchmarking
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which hides an IPv4 address
        "3ffe::/16",  # the former 6bone
        "3fff::/20",  # documentation
    )
]
# A machine without IPv4 reaches the IPv4 internet through it (RFC 6052); what it hides is judged.
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Return whether `address` belongs to somebody in the public internet.

    >>> is_public(ip_address("93.184.216.34")), is_public(ip_address("::ffff:127.0.0.1"))
    (True, False)
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_4)
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _GLOBAL_6 and not any(address in network for network in _SPECIAL_6)


def is_allowed(address: Address, allow: Sequence[Network]) -> bool:
    """Return whether `address` may be called: a public one, or one in a network of `allow`.

    >>> is_allowed(ip_address("10.1.2.3"), [IPv4Network("10.1.0.0/16")])
    True
    """
    if is_public(address):
        return True
    plain = (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
    return any(plain in network for network in allow)


def refused(addresses: Iterable[str], allow: Sequence[Network]) -> list[str]:
    """Return those of `addresses` (as a resolver writes them, perhaps with a zone) that may not be called.

    >>> refused(["93.184.216.34", "fe80::1%eth0"], [])
    ['fe80::1%eth0']
    """
    return [text for text in addresses if not is_allowed(ip_address(text), allow)]
