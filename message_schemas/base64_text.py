"""Text as base64 (RFC 4648, section 4) and back: the exact bytes of something that was signed.

One text has one writing: padded, without line breaks, without stray bits at the end.
"""

import binascii


def base64_of(text: str) -> str:
    """Return the base64 of a text's UTF-8."""
    return binascii.b2a_base64(text.encode("utf-8"), newline=False).decode("ascii")


def text_of(written: str) -> str | None:
    """Return the text that ``base64_of`` wrote, None if it did not write this."""
    try:
        text = binascii.a2b_base64(written, strict_mode=True).decode("utf-8")
    except ValueError:
        return None
    return text if base64_of(text) == written else None
