"""HAProxy's runtime API, as far as a map needs it: one command a connection on the stats socket, under one deadline.

https://docs.haproxy.org/2.6/management.html#9.3
"""

from __future__ import annotations

import re
import socket
import time

from core.traffic.switch import SwitchError

_MOST = 1 << 20
"""Bytes of an answer: a map of flags is far smaller, and one that isn't is the wrong map."""

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}")
"""What may stand in a command as it is: no blank, ";", "<<" or "#", each of which would end it or mean another map."""


def address_of(text: str) -> str | tuple[str, int]:
    """Return where a stats socket is: the path of a UNIX socket, or (host, port).

    >>> address_of("/run/haproxy/admin.sock"), address_of("10.0.0.2:9999"), address_of("[::1]:9999")
    ('/run/haproxy/admin.sock', ('10.0.0.2', 9999), ('::1', 9999))

    Raises:
        ValueError: it is neither.
    """
    if text.startswith("/") and len(text.encode()) <= 107:  # what the kernel takes
        return text
    found = re.fullmatch(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[^\s:/\[\]]+)):(?P<port>\d{1,5})", text)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise ValueError(f"{text!r} is neither the path of a UNIX socket (at most 107 bytes) nor host:port")
    return found["six"] or found["host"], int(found["port"])


class RuntimeSocket:
    """One HAProxy process's stats socket.

    Args:
        address: as `address_of` reads it. timeout_s: for a command and its whole answer.
    """

    def __init__(self, address: str, timeout_s: float) -> None:
        self.address = address
        self.timeout_s = timeout_s
        self._where = address_of(address)

    def entries(self, map_name: str) -> dict[str, str]:
        """Return a map as requests see it now. Raises SwitchError."""
        lines = self._ask(f"show map {map_name}").splitlines()
        found: dict[str, str] = {}
        for line in filter(None, map(str.strip, lines)):
            parts = line.split(None, 2)
            if len(parts) < 2 or not parts[0].startswith("0x"):
                raise self._refused(map_name, line)
            found.setdefault(parts[1], parts[2] if len(parts) > 2 else "")
        return found

    def put(self, map_name: str, key: str, value: str) -> None:
        """Give a key of a map a value, for the requests that come from now on. Raises SwitchError."""
        verb = "set" if key in self.entries(map_name) else "add"
        said = self._ask(f"{verb} map {map_name} {key} {value}").strip()
        if said:
            raise self._refused(map_name, said)

    def _ask(self, command: str) -> str:
        ends = time.monotonic() + self.timeout_s
        answer = bytearray()
        try:
            with self._connect() as connection:
                connection.sendall(command.encode() + b"\n")
                while chunk := self._receive(connection, ends):
                    answer += chunk
                    if len(answer) > _MOST:
                        raise SwitchError(f"HAProxy at {self.address} answers more than {_MOST:,} bytes")
        except TimeoutError:
            raise SwitchError(f"HAProxy at {self.address} does not answer within {self.timeout_s:g} s") from None
        except OSError as error:
            raise SwitchError(f"HAProxy at {self.address} can't be reached: {error.strerror or error}") from None
        return answer.decode("utf-8", "replace")

    def _connect(self) -> socket.socket:
        if isinstance(self._where, tuple):
            return socket.create_connection(self._where, self.timeout_s)
        made = socket.socket(socket.AF_UNIX)
        try:
            made.settimeout(self.timeout_s)
            made.connect(self._where)
        except BaseException:
            made.close()
            raise
        return made

    @staticmethod
    def _receive(connection: socket.socket, ends: float) -> bytes:
        left = ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        return connection.recv(1 << 16)

    def _refused(self, map_name: str, said: str) -> SwitchError:
        hint = ""
        if "Unknown map identifier" in said:
            hint = f"; haproxy.cfg uses no map {map_name}: write the setting haproxy_map as it stands there"
        return SwitchError(f"HAProxy at {self.address} says {said!r}{hint}")
