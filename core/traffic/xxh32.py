"""XXH32, the hash by which HAProxy's `xxh32(SEED)` places a learner; so that the flag service places them the same.

https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
"""

from __future__ import annotations

import struct

_P1, _P2, _P3, _P4, _P5 = 2654435761, 2246822519, 3266489917, 668265263, 374761393
_MASK = 0xFFFFFFFF


def xxh32(data: bytes, seed: int = 0) -> int:
    """Return the 32-bit hash of some bytes.

    >>> f"{xxh32(b''):08x} {xxh32(b'abc'):08x} {xxh32(b'Nobody inspects the spammish repetition'):08x}"
    '02cc5d05 32d153ff e2293b2f'
    """
    size, at = len(data), 0
    if size >= 16:
        lanes = [seed + _P1 + _P2, seed + _P2, seed, seed - _P1]
        while at + 16 <= size:
            words = struct.unpack_from("<4I", data, at)
            lanes = [_turned(lane + word * _P2, 13) * _P1 for lane, word in zip(lanes, words, strict=True)]
            at += 16
        total = sum(_turned(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True))
    else:
        total = seed + _P5
    total += size
    while at + 4 <= size:
        total = _turned(total + int.from_bytes(data[at : at + 4], "little") * _P3, 17) * _P4
        at += 4
    for byte in data[at:]:
        total = _turned(total + byte * _P5, 11) * _P1
    total &= _MASK
    total = (total ^ total >> 15) * _P2 & _MASK
    total = (total ^ total >> 13) * _P3 & _MASK
    return total ^ total >> 16


def _turned(value: int, by: int) -> int:
    value &= _MASK
    return (value << by | value >> (32 - by)) & _MASK
