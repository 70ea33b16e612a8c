"""Images from an origin that means harm: nothing is believed, everything ends, and only a picture comes out."""

import gzip
import io
import ipaddress
import struct
import tracemalloc
import zipfile
import zlib

import pytest
from PIL import Image

from kling_nb.remote import addresses
from kling_nb.remote import download as download_module
from kling_nb.remote.download import MAX_REDIRECTS, DownloadFailed

NOWHERE = "http://127.0.0.1:1/kling"
HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def failure(downloader):
    """Fetch what must not come, and return why: one printable line of a sane length."""

    def fetch(url, base_url=NOWHERE, **options):
        with pytest.raises(DownloadFailed) as caught:
            downloader(base_url, **options).fetch(url)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 300
        return caught.value

    return fetch


@pytest.fixture(scope="session")
def zeros():
    """Sixty megabytes of nothing, packed a thousandfold."""
    return gzip.compress(bytes(60_000_000))


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, *chunks):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


class TestLengths:
    @pytest.mark.parametrize(
        "length", ["-1", "-0", "+5", "abc", "1e3", "0x10", "1.5", "5, 6", "5 6", "\u0665", "9" * 30, "9" * 5000, ""]
    )
    def test_one_that_is_none_fails_like_any_broken_answer(self, gateway, failure, make_picture, length):
        server = gateway(HEAD + f"Content-Length: {length}\r\n\r\n".encode() + make_picture())
        error = failure(f"{server.origin}/0")
        assert "address" not in str(error)
        assert not error.stale

    @pytest.mark.parametrize("length", ["100000001", "99999999999999999999"])
    def test_one_above_a_hundred_megabytes_is_believed_and_nothing_is_read(self, gateway, failure, length):
        server = gateway(HEAD + f"Content-Length: {length}\r\n\r\n".encode())
        error = failure(f"{server.origin}/0")
        assert str(error) == "is larger than 100,000,000 bytes"
        assert not error.again

    def test_two_that_differ(self, gateway, failure, make_picture):
        data = make_picture()
        lengths = f"Content-Length: {len(data)}\r\nContent-Length: {len(data) - 9}\r\n\r\n".encode()
        assert failure(f"{gateway(HEAD + lengths + data).origin}/0").again

    @pytest.mark.parametrize("by", [-300, -40, 1, 300])
    def test_a_wrong_one_gives_no_picture(self, gateway, answer, failure, make_picture, by):
        data = make_picture()
        error = failure(f"{gateway(answer(data, length=len(data) + by)).origin}/0")
        assert error.again

    def test_a_body_cut_off_between_chunks(self, gateway, failure, make_picture):
        data = make_picture()
        body = b"%x\r\n%b\r\n" % (len(data), data)
        assert failure(f"{gateway(HEAD + b'Transfer-Encoding: chunked' + bytes(2) + body).origin}/0").again
        server = gateway(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body)
        assert failure(f"{server.origin}/0").again

    @pytest.mark.parametrize("size", [b"-5", b"zz", b"ffffffffffffffffffffffffff", b""])
    def test_chunks_of_absurd_sizes(self, gateway, failure, make_picture, size):
        server = gateway(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + size + b"\r\n" + make_picture() + b"\r\n")
        assert failure(f"{server.origin}/0").again


