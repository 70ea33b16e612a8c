"""Where an image may be fetched from."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_nb.remote.addresses import NotAllowed, Origin, check, literal, look_up, origin

PUBLIC = ["93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "198.18.0.7", "198.19.255.255", "::ffff:198.18.0.7"]
PRIVATE = [
    *["127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254"],
    *["100.64.0.1", "0.0.0.0", "192.0.2.1", "240.0.0.1", "255.255.255.255", "224.0.0.1"],
    *["::1", "::", "fc00::1", "fd12::1", "fe80::1", "ff02::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1"],
    *["::ffff:169.254.169.254", "2002:7f00:1::", "2002:a00:1::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"],
    *["::a00:1", "::ffff:0:a00:1", "fec0::1", "64:ff9b:1::a00:1", "4000::1"],
]
API = Origin("https", "api.example.com", 443)
LOCAL_API = Origin("http", "127.0.0.1", 8000)
API_IS_PUBLIC = [ipaddress.ip_address("93.184.216.1")]


def addresses(*texts):
    return [ipaddress.ip_address(text) for text in texts]


def allowed(target, found, api=API, own=API_IS_PUBLIC, came_from=None):
    try:
        check(target, found, api, own, came_from=came_from)
    except NotAllowed:
        return False
    return True


class TestOrigin:
    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("https://a.example/x?y#z", ("https", "a.example", 443)),
            ("http://a.example", ("http", "a.example", 80)),
            ("HTTPS://A.Example:8443/", ("https", "a.example", 8443)),
            ("https://[2606:4700::1111]:444/x", ("https", "2606:4700::1111", 444)),
            ("http://127.0.0.1:8000", ("http", "127.0.0.1", 8000)),
        ],
    )
    def test_of_a_url(self, url, expected):
        assert origin(url) == expected

    @pytest.mark.parametrize(
        "url",
        [
            *["", "x", "/images/0.png", "//a.example/x", "ftp://a.example/x", "file:///etc/passwd", "data:image/png,x"],
            *[
                "https://",
                "https:///x",
                "https://:443/",
                "https://a:99999/",
                "https://a:port/",
                "https://[::1/",
                "javascript:1",
            ],
        ],
    )
    def test_of_what_is_no_url(self, url):
        with pytest.raises(NotAllowed):
            origin(url)

    @pytest.mark.parametrize(
        "url",
        ["https://user@a.example/", "https://user:pw@a.example/", "https://:pw@a.example/", "https://@a.example/"],
    )
    def test_a_user_name_is_refused(self, url):
        with pytest.raises(NotAllowed, match="user name"):
            origin(url)

    @given(st.text())
    def test_never_raises_anything_else(self, text):
        for url in (text, f"https://{text}", f"http://{text}/x"):
            try:
                found = origin(url)
            except NotAllowed:
                continue
            assert found.scheme in ("http", "https")
            assert found.host
            assert 0 < found.port < 65536


class TestFirstAddress:
    """What the gateway itself named."""

    @pytest.mark.parametrize("address", PUBLIC)
    def test_public(self, address):
        assert allowed(Origin("https", "cdn.example.com", 443), addresses(address))

    @pytest.mark.parametrize("address", PRIVATE)
    def test_private(self, address):
        assert not allowed(Origin("https", "cdn.example.com", 443), addresses(address))

    @pytest.mark.parametrize("address", PRIVATE)
    def test_one_private_among_public(self, address):
        assert not allowed(Origin("https", "cdn.example.com", 443), addresses("93.184.216.34", address))
        assert not allowed(Origin("https", "cdn.example.com", 443), addresses(address, "93.184.216.34"))

    @pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "::1", "fd12::1", "127.0.0.1"])
    def test_private_is_fine_where_the_api_is(self, address):
        own = addresses(address)
        assert allowed(Origin("https", "images.lan", 8443), own, Origin("https", "api.lan", 443), own)
        assert not allowed(Origin("https", "x.lan", 443), addresses("10.9.9.9"), Origin("https", "api.lan", 443), own)

    def test_http_only_on_loopback(self):
        assert not allowed(Origin("http", "cdn.example.com", 80), addresses("93.184.216.34"))
        assert not allowed(Origin("http", "10.0.0.1", 80), addresses("10.0.0.1"), own=addresses("10.0.0.1"))
        assert allowed(Origin("http", "127.0.0.1", 9000), addresses("127.0.0.1"), LOCAL_API, addresses("127.0.0.1"))
        assert not allowed(Origin("http", "127.0.0.1", 9000), addresses("127.0.0.1"))
        both = addresses("127.0.0.1", "93.184.216.34")
        assert not allowed(Origin("http", "x", 80), both, LOCAL_API, both)

    def test_behind_a_proxy_only_what_is_written_out_is_known(self):
        assert allowed(Origin("https", "cdn.example.com", 443), [], own=[])
        assert not allowed(Origin("http", "cdn.example.com", 80), [], own=[])


class TestRedirects:
    HERE = Origin("https", "cdn.example.com", 443)
    LOCAL = addresses("127.0.0.1")

    def test_to_another_public_host(self):
        assert allowed(Origin("https", "b.example.com", 443), addresses("93.184.216.34"), came_from=self.HERE)

    def test_to_another_scheme(self):
        for before, after in (("https", "http"), ("http", "https")):
            came_from = Origin(before, "127.0.0.1", 8000)
            target = Origin(after, "127.0.0.1", 8000)
            assert not allowed(target, self.LOCAL, LOCAL_API, self.LOCAL, came_from=came_from)

    @pytest.mark.parametrize("address", PRIVATE)
    def test_to_a_private_address(self, address):
        assert not allowed(Origin("https", "x.example.com", 443), addresses(address), came_from=self.HERE)

    def test_to_another_port_of_this_machine(self):
        came_from = Origin("http", "127.0.0.1", 9000)
        assert not allowed(Origin("http", "127.0.0.1", 22), self.LOCAL, LOCAL_API, self.LOCAL, came_from=came_from)

    def test_within_the_image_server_or_to_the_api_itself(self):
        came_from = Origin("http", "127.0.0.1", 9000)
        assert allowed(came_from, self.LOCAL, LOCAL_API, self.LOCAL, came_from=came_from)
        assert allowed(LOCAL_API, self.LOCAL, LOCAL_API, self.LOCAL, came_from=came_from)

    def test_to_the_name_of_the_api_that_points_elsewhere(self):
        elsewhere = addresses("10.0.0.5")
        assert not allowed(API, elsewhere, API, API_IS_PUBLIC, came_from=self.HERE)


class TestNames:
    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            ("127.0.0.1", ["127.0.0.1"]),
            ("::1", ["::1"]),
            ("localhost", ["127.0.0.1"]),
            ("LocalHost.", ["127.0.0.1"]),
            ("example.com", []),
            ("127.1", ["127.0.0.1"]),
            ("0x7f000001", ["127.0.0.1"]),
            ("10.0.0.1.", ["10.0.0.1"]),
            ("x.localhost", ["127.0.0.1"]),
            ("localhost.example.com", []),
            ("1.2.3.4.example.com", []),
            ("a\0b", []),
        ],
    )
    def test_literal(self, host, expected):
        assert literal(host) == addresses(*expected)

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001"])
    def test_odd_spellings_are_seen_for_what_they_are(self, host):
        assert look_up(host, 80) == addresses("127.0.0.1")

    def test_unknown(self):
        with pytest.raises(OSError, match=r".+"):
            look_up("no-such-host.invalid", 80)

    def test_one_that_cannot_be_a_name(self):
        with pytest.raises(OSError, match=r".+"):
            look_up("a" * 70 + ".example.com", 443)
