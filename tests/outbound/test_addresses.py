"""Addresses: nothing private, local or reserved passes, however it is dressed up."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_master.outbound.addresses import is_allowed, is_public, refused

PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3ffe::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "198.17.255.255",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2400:cb00::1",
    "2606:4700::1111",
    "64:ff9b::8.8.8.8",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_local_or_reserved_address_is_refused(address: str) -> None:
    assert not is_public(ip_address(address))
    assert refused(["8.8.8.8", address], []) == [address]


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_in_the_internet_is_not(address: str) -> None:
    assert is_public(ip_address(address))


@given(st.ip_addresses(v=4))
def test_nothing_passes_that_python_knows_to_be_special(address: IPv4Address) -> None:
    if not address.is_global or address.is_multicast or address.is_reserved:
        # Python's table says nothing of the two blocks of 192.0.0.0/24 that are global anycast.
        assert not is_public(address)


@given(st.ip_addresses(v=6))
def test_nothing_passes_that_python_knows_to_be_special_in_ipv6(address: IPv6Address) -> None:
    if address not in ip_network("64:ff9b::/96") and (
        not address.is_global or address.is_multicast or address.is_reserved or address.is_site_local
    ):
        assert not is_public(address)


@given(st.ip_addresses(v=4))
def test_an_ipv6_address_that_hides_an_ipv4_one_is_never_better_than_it(hidden: IPv4Address) -> None:
    number = int(hidden)
    mapped, compatible = IPv6Address(0xFFFF << 32 | number), IPv6Address(number)
    six_to_four = IPv6Address(0x2002 << 112 | number << 80 | 1)
    teredo = IPv6Address(0x20010000 << 96 | (number ^ 0xFFFFFFFF))
    nat64 = IPv6Address(0x64FF9B << 96 | number)
    assert not any(map(is_public, (mapped, compatible, six_to_four, teredo)))
    assert is_public(nat64) == is_public(hidden)


def test_a_network_that_is_allowed_passes_and_its_neighbours_do_not() -> None:
    allow = [ip_network("10.1.0.0/16"), ip_network("fd12::/16")]
    assert is_allowed(ip_address("10.1.2.3"), allow)
    assert is_allowed(ip_address("::ffff:10.1.2.3"), allow)
    assert is_allowed(ip_address("fd12::1"), allow)
    assert not is_allowed(ip_address("10.2.0.1"), allow)
    assert not is_allowed(ip_address("fd13::1"), allow)