class TestPacked:
    """Nobody asked for compression; what is packed once is unpacked with care, and nothing else is."""

    def test_a_bomb_does_not_unfold(self, gateway, answer, failure, zeros):
        server = gateway(answer(zeros, Content_Encoding="gzip"))
        tracemalloc.start()
        try:
            error = failure(f"{server.origin}/0", max_bytes=1_000_000)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert str(error) == "is larger than 1,000,000 bytes"
        assert not error.again
        assert peak < 10_000_000

    @pytest.mark.parametrize(
        "encoding", ["gzip, gzip", "gzip,gzip,gzip", "br", "zstd", "compress", "x" * 500, "\x1b[31m"]
    )
    def test_what_was_not_asked_for_is_not_unpacked(self, gateway, answer, failure, zeros, encoding):
        server = gateway(answer(gzip.compress(zeros), Content_Encoding=encoding))
        error = failure(f"{server.origin}/0", max_bytes=1_000_000)
        assert "packed" in str(error)

    @pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", "identity, gzip", "deflate"])
    def test_what_is_packed_once_is_unpacked(self, gateway, answer, downloader, make_picture, encoding):
        data = make_picture()
        packed = zlib.compress(data) if encoding == "deflate" else gzip.compress(data)
        server = gateway(answer(packed, Content_Encoding=encoding))
        assert downloader(NOWHERE).fetch(f"{server.origin}/0").data == data

    def test_what_is_not_packed_at_all(self, gateway, answer, downloader, make_picture):
        data = make_picture()
        server = gateway(answer(data, Content_Encoding="identity"))
        assert downloader(NOWHERE).fetch(f"{server.origin}/0").data == data

    def test_damaged_or_cut_off(self, gateway, answer, failure, make_picture):
        packed = gzip.compress(make_picture())
        for body in (b"", b"\x1f\x8b", packed[:-3], packed[: len(packed) // 2], b"no gzip", packed[:20] + bytes(50)):
            assert failure(f"{gateway(answer(body, Content_Encoding='gzip')).origin}/0").again

    def test_much_behind_the_end_is_still_too_much(self, gateway, failure, make_picture):
        body = gzip.compress(make_picture()) + bytes(300_000)
        server = gateway(HEAD + b"Content-Encoding: gzip\r\n\r\n" + body)
        assert "larger" in str(failure(f"{server.origin}/0", max_bytes=len(body) - 1))


class TestSlow:
    """Every way of sending almost nothing ends with the time for the whole."""

    @pytest.mark.parametrize(
        ("first", "piece"),
        [
            (b"HTT", b""),
            (HEAD + b"X-Slow: ", b"x"),
            (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
            (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;", b"x"),
            (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n\0\r\n"),
            (HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10], b"\0\0\0\xff\xff"),
            (b"HTTP/1.1 302 Found\r\nX-Slow: ", b"x"),
        ],
        ids=["status", "headers", "hints", "chunk", "chunks", "packed", "redirect"],
    )
    def test_a_drip(self, drip, failure, make_picture, first, piece):
        error = failure(f"{drip(first, piece, make_picture()).origin}/0", timeout=0.1)
        assert str(error) == "did not come in time"
        assert error.again

    def test_a_drip_under_tls(self, drip, failure, certificate, monkeypatch):
        context, trusting = certificate
        monkeypatch.setattr(download_module, "tls_context", lambda: trusting)
        monkeypatch.setattr(addresses, "look_up", lambda host, port: [ipaddress.ip_address("127.0.0.1")])
        server = drip(HEAD + b"X-Slow: ", b"x", context=context)
        assert str(failure(f"https://images.test:{server.port}/0", timeout=0.3)) == "did not come in time"

    def test_a_connection_used_again_is_as_bounded_as_a_new_one(self, drip, downloader, make_picture):
        data = make_picture()
        connections = []

        def serve_once(connection):
            connections.append(connection)
            connection.sendall(HEAD + f"Content-Length: {len(data)}\r\n\r\n".encode() + data)
            connection.recv(4096)

        server = drip(HEAD + b"X-Slow: ", b"x", before=serve_once)
        images = downloader(NOWHERE, timeout=0.5)
        assert images.fetch(f"{server.origin}/0").data == data
        with pytest.raises(DownloadFailed, match="in time"):
            images.fetch(f"{server.origin}/1")
        assert len(connections) == 1

    def test_endless_headers(self, gateway, failure):
        def pour(_, connection):
            connection.sendall(HEAD)
            while True:
                connection.sendall(b"X: " + b"y" * 1000 + b"\r\n")

        assert failure(f"{gateway(pour).origin}/0").again

    def test_the_body_of_a_redirect_is_not_read(self, gateway, downloader, answer, make_picture):
        def serve(request, connection):
            if request.target == "/1":
                return answer(make_picture())
            connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /1\r\n\r\n")
            while True:
                connection.sendall(bytes(0x10000))

        assert downloader(NOWHERE).fetch(f"{gateway(serve).origin}/0").width == 40


class TestRedirects:
    @pytest.mark.parametrize(
        "location",
        [
            "https://127.0.0.1:{port}/1",
            "HTTP://[::ffff:127.0.0.1]:{port}/1",
            "http://0.0.0.0:{port}/1",
            "http://127.1:{port}/1",
            "http://2130706433:{port}/1",
            "http://127.0.0.2:{port}/1",
            "http://localhost.:{port}/1",
            "http://user@127.0.0.1:{port}/1",
            "http://:@127.0.0.1:{port}/1",
            "http://127.0.0.1:{port}@10.0.0.1/1",
            "http://127.0.0.1:{port}\\@10.0.0.1/1",
            "http://10.0.0.1#@127.0.0.1:{port}/1",
            "///10.0.0.1/1",
            "\\\\10.0.0.1\\1",
            "http:///1",
            "javascript:alert(1)",
            "gopher://127.0.0.1:{port}/_GET",
            "unix:///var/run/docker.sock",
            "file://localhost/etc/passwd",
            "jar:http://127.0.0.1:{port}!/1",
            "http://127.0.0.1:0/1",
            "http://127.0.0.1:-{port}/1",
            "http://xn--/1",
        ],
    )
    def test_never_to_another_place(self, gateway, answer, failure, location):
        server = gateway(lambda *_: answer(b"", 302, Location=location.format(port=server.port)))
        failure(f"{server.origin}/0", server.base_url)
        # A path of this server is no other place, whatever it looks like.
        assert {seen.headers["host"] for seen in server.seen} == {f"127.0.0.1:{server.port}"}
        assert len(server.seen) in (1, MAX_REDIRECTS + 1)

    @pytest.mark.parametrize(
        ("location", "target"),
        [
            (b"/b%C3%A4r", "/b%C3%A4r"),
            ("/bär".encode(), "/b%C3%A4r"),
            ("/bär".encode("latin-1"), "/b%C3%A4r"),
            ("/猫.png?x=猫".encode(), "/%E7%8C%AB.png?x=%E7%8C%AB"),
            (b"/1\r\n /2", "/1%20/2"),
            (b"/1 2", "/1%202"),
            (b'/<img src="x">', "/%3Cimg%20src=%22x%22%3E"),
            (b"/../../etc/passwd", "/etc/passwd"),
            (b"/%2e%2e/%00", "/%2e%2e/%00"),
            (b"/1%0d%0aX-Evil:%201", "/1%0d%0aX-Evil:%201"),
        ],
    )
    def test_odd_letters_stay_a_path_of_the_same_server(
        self, gateway, downloader, answer, make_picture, location, target
    ):
        redirect = (
            b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        server = gateway(lambda request, _: redirect if request.target == "/0" else answer(make_picture()))
        assert downloader(NOWHERE).fetch(f"{server.origin}/0").width == 40
        assert [seen.target for seen in server.seen] == ["/0", target]
        assert "x-evil" not in server.seen[1].headers

    @pytest.mark.parametrize(
        "location",
        [
            b"/a\0b",
            b"http://127.0.0.1\0.example/1",
            b"/\x1b[31m",
            b"/a\rb",
            b"/" + b"x" * 70_000,
            b"/" + b"x" * 200_000,
        ],
        ids=["null", "null in the name", "escape", "return", "long", "longer"],
    )
    def test_what_cannot_be_an_address_is_not_asked(self, gateway, failure, location):
        server = gateway(b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n")
        failure(f"{server.origin}/0")
        assert len(server.seen) == 1

    def test_headers_cannot_be_put_into_the_next_request(self, gateway, failure, answer):
        redirect = (
            b"HTTP/1.1 302 Found\r\nLocation: /1\r\nLocation: /2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        server = gateway(lambda request, _: redirect if request.target == "/0" else answer(b"", 404))
        failure(f"{server.origin}/0")
        assert [seen.headers["host"] for seen in server.seen] == [f"127.0.0.1:{server.port}"] * len(server.seen)

    def test_round_and_round_between_two_servers(self, gateway, failure, answer):
        image = gateway(lambda *_: answer(b"", 302, Location=f"{api.origin}/0"))
        api = gateway(lambda *_: answer(b"", 307, Location=f"{image.origin}/0"))
        assert "redirect" in str(failure(f"{image.origin}/0", api.base_url))
        assert len(image.seen) + len(api.seen) <= MAX_REDIRECTS + 1

    def test_a_longer_address_every_time(self, gateway, failure, answer):
        server = gateway(lambda request, _: answer(b"", 302, Location=f"{request.target}{'/x' * 1000}"))
        assert str(failure(f"{server.origin}/0")) == "is redirected too often"


class TestUrls:
    """What a gateway's JSON may give for an address."""

    @pytest.mark.parametrize(
        "url",
        [
            "http://127.0.0.1:{port}/a\0b",
            "http://127.0.0.1:{port}\0/0",
            "http://127.0.0.1\0.example:{port}/0",
            "http://127.0.0.1:{port}/\x1b[31m",
            "http://127.0.0.1:{port}/" + "x" * 100_000,
            "http://user:secret@127.0.0.1:{port}/0",
            "//127.0.0.1:{port}/0",
            "127.0.0.1:{port}/0",
            "file:///etc/passwd",
            "data:image/png;base64,iVBORw0KGgo=",
            "javascript:alert(1)",
        ],
    )
    def test_is_not_asked(self, gateway, answer, failure, make_picture, url):
        server = gateway(answer(make_picture()))
        error = failure(url.format(port=server.port))
        assert not error.again
        assert "secret" not in str(error)
        assert server.seen == []

    @pytest.mark.parametrize(
        "tail", ["0\r\nX-Evil: 1", "0 HTTP/1.1\r\nX-Evil: 1\r\n\r\nGET /admin", "0\nX-Evil: 1", "\t0"]
    )
    def test_cannot_add_to_the_request(self, gateway, answer, downloader, make_picture, tail):
        server = gateway(answer(make_picture()))
        assert downloader(NOWHERE).fetch(f"{server.origin}/{tail}").width == 40
        (seen,) = server.seen
        assert set(seen.headers) == {"host", "accept", "accept-encoding", "connection", "user-agent"}
        assert " " not in seen.target

    @pytest.mark.parametrize(
        "host",
        [
            *["127.0.0.1", "localhost", "LOCALHOST.", "x.localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1"],
            *["10.0.0.1.", "10.1", "[::1]", "[::ffff:10.0.0.1]", "[::10.0.0.1]", "[fec0::1]", "[64:ff9b:1::a00:1]"],
            *[
                "10\u30020\u30020\u30021",
                "\uff11\uff10.0.0.1",
                "%31%30.0.0.1",
                "\u24db\u24de\u24d2alhost",
                "a\\b.example",
            ],
            *["[::1]x.example", "x.example[::1]", "a b.example", "exam\u202eple.com", "a,b.example", "<b>.example"],
        ],
    )
    def test_an_address_in_disguise_gets_past_no_proxy(self, gateway, failure, monkeypatch, host):
        proxy = gateway(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        monkeypatch.setenv("https_proxy", proxy.origin)
        monkeypatch.setattr(addresses, "look_up", lambda host, port: pytest.fail("the proxy resolves names"))
        assert not failure(f"https://{host}/0.png", "https://93.184.216.34/kling").again
        assert proxy.seen == []

    @pytest.mark.parametrize("host", ["cdn.example.com", "a_b.example.com", "123.example.com", "xn--bcher-kva.example"])
    def test_a_name_gets_to_the_proxy(self, gateway, failure, monkeypatch, host):
        proxy = gateway(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        monkeypatch.setenv("https_proxy", proxy.origin)
        failure(f"https://{host}/0.png", "https://93.184.216.34/kling")
        assert [seen.target for seen in proxy.seen] == [f"{host}:443"]

    def test_a_proxy_that_drips(self, drip, failure, monkeypatch):
        monkeypatch.setenv("https_proxy", drip(HEAD + b"X-Slow: ", b"x").origin)
        assert "in time" in str(failure("https://a.example/0", "https://93.184.216.34/kling", timeout=0.1))


class TestBombs:
    def test_more_pixels_than_allowed_are_not_unpacked(self, gateway, answer, failure):
        big = 12_000
        gif = b"GIF89a" + struct.pack("<HH", big, big) + b"\x80\0\0" + bytes(6)
        gif += b"," + struct.pack("<HHHH", 0, 0, big, big) + b"\0\x02\x02L\x01\0;"
        bmp = (
            b"BM"
            + struct.pack("<IHHI", 58, 0, 0, 54)
            + struct.pack("<IiiHHIIiiII", 40, big, big, 1, 24, 0, 0, 0, 0, 0, 0)
        )
        buffer = io.BytesIO()
        Image.new("1", (big, big)).save(buffer, "TIFF", compression="group4")
        bodies = [gif, bmp + bytes(4), buffer.getvalue(), png(big, big, chunk(b"IDAT", zlib.compress(b"")))]
        for body in (*bodies, png(2**31 - 1, 2**31 - 1)):
            error = failure(f"{gateway(answer(body)).origin}/0")
            assert "over the limit of 100,000,000 pixels" in str(error)

    @pytest.mark.parametrize("head", [b"k\0\0", b"k\0\1\0\0\0"])
    def test_text_that_unfolds(self, gateway, answer, failure, head):
        kind = b"zTXt" if len(head) == 3 else b"iTXt"
        text = chunk(kind, head + zlib.compress(bytes(90_000_000), 1))
        server = gateway(answer(png(1, 1, text, chunk(b"IDAT", zlib.compress(bytes(4))))))
        assert "too large" in str(failure(f"{server.origin}/0"))

    def test_pixels_behind_the_last_row_are_left_packed(self, gateway, answer, downloader):
        data = png(1, 1, chunk(b"IDAT", zlib.compress(bytes(90_000_000), 1)))
        assert downloader(NOWHERE).fetch(f"{gateway(answer(data)).origin}/0")[2:] == ("image/png", 1, 1)

    def test_a_jpeg_that_is_drawn_over_and_over(self, gateway, answer, failure):
        buffer = io.BytesIO()
        Image.new("L", (64, 64)).save(buffer, "JPEG", progressive=True)
        whole = buffer.getvalue()
        scan = whole[whole.rindex(b"\xff\xda") : -2]
        server = gateway(answer(whole[:-2] + scan * 5_000 + b"\xff\xd9"))
        assert "scans" in str(failure(f"{server.origin}/0"))


class TestTwoThingsAtOnce:
    """Files that are a picture to one reader and something else to another."""

    @pytest.mark.parametrize(
        ("kind", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("GIF", "image/gif")]
    )
    def test_a_picture_with_more_behind_it_is_that_picture(
        self, gateway, answer, downloader, make_picture, kind, media_type
    ):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("evil.py", "raise SystemExit")
        for more in (b"<html><script>alert(1)</script>", b"%PDF-1.7", b"#!/bin/sh\n", archive.getvalue()):
            data = make_picture(kind) + more
            server = gateway(answer(data, Content_Type="text/html", Content_Disposition='inline; filename="../x.html"'))
            picture = downloader(NOWHERE).fetch(f"{server.origin}/x.html")
            assert (picture.data, picture.media_type) == (data, media_type)

    @pytest.mark.parametrize(
        "body",
        [
            b"GIF89a=1;alert(1)//",
            b"<html><!--" + png(1, 1, chunk(b"IDAT", zlib.compress(bytes(4)))) + b"-->",
            b"BM<script>alert(1)</script>" + bytes(60),
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(/etc/passwd) (r) file\n%%EOF\n",
            b"#define x_width 8\n#define x_height 1\nstatic char x_bits[] = {0x00};\n//<script>alert(1)</script>",
            b"P3 1 1 255 0 0 0 <script>alert(1)</script>",
            b'/* XPM */\nstatic char *x[] = {\n"1 1 1 1",\n"a c #000000",\n"a"};',
            b"\x00\x00\x01\x00\x01\x00\x01\x01\x00\x00\x01\x00 \x00\x30\x00\x00\x00\x16\x00\x00\x00" + bytes(60),
            b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        ],
        ids=["gif", "html", "bmp", "postscript", "xbm", "ppm", "xpm", "ico", "svg"],
    )
    def test_a_program_or_page_is_no_picture(self, gateway, answer, failure, body):
        server = gateway(answer(body, Content_Type="image/png"))
        error = failure(f"{server.origin}/0.png")
        assert str(error).startswith(("is ", "cannot be read as an image"))

    def test_postscript_is_handed_to_no_interpreter(self, gateway, answer, failure, monkeypatch, tmp_path):
        # A Ghostscript that leaves a trace when it is run, found first on the way.
        trace, gs = tmp_path / "trace", tmp_path / "gs"
        gs.write_text(f"#!/bin/sh\necho run > {trace}\n")
        gs.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)
        body = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
        failure(f"{gateway(answer(body)).origin}/0")
        assert not trace.exists()
