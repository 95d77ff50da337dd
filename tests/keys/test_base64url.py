"""Base64url has one spelling for each value."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import base64url


@given(st.binary(max_size=200))
def test_what_is_encoded_comes_back(data: bytes) -> None:
    """The encoding is that of RFC 7515 §2, and reading it gives the same bytes."""
    text = base64url.encode(data)
    assert text == base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    assert base64url.decode(text) == data


@given(st.text(alphabet="ABQgw_-+/= \n=é\ud800", max_size=12))
def test_only_the_canonical_spelling_is_read(text: str) -> None:
    """Whatever is accepted is exactly what encoding its value would write."""
    try:
        value = base64url.decode(text)
    except ValueError:
        return
    assert base64url.encode(value) == text


@pytest.mark.parametrize(
    "text", ["A", "QQ==", "QR", "QUJ", "QU JD", "QUJD\n", "+w", "/w", "QUJDRA=", "é", "\ud800A"]
)
def test_other_spellings_are_refused(text: str) -> None:
    """Padding, blanks, the other alphabet, unused bits that are set, foreign letters."""
    with pytest.raises(ValueError, match=r"."):
        base64url.decode(text)
