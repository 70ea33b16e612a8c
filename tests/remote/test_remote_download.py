"""Fetching images over real sockets: bit for bit, checked, bounded, and never with the key."""

import gzip
import hashlib
import ipaddress

import pytest

from kling_nb.remote import addresses
from kling_nb.remote import download as download_module
from kling_nb.remote.download import MAX_REDIRECTS, DownloadFailed
from kling_nb.sandbox import Sandbox

LOOPBACK = [ipaddress.ip_address("127.0.0.1")]


@pytest.fixture
def failure(downloader):
    """Fetch what must not come, and return why."""

    def fetch(url, base_url=None, **options):
        with pytest.raises(DownloadFailed) as caught:
            downloader(base_url or "http://127.0.0.1:1/kling", **options).fetch(url)
        assert "\n" not in str(caught.value)
        return caught.value

    return fetch


class TestGood:
    @pytest.mark.parametrize(
        ("kind", "media_type"),
        [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp"), ("GIF", "image/gif")],
    )
    @pytest.mark.parametrize("header", ["image/png", "text/html", "application/octet-stream"])
    def test_bit_for_bit_and_typed_by_content(
        self, gateway, downloader, answer, make_picture, kind, media_type, header
    ):
        data = make_picture(kind)
        server = gateway(answer(data, Content_Type=header))
        picture = downloader(server.base_url).fetch(f"{server.origin}/0.png")
        assert picture == (data, hashlib.sha256(data).hexdigest(), media_type, 40, 30)

    def test_the_request(self, gateway, downloader, answer, make_picture):
        server = gateway(answer(make_picture()))
        path = "/a%2Fb/0.png?X-Amz-Signature=ab%2Bc&x=1&empty="
        downloader(server.base_url).fetch(f"{server.origin}{path}#fragment")
        (seen,) = server.seen
        assert (seen.method, seen.target, seen.body) == ("GET", path, b"")
        assert seen.headers["host"] == f"127.0.0.1:{server.port}"
        assert seen.headers["accept-encoding"] == "identity"
        assert seen.headers["user-agent"].startswith("kling_nb/")
        assert "authorization" not in seen.headers
        assert "cookie" not in seen.headers

    def test_from_the_sandbox_without_the_key(self, tmp_path, client, downloader):
        with Sandbox(tmp_path, seconds=0) as sandbox:
            one, images = client(sandbox.base_url), downloader(sandbox.base_url)
            body = b'{"model_name":"kling-v2","subject_image_list":[{"subject_image":"https://e.com/a.png"}],"n":2}'
            task = one.query(one.create(body).task_id)
            fetched = [images.fetch(image.url) for image in task.images]
            assert len({picture.sha256 for picture in fetched}) == 2
            assert all((picture.width, picture.height) == (1344, 756) for picture in fetched)
            at_images = [seen for seen in sandbox.requests if seen.origin == "images"]
            assert len(at_images) == 2
            assert all("authorization" not in seen.headers for seen in at_images)
            assert all("authorization" in seen.headers for seen in sandbox.requests if seen.origin == "api")
            one.close()
            images.close()

    def test_compressed_although_not_asked_for(self, gateway, downloader, answer, make_picture):
        data = make_picture()
        server = gateway(answer(gzip.compress(data), Content_Encoding="gzip"))
        assert downloader(server.base_url).fetch(f"{server.origin}/0").data == data

    def test_slow_but_whole(self, gateway, downloader, answer, make_picture):
        data = make_picture()

        def drip(_, connection):
            whole = answer(data)
            for start in range(0, len(whole), 500):
                connection.sendall(whole[start : start + 500])

        server = gateway(drip)
        assert downloader(server.base_url, timeout=20).fetch(f"{server.origin}/0").data == data

    def test_proxies_are_not_asked_for_this_machine(
        self, gateway, downloader, answer, make_picture, monkeypatch, unused_port
    ):
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port}")
        server = gateway(answer(make_picture()))
        assert downloader(server.base_url).fetch(f"{server.origin}/0").width == 40


