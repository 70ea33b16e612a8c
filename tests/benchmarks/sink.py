"""A server that takes requests to their last byte and says when that was; a process of its own.

Every create is answered as taken, every question as still under way: what is measured ends with the last byte.
"""

import contextlib
import json
import socket
import sys
import threading
import time

BUFFER = 1 << 20


class Sink:
    def __init__(self):
        self.taken = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=32)

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.answer, args=[connection], daemon=True).start()

    def answer(self, connection):
        buffer, held = bytearray(BUFFER), b""
        # The kernel of a row is killed once its request has been taken.
        with connection, contextlib.suppress(ConnectionError):
            while True:
                while b"\r\n\r\n" not in held:
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    held += piece
                head, _, held = held.partition(b"\r\n\r\n")
                lines = head.decode("latin-1").split("\r\n")
                headers = {
                    name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
                }
                size, got = int(headers.get("content-length", 0)), len(held)
                if headers.get("transfer-encoding", "") == "chunked":
                    raise RuntimeError("the API is sent no chunks")
                while got < size:
                    came = connection.recv_into(buffer)
                    if not came:
                        return
                    got += came
                held = b""
                post = lines[0].startswith("POST")
                if post:
                    self.taken.append([time.time(), size])
                task = {
                    "task_id": "1234567",
                    "task_status": "submitted" if post else "processing",
                    "created_at": 1795888089983,
                }
                content = json.dumps({"code": 0, "message": "SUCCEED", "request_id": "1", "data": task}).encode()
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                    % (len(content), content)
                )


def main():
    sink = Sink()
    threading.Thread(target=sink.serve, daemon=True).start()
    host, port = sink.listener.getsockname()
    print(json.dumps({"base_url": f"http://{host}:{port}/kling"}), flush=True)
    for _ in sys.stdin:
        print(json.dumps(sink.taken), flush=True)
        sink.taken.clear()


if __name__ == "__main__":
    main()
