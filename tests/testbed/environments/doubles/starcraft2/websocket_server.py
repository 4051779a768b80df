"""As much of a websocket server (RFC 6455) as pysc2 needs of the game: binary messages of one client."""

import base64
import hashlib
import socket
import struct

import numpy as np

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CLOSE = 8


def handshake(connection: socket.socket) -> None:
    """Answer the client's HTTP request. EOFError when it closes."""
    request = b""
    while b"\r\n\r\n" not in request:
        part = connection.recv(4096)
        if not part:
            raise EOFError
        request += part
    lines = (line.partition(": ") for line in request.decode().split("\r\n")[1:])
    headers = {name.lower(): value for name, _, value in lines}
    digest = hashlib.sha1(headers["sec-websocket-key"].encode() + GUID).digest()  # noqa: S324 (the protocol)
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )


def receive(connection: socket.socket) -> bytes:
    """The next message of the client, whose frames are masked. EOFError when it closes."""
    message = b""
    while True:
        first, second = _exactly(connection, 2)
        length = second & 127
        if length == 126:
            (length,) = struct.unpack(">H", _exactly(connection, 2))
        elif length == 127:
            (length,) = struct.unpack(">Q", _exactly(connection, 8))
        mask = np.frombuffer(_exactly(connection, 4), dtype=np.uint8)
        data = np.frombuffer(_exactly(connection, length), dtype=np.uint8)
        if first & 15 == CLOSE:
            raise EOFError
        message += (data ^ np.resize(mask, length)).tobytes()
        if first & 128:
            return message


def send(connection: socket.socket, payload: bytes) -> None:
    """Send one binary message."""
    size = len(payload)
    if size < 126:
        head = bytes([0x82, size])
    elif size < 65536:
        head = struct.pack(">BBH", 0x82, 126, size)
    else:
        head = struct.pack(">BBQ", 0x82, 127, size)
    connection.sendall(head + payload)


def _exactly(connection: socket.socket, count: int) -> bytes:
    parts = b""
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if not part:
            raise EOFError
        parts += part
    return parts