class TestNoImage:
    def test_html(self, gateway, answer, failure):
        server = gateway(answer(b"<!DOCTYPE html><title>Sign in</title>", Content_Type="image/png"))
        error = failure(f"{server.origin}/0.png")
        assert str(error) == "is an HTML page, not an image"
        assert (error.again, error.stale) == (True, False)

    @pytest.mark.parametrize("body", [b"", b"{}", b"<svg/>", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff"])
    def test_other_things(self, gateway, answer, failure, body):
        assert failure(f"{gateway(answer(body)).origin}/0.png").again

    @pytest.mark.parametrize("kind", ["PNG", "JPEG"])
    def test_cut_off_with_a_length_that_fits(self, gateway, answer, failure, make_picture, kind):
        data = make_picture(kind, 200, 200)
        for part in (0.3, 0.9):
            error = failure(f"{gateway(answer(data[: int(len(data) * part)])).origin}/0")
            assert "cut off or damaged" in str(error)
            assert error.again

    def test_cut_off_with_a_length_that_does_not(self, gateway, answer, failure, make_picture):
        data = make_picture()
        error = failure(f"{gateway(answer(data, length=len(data) + 7)).origin}/0")
        assert str(error).startswith("did not come (")
        assert error.again

    def test_reset(self, gateway, failure, hang_up):
        error = failure(f"{gateway(lambda _, connection: hang_up(connection)).origin}/0")
        assert (error.again, error.stale) == (True, False)

    def test_no_http(self, gateway, failure):
        assert failure(f"{gateway(b'220 smtp.example.com').origin}/0").again

    def test_nobody_there(self, failure, unused_port):
        assert failure(f"http://127.0.0.1:{unused_port}/0").again

    def test_a_bomb(self, tmp_path, failure, monkeypatch, client):
        with Sandbox(tmp_path, seconds=0, images="constant") as sandbox:
            one = client(sandbox.base_url)
            body = b'{"model_name":"kling-v2","subject_image_list":[{"subject_image":"https://e.com/a.png"}],"n":1}'
            (image,) = one.query(one.create(body).task_id).images
            sandbox.faults.add("image", "bomb")
            assert "over the limit of 100,000,000 pixels" in str(failure(image.url, sandbox.base_url))
            one.close()


class TestStatuses:
    @pytest.mark.parametrize("status", [401, 403, 404, 410])
    def test_gone(self, gateway, answer, failure, status):
        error = failure(f"{gateway(answer(b'<Error/>', status)).origin}/0")
        assert str(error) == f"is not served there (HTTP {status})"
        assert (error.again, error.stale) == (status in (403, 404), True)

    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
    def test_later(self, gateway, answer, failure, status, make_picture):
        error = failure(f"{gateway(answer(make_picture(), status)).origin}/0")
        assert (error.again, error.stale) == (True, False)

    @pytest.mark.parametrize("status", [204, 206, 304, 400, 405, 451])
    def test_never(self, gateway, answer, failure, status):
        error = failure(f"{gateway(answer(b'', status)).origin}/0")
        assert str(error) == f"was answered with HTTP {status}"
        assert (error.again, error.stale) == (False, False)

    @pytest.mark.parametrize("status", [300, 302, 307])
    def test_a_redirect_to_nowhere(self, gateway, answer, failure, status):
        assert not failure(f"{gateway(answer(b'', status)).origin}/0").again


class TestBounds:
    def test_larger_than_allowed_and_says_so(self, gateway, failure):
        server = gateway(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n\x89PNG")
        error = failure(f"{server.origin}/0", max_bytes=10_000)
        assert str(error) == "is larger than 10,000 bytes"
        assert not error.again

    @pytest.mark.parametrize("head", ["", "Transfer-Encoding: chunked\r\n"])
    def test_endless(self, gateway, failure, head):
        piece = b"10000\r\n" + b"\0" * 0x10000 + b"\r\n" if head else b"\0" * 0x10000

        def pour(_, connection):
            connection.sendall(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode())
            while True:
                connection.sendall(piece)

        error = failure(f"{gateway(pour).origin}/0", max_bytes=1_000_000)
        assert str(error) == "is larger than 1,000,000 bytes"

    def test_a_compressed_flood(self, gateway, answer, failure):
        server = gateway(answer(gzip.compress(bytes(30_000_000)), Content_Encoding="gzip"))
        assert str(failure(f"{server.origin}/0", max_bytes=1_000_000)) == "is larger than 1,000,000 bytes"

    def test_exactly_as_large_as_allowed(self, gateway, answer, downloader, failure, make_picture):
        data = make_picture()
        server = gateway(answer(data))
        assert downloader(server.base_url, max_bytes=len(data)).fetch(f"{server.origin}/0").data == data
        assert "larger" in str(failure(f"{server.origin}/0", max_bytes=len(data) - 1))

    def test_a_drip_ends_with_the_time_for_the_whole(self, gateway, failure):
        def drip(_, connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while not server.stopping.wait(0.02):
                connection.sendall(b"\0")

        server = gateway(drip)
        error = failure(f"{server.origin}/0", timeout=0.2)
        assert "did not come" in str(error)
        assert error.again

    @pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n\x89PNG"])
    def test_silence_ends_with_the_time_for_the_whole(self, gateway, failure, head):
        def say_nothing(_, connection):
            connection.sendall(head)
            server.stopping.wait(60)

        server = gateway(say_nothing)
        error = failure(f"{server.origin}/0", timeout=0.2)
        assert "did not come in time" in str(error)
        assert error.again

    def test_redirects_share_the_time(self, gateway, failure, answer):
        def slowly(_, connection):
            server.stopping.wait(0.15)
            return answer(b"", 302, Location="/again")

        server = gateway(slowly)
        error = failure(f"{server.origin}/0", timeout=0.2)
        assert "did not come" in str(error)
        assert len(server.seen) < MAX_REDIRECTS


class TestRedirects:
    def test_within_the_server(self, gateway, downloader, answer, make_picture):
        data = make_picture()
        pages = {
            "/a/0": answer(b"", 302, Location="../b/1?x=1"),
            "/b/1?x=1": answer(b"", 307, Location="/2", Set_Cookie="session=1"),
            "/2": answer(data),
        }
        server = gateway(lambda request, _: pages[request.target])
        assert downloader("http://127.0.0.1:1/kling").fetch(f"{server.origin}/a/0").data == data
        assert [seen.target for seen in server.seen] == ["/a/0", "/b/1?x=1", "/2"]

    def test_to_the_api_itself(self, gateway, downloader, answer, make_picture):
        api = gateway(answer(make_picture()))
        server = gateway(answer(b"", 302, Location=f"{api.origin}/image"))
        assert downloader(api.base_url).fetch(f"{server.origin}/0").width == 40
        assert "authorization" not in api.seen[0].headers

    def test_to_another_port_of_this_machine(self, gateway, answer, failure, make_picture):
        neighbour = gateway(answer(make_picture()))
        server = gateway(answer(b"", 302, Location=f"{neighbour.origin}/metadata?token=1"))
        error = failure(f"{server.origin}/0")
        assert str(error) == f"redirects to a private address: {server.origin}/0"
        assert not error.again
        assert neighbour.seen == []

    @pytest.mark.parametrize(
        "location",
        [
            "https://127.0.0.1:{port}/",
            "http://169.254.169.254/latest/meta-data",
            "http://10.0.0.1/",
            "http://[::1]:{port}/",
            "http://user:pw@127.0.0.1:{port}/",
            "file:///etc/passwd",
            "ftp://127.0.0.1:{port}/0.png",
            "//169.254.169.254/x",
            "http://[::1/",
            "http://127.0.0.1:999999/",
            "data:image/png;base64,AAAA",
        ],
    )
    def test_to_where_it_must_not_lead(self, gateway, answer, failure, location):
        server = gateway(lambda *_: answer(b"", 302, Location=location.format(port=server.port)))
        failure(f"{server.origin}/0", server.base_url)
        assert len(server.seen) == 1

    def test_too_often(self, gateway, answer, failure):
        server = gateway(answer(b"", 302, Location="/again"))
        error = failure(f"{server.origin}/0")
        assert str(error) == "is redirected too often"
        assert len(server.seen) == MAX_REDIRECTS + 1


class TestAddresses:
    @pytest.mark.parametrize(
        "url",
        [
            *["", "x", "/0.png", "ftp://127.0.0.1/0", "file:///etc/passwd", "http://[::1/", "http://127.0.0.1:bad/"],
            *["http://10.0.0.1/0.png", "https://169.254.169.254/0.png", "https://user:pw@127.0.0.1/0.png"],
            *["http://example.com/0.png", "https://[::ffff:10.0.0.1]/0.png", "https://192.168.0.1:8080/"],
        ],
    )
    def test_what_must_not_be_asked_is_not_asked(self, failure, monkeypatch, url):
        monkeypatch.setattr(addresses, "look_up", lambda host, port: [ipaddress.ip_address("93.184.216.34")])
        error = failure(url, "https://93.184.216.34/kling")
        assert (error.again, error.stale) == (False, False)

    def test_queries_are_not_quoted(self, failure):
        assert "signature" not in str(failure("https://10.0.0.1/0.png?signature=secret", "https://93.184.216.34/k"))

    def test_a_name_that_is_unknown_may_be_known_later(self, failure):
        assert failure("https://no-such-host.invalid/0.png").again

    @pytest.mark.parametrize("host", ["a" * 70 + ".example.com", "exa mple.com", "ä" * 80 + ".de", "a..b"])
    def test_a_name_that_cannot_be_one(self, failure, host):
        failure(f"https://{host}/0.png")

    def test_a_name_is_looked_up_once_and_that_address_is_asked(
        self, gateway, downloader, answer, make_picture, monkeypatch
    ):
        server = gateway(answer(make_picture()))
        looked_up = []

        def look_up(host, port):
            looked_up.append((host, port))
            # Whoever asks a second time gets another answer: the trick of "DNS rebinding".
            return LOOPBACK if len(looked_up) == 1 else [ipaddress.ip_address("10.0.0.1")]

        monkeypatch.setattr(addresses, "look_up", look_up)
        url = f"http://images.example.com:{server.port}/0.png"
        assert downloader("http://127.0.0.1:1/kling").fetch(url).width == 40
        assert looked_up == [("images.example.com", server.port)]
        assert server.seen[0].headers["host"] == f"images.example.com:{server.port}"

    def test_the_next_address_is_tried_where_one_does_not_answer(
        self, gateway, downloader, answer, make_picture, monkeypatch
    ):
        server = gateway(answer(make_picture()))
        both = [ipaddress.ip_address("127.0.0.9"), *LOOPBACK]
        monkeypatch.setattr(addresses, "look_up", lambda host, port: both if host == "images.test" else LOOPBACK)
        monkeypatch.setattr(addresses, "literal", lambda host: both if host == "127.0.0.1" else [])
        assert downloader("http://127.0.0.1:1/kling").fetch(f"http://images.test:{server.port}/0").width == 40

    def test_hosts_on_one_address_do_not_share_a_connection(
        self, gateway, downloader, answer, make_picture, monkeypatch
    ):
        server = gateway(answer(make_picture()))
        monkeypatch.setattr(addresses, "look_up", lambda host, port: LOOPBACK)
        images = downloader("http://127.0.0.1:1/kling")
        for host in ("a.test", "b.test", "a.test"):
            images.fetch(f"http://{host}:{server.port}/0")
        assert [seen.headers["host"].partition(":")[0] for seen in server.seen] == ["a.test", "b.test", "a.test"]


class TestProxy:
    def test_is_asked_by_name_and_never_for_addresses_of_this_machine(self, gateway, failure, monkeypatch):
        proxy = gateway(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        monkeypatch.setenv("https_proxy", proxy.origin)
        monkeypatch.setattr(addresses, "look_up", lambda host, port: pytest.fail("the proxy resolves names"))
        assert failure("https://images.example.com/0.png", "https://93.184.216.34/kling").again
        assert [seen.target for seen in proxy.seen] == ["images.example.com:443"]
        for url in ("https://10.0.0.1/0.png", "https://localhost/0.png"):
            assert not failure(url, "https://93.184.216.34/kling").again
        assert len(proxy.seen) == 1

    def test_exceptions_are_fetched_directly_and_checked(self, gateway, failure, monkeypatch):
        proxy = gateway(b"")
        monkeypatch.setenv("https_proxy", proxy.origin)
        monkeypatch.setenv("no_proxy", "images.example.com")
        monkeypatch.setattr(addresses, "look_up", lambda host, port: [ipaddress.ip_address("10.0.0.1")])
        error = failure("https://images.example.com/0.png", "https://93.184.216.34/kling")
        assert "private address" in str(error)
        assert proxy.seen == []

    def test_no_exception_that_only_httpx_knows_leads_past_the_check(self, gateway, failure, monkeypatch):
        # urllib does not take this for an exception and httpx does: were httpx asked, it would connect
        # directly, to whatever address the name has.
        proxy = gateway(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        monkeypatch.setenv("https_proxy", proxy.origin)
        monkeypatch.setenv("no_proxy", "https://images.example.com")
        assert failure("https://images.example.com/0.png", "https://93.184.216.34/kling").again
        assert [seen.target for seen in proxy.seen] == ["images.example.com:443"]


class TestTls:
    """The connection goes to a checked address; the certificate is still checked against the name."""

    @pytest.fixture
    def server(self, certificate, gateway, answer, make_picture, monkeypatch):
        context, trusting = certificate
        self.asked_for = []
        context.sni_callback = lambda _, name, __: self.asked_for.append(name)
        monkeypatch.setattr(download_module, "tls_context", lambda: trusting)
        monkeypatch.setattr(addresses, "look_up", lambda host, port: LOOPBACK)
        return gateway(answer(make_picture()), context)

    def test_the_right_name(self, server, downloader):
        picture = downloader("http://127.0.0.1:1/kling").fetch(f"https://images.test:{server.port}/0.png")
        assert picture.width == 40
        assert self.asked_for == ["images.test"]
        assert server.seen[0].headers["host"] == f"images.test:{server.port}"

    def test_another_name(self, server, failure):
        error = failure(f"https://other.test:{server.port}/0.png")
        assert "certificate" in str(error).lower()
        assert server.seen == []

    def test_no_name(self, server, failure):
        assert "certificate" in str(failure(f"https://127.0.0.1:{server.port}/0.png")).lower()
        assert server.seen == []


def test_a_closed_downloader_opens_nothing(gateway, downloader, answer, make_picture):
    server = gateway(answer(make_picture()))
    images = downloader(server.base_url)
    images.fetch(f"{server.origin}/0")
    images.close()
    images.close()
    with pytest.raises(DownloadFailed):
        images.fetch(f"{server.origin}/0")
    assert len(server.seen) == 1
