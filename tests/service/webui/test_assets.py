"""Style sheets, scripts and icons: compressed for those who ask, and nothing from outside their folder."""

import gzip

import pytest


@pytest.mark.parametrize("name", ["app.css", "js/app.js", "icons.svg"])
def test_text_is_sent_compressed_to_whoever_reads_that(browser, name):
    plain = browser.get(f"/static/1/{name}", headers={"Accept-Encoding": "identity"})
    packed = browser.get(f"/static/1/{name}", headers={"Accept-Encoding": "gzip, br"})
    assert (plain.status_code, packed.status_code) == (200, 200)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(packed.data) == plain.data
    assert plain.mimetype == packed.mimetype


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
@pytest.mark.parametrize(
    "name", ["../app.py", "..%2fapp.py", "js/../../app.js", "/etc/passwd", "none.css", "js", "a\0.js"]
)
def test_nothing_else_is_sent(browser, name, encoding):
    assert browser.get(f"/static/1/{name}", headers={"Accept-Encoding": encoding}).status_code in {308, 404}


def test_a_style_sheet_holds_every_layer_in_its_order(browser):
    sheet = browser.get("/static/1/app.css").get_data(as_text=True)
    assert sheet.startswith("@layer vendored, tokens, base, parts, pieces, layout, mail, settings")
    assert "--size-1:.25rem" in sheet
