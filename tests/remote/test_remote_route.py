"""The way to a gateway, as httpx takes it and as it may be shown."""

import pytest

from kling_nb.remote.route import bare, route_to

URL = "https://api.example.com/kling"


@pytest.mark.parametrize(
    ("environment", "proxy", "named_by"),
    [
        ({}, "", "none is set"),
        ({"HTTPS_PROXY": "http://one.example:3128"}, "http://one.example:3128", "HTTPS_PROXY"),
        ({"https_proxy": "one.example:3128"}, "http://one.example:3128", "https_proxy"),
        ({"ALL_PROXY": "socks5://one.example"}, "socks5://one.example", "ALL_PROXY"),
        ({"HTTP_PROXY": "http://one.example:3128"}, "", "none is set"),
        ({"HTTPS_PROXY": "http://one", "NO_PROXY": "*"}, "", "NO_PROXY leaves this host out"),
        ({"HTTPS_PROXY": "http://one", "NO_PROXY": "x, example.com"}, "", "NO_PROXY leaves this host out"),
        ({"HTTPS_PROXY": "http://one", "NO_PROXY": ".example.com"}, "", "NO_PROXY leaves this host out"),
        ({"HTTPS_PROXY": "http://one", "NO_PROXY": "ample.com,"}, "http://one", "HTTPS_PROXY"),
    ],
)
def test_the_proxy_that_is_asked(monkeypatch, environment, proxy, named_by):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert route_to(URL)[:2] == (proxy, named_by)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:pass@host:8080/path?key=secret", "http://host:8080"),
        ("user:pass@host:8080", "http://host:8080"),
        ("http://pa@ss:wo@rd@host", "http://host"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://host:port", "an address that cannot be read"),
        ("http://[", "an address that cannot be read"),
        ("//", "an address that cannot be read"),
    ],
)
def test_nothing_but_scheme_host_and_port_is_shown(url, shown):
    assert bare(url) == shown


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_whose_certificates_are_trusted(monkeypatch, name):
    for each in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(each, raising=False)
    assert route_to(URL).certificates.startswith("certifi")
    assert route_to("http://127.0.0.1:8000").certificates == ""
    monkeypatch.setenv(name, "/etc/ca")
    assert route_to(URL).certificates == f"those that {name} names (/etc/ca)"
