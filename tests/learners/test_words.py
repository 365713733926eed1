import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given, settings
from hypothesis import strategies as st

from core.learners.words import encode, trimmed, within

_WORD = st.text(st.sampled_from("ab é\u3000\t\0"), max_size=5)


@settings(deadline=None)
@given(words=st.lists(st.one_of(_WORD, st.integers(0, 400).map(str)), max_size=900), skipped=st.integers(0, 5))
def test_codes_are_those_of_arrow(words: list[str], skipped: int) -> None:
    column = pa.array(words, pa.string()).slice(skipped)
    found, told = encode(column), pc.dictionary_encode(column)
    assert found.indices.equals(told.indices)
    assert found.dictionary.equals(told.dictionary)


def test_nulls_have_no_code() -> None:
    assert encode(pa.array(["b", None, "a", "b"])).to_pylist() == ["b", None, "a", "b"]


@settings(deadline=None)
@given(words=st.lists(_WORD, max_size=4), skipped=st.integers(0, 2), longest=st.integers(0, 6))
def test_what_is_called_plain_is_so(words: list[str], skipped: int, longest: int) -> None:
    column = pa.array(words, pa.string()).slice(skipped)
    left = words[skipped:]
    if trimmed(column):
        assert all(word and word.strip() == word for word in left)
    if within(column, longest):
        assert all(len(word) <= longest and "\0" not in word for word in left)


def test_plain_words_are_called_plain() -> None:
    column = pa.array(["learner 1", "x", "Zoë-9"])
    assert trimmed(column)
    assert within(column, 9)
    assert not within(column, 8)
    assert not trimmed(pa.array(["a", " b"]))
    assert not trimmed(pa.array(["a", None]))
    assert not within(pa.array(["a", "b\0"]), 9)
