"""A server on the loopback that answers byte for byte as a test says, also where no HTTP library would let it."""

import contextlib
import socket
import threading
import time


class Loopback:
    """Answers each connection with the next of its answers, and with the last one for ever.

    An answer is bytes, or a function from the text of the request to bytes, or to pieces to be sent one after the other.
    """

    def __init__(self, *answers):
        self._answers = list(answers)
        self.requests = []
        self.sent_bytes = 0
        self.ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.ended.set()
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self._listener.accept()[0],), daemon=True).start()

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError):
            request = _read(connection)
            if not request:
                return
            self.requests.append(request)
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            pieces = answer(request) if callable(answer) else answer
            for piece in [pieces] if isinstance(pieces, bytes) else pieces:
                if self.ended.is_set():
                    return
                connection.sendall(piece)
                self.sent_bytes += len(piece)


def _read(connection):
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(65536)
        if not part:
            return ""
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    request = head.decode("latin-1")
    length = next((int(line[15:]) for line in request.lower().split("\r\n") if line.startswith("content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return request


def answer(body=b"", *lines, status="200 OK", length=True):
    """An answer after which the connection ends."""
    declared = [f"Content-Length: {len(body)}"] if length else []
    head = "\r\n".join([f"HTTP/1.1 {status}", *declared, *lines, "Connection: close", "", ""])
    return head.encode("latin-1") + body


def dripping(data, pause_s=0.05):
    """One byte at a time, and then for ever."""
    for octet in data:
        yield bytes([octet])
        time.sleep(pause_s)
    while True:
        yield b" "
        time.sleep(pause_s)


def without_end(head, piece=b"x" * 65536):
    """A head, and a body that never ends."""
    yield head
    while True:
        yield piece
