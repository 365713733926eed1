import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core.learners.packing import count, most_words, pack, rows_in, unpack
from core.learners.rows import NO_IDS, ROW, Ids, Rows

_NARROW, _WIDE = (3, 2**40, 4, 25, 9), (2**31 - 1, 2**63 - 1, 2**31 - 1, 2**31 - 1, 2**31 - 1)


def made(rng: np.random.Generator, size: int, widest: tuple[int, ...], scored: float) -> Rows:
    rows = np.empty(size, dtype=ROW)
    for name, most in zip(("who", "ts", "domain", "skill", "kind"), widest, strict=True):
        rows[name] = rng.integers(-most if name == "ts" else 0, most, size, endpoint=True)
    scores = rng.choice([0.0, -0.0, 1.0, 0.1, 5e-324, np.inf], size)
    rows["score"] = np.where(rng.random(size) < scored, scores, np.nan)
    return rows


def unpacked(words: np.ndarray, ids: Ids, bits: int, learners: int) -> tuple[Rows, Ids]:
    starts = np.zeros((learners - 1 >> bits) + 2, dtype=np.int64)
    count(words, bits, starts)
    starts = np.cumsum(starts)
    rows, dealt = np.empty(starts[-1], dtype=ROW), np.empty(ids.size, dtype=np.uint64)
    unpack(words, ids, bits, starts[:-1].copy(), rows, dealt)
    return rows, dealt


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.sampled_from([0, 1, 2, 63, 64, 65, 200]), min_size=1, max_size=5),
    narrow=st.lists(st.booleans(), min_size=5, max_size=5),
    scored=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_rows_come_back_bit_by_bit(seed: int, sizes: list[int], narrow: list[bool], scored: float) -> None:
    rng = np.random.default_rng(seed)
    widest = tuple(low if less else high for less, low, high in zip(narrow, _NARROW, _WIDE, strict=True))
    rows = made(rng, sum(sizes), widest, scored)
    starts = np.concatenate(([0], np.cumsum(sizes)))
    words = np.full(most_words(rows.size, len(sizes)), 0xDEAD_BEEF, dtype=np.uint64)
    places = pack(rows, starts, words)
    assert places[-1] <= words.size
    used = words[: places[-1]]
    assert rows_in(used) == rows.size
    again, _ = unpacked(used, NO_IDS, 62, 1)
    assert again.tobytes() == rows.tobytes()
    for i, size in enumerate(sizes):  # each block by itself
        assert rows_in(used[places[i] : places[i + 1]]) == size


def test_blocks_are_dealt_out_with_their_ids() -> None:
    rng = np.random.default_rng(0)
    rows, ids = made(rng, 1000, (30, *_NARROW[1:]), 0.5), rng.integers(0, 2**63, 1000).astype(np.uint64)
    words = np.empty(most_words(1000, 3), dtype=np.uint64)
    places = pack(rows, np.array([0, 10, 400, 1000]), words)
    found, dealt = unpacked(words[: places[-1]], ids, 2, 31)
    order = np.argsort(rows["who"] >> 2, kind="stable")
    assert found.tobytes() == rows[order].tobytes()
    assert dealt.tolist() == ids[order].tolist()


def test_an_event_takes_a_word_and_its_score_another() -> None:
    rng = np.random.default_rng(0)
    rows = made(rng, 10_000, (1000, 2**40, 6, 25, 8), 0.5)
    words = np.empty(most_words(10_000, 1), dtype=np.uint64)
    end = int(pack(rows, np.array([0, 10_000]), words)[-1])
    assert end == 8 + 10_000 + 157 + int((rows["score"] == rows["score"]).sum())
