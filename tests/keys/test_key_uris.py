"""Key URIs are read strictly and hold no secret."""

from pathlib import Path

import pytest

from keys.errors import SignerError
from keys.key_uris import EnvUri, FileUri, Pkcs11Uri, file_uri, parse_key_uri

MODULE = "module-path=/usr/lib/softhsm/libsofthsm2.so"
MODULE_PATH = Path("/usr/lib/softhsm/libsofthsm2.so")


@pytest.mark.parametrize(
    ("uri", "wanted"),
    [
        ("file:/etc/a.key", FileUri(Path("/etc/a.key"))),
        ("file:///etc/a.key", FileUri(Path("/etc/a.key"))),
        ("file://localhost/etc/a.key", FileUri(Path("/etc/a.key"))),
        ("file:a%20b.key", FileUri(Path("a b.key"))),
        ("file:/a?passphrase-env=PW", FileUri(Path("/a"), "PW")),
        ("file:/a?passphrase-file=/b%3F", FileUri(Path("/a"), None, Path("/b?"))),
        ("file:/a?unencrypted=yes", FileUri(Path("/a"), unencrypted=True)),
        ("env:KEY", EnvUri("KEY")),
        ("env:KEY?passphrase-env=PW", EnvUri("KEY", "PW")),
        (
            f"pkcs11:token=My%20token;object=k?{MODULE}&pin-source=file:/pin",
            Pkcs11Uri("My token", None, "k", None, MODULE_PATH, None, Path("/pin")),
        ),
        (
            f"pkcs11:serial=0a;id=%01%ff;type=private?{MODULE}&pin-source=env:PIN",
            Pkcs11Uri(None, "0a", None, b"\x01\xff", MODULE_PATH, "PIN"),
        ),
        (f"pkcs11:token=t;object=k?{MODULE}", Pkcs11Uri("t", None, "k", None, MODULE_PATH)),
    ],
)
def test_a_uri_says_where_the_key_is(uri: str, wanted: object) -> None:
    """Each form, with percent-encoding undone."""
    assert parse_key_uri(uri) == wanted


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("", "begins with"),
        ("/etc/a.key", "begins with"),
        ("https://example.org/a.key", "begins with"),
        ("file:", "without a path"),
        ("file://elsewhere/a", "on this machine"),
        ("file:/a?passphrase-evn=PW", "is not one of"),
        ("file:/a?passphrase-env", "no value"),
        ("file:/a?passphrase-env=", "no value"),
        ("file:/a?passphrase-env=A&passphrase-env=B", "twice"),
        ("file:/a?passphrase-env=A&passphrase-file=/b", "takes one of"),
        ("file:/a?unencrypted=true", "unencrypted=yes"),
        ("env:", "names one"),
        ("env:A=B", "names one"),
        ("env:A?x=1", "is not one of"),
        ("pkcs11:token=t;object=k", "module-path"),
        (f"pkcs11:object=k?{MODULE}", "name the token"),
        (f"pkcs11:token=t?{MODULE}", "name the key"),
        (f"pkcs11:token=t;object=k;type=cert?{MODULE}", "type=private"),
        (f"pkcs11:token=t;object=k;slot=1?{MODULE}", "is not one of"),
        (f"pkcs11:token=t;object=k?{MODULE}&pin-source=|cat", "does not run"),
        (f"pkcs11:token=t;object=k?{MODULE}&pin-value=1234", "shows the PIN"),
    ],
)
def test_a_wrong_uri_is_refused_with_the_remedy(uri: str, message: str) -> None:
    """Unknown schemes and options, missing parts, and a PIN in the open."""
    with pytest.raises(SignerError, match=message):
        parse_key_uri(uri)


def test_the_pin_in_a_refused_uri_is_not_repeated() -> None:
    """The error would otherwise carry to the log what the URI must not carry."""
    with pytest.raises(SignerError) as caught:
        parse_key_uri(f"pkcs11:token=t;object=k?{MODULE}&pin-value=98765")
    assert "98765" not in str(caught.value)


def test_a_file_uri_is_read_as_it_was_written() -> None:
    """Paths with letters that mean something in a URI survive."""
    path = Path("/a b/ü?#%;&.key")
    assert parse_key_uri(file_uri(path, "PW")) == FileUri(path, "PW")
    assert parse_key_uri(file_uri(path)) == FileUri(path)
