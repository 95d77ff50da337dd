"""Programs of others that some tests check ours against; without one the summary says so."""

import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None,
    reason="NOT TESTED: pages in a browser; no Chromium is installed (Debian package chromium)",
)
needs_xmlsec1 = pytest.mark.skipif(
    shutil.which("xmlsec1") is None,
    reason="NOT TESTED: XML signatures against another implementation; xmlsec1 is not installed "
    "(Debian package xmlsec1)",
)
needs_xmllint = pytest.mark.skipif(
    shutil.which("xmllint") is None,
    reason="NOT TESTED: XML Schemas with another implementation; xmllint is not installed "
    "(Debian package libxml2-utils)",
)
