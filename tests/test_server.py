"""What the server answers beside the pages: operands for a cell's arithmetic, and nothing of the source."""

import gzip
import json
import os
import re
import runpy
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import streamlit
import websockets
from google.protobuf.message import DecodeError
from playwright.sync_api import Page, expect
from starlette.testclient import TestClient
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.NewSession_pb2 import CustomThemeConfig
from streamlit.runtime import app_session
from websockets.sync.client import connect

from explainer import ahead, files
from explainer.kit.wording import address
from explainer.server import WORDINGS, keep_theme
from explainer.walkthrough.scene import version, words
from kvengine import load_model
from tools.server import Server, serve

PACKAGE = Path(ahead.__file__).parent
SCRIPT = next((Path(streamlit.__file__).parent / "static" / "static" / "js").glob("protobuf.*.js"))
KINDS = {"<f4": np.float32, "|u1": np.uint8, "<u2": np.uint16}


def get(server: Server, path: str) -> tuple[int, bytes]:
    address = urlsplit(server.url)
    connection = HTTPConnection(
        address.hostname or "", address.port, timeout=90
    )  # http.client knows no proxy
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def unpacked(message: bytes) -> dict[str, Any]:
    size = int.from_bytes(message[:4], "little")
    arrays = message[4 + size :]

    def array(found: dict[str, Any]) -> Any:
        if "$array" not in found:
            return found
        kind, start, shape = found["$array"]
        count = int(np.prod(shape))
        return np.frombuffer(arrays, KINDS[kind], count, start).reshape(shape)

    decoded: dict[str, Any] = json.loads(message[4 : 4 + size], object_hook=array)
    return decoded


def test_weights_are_served_as_the_model_has_them(app_server: Server) -> None:
    status, body = get(app_server, "/operands/weights/stories-1m-h8-kv2/1")
    model = load_model("stories-1m-h8-kv2")
    layer = model.weights.layers[1]
    found = unpacked(body)
    assert status == 200
    np.testing.assert_array_equal(np.concatenate([found["wq"], found["wk"], found["wv"]]), layer.wqkv.numpy())
    np.testing.assert_array_equal(found["w_down"], layer.w_down.numpy())


def test_the_walkthroughs_words_are_served_once_for_each_model(app_server: Server) -> None:
    config = load_model("stories-1m-h8-kv2").config
    status, body = get(app_server, f"/operands/words/stories-1m-h8-kv2?{version(config)}")
    assert status == 200
    assert unpacked(body) == json.loads(json.dumps(words(config)))


@pytest.mark.parametrize("page", WORDINGS)
def test_what_a_page_says_whatever_it_shows_is_served_by_the_address_that_it_is_sent(
    app_server: Server, page: str
) -> None:
    status, body = get(app_server, f"/{address(page, WORDINGS[page])}")
    assert status == 200
    assert unpacked(body) == json.loads(json.dumps(WORDINGS[page]()))


@pytest.mark.parametrize(
    "path",
    [
        "/operands/words/nobody",
        "/operands/wording/nobody",
        "/operands/weights/nobody/0",
        "/operands/weights/..%2f..%2fetc/0",
        "/operands/weights/stories-1m-h8-kv8/4",
        "/operands/weights/stories-1m-h8-kv8/-1",
        "/operands/walk/0123456789abcdef/0/5",
        "/operands/walk/x/y/z",
    ],
)
def test_what_is_not_there_is_not_found(app_server: Server, path: str) -> None:
    status, body = get(app_server, path)
    # What fits no route of ours is streamlit's: it answers with its own page.
    assert status in (400, 404) or body.lower().lstrip().startswith(b"<!")
    assert b"Traceback" not in body


@pytest.mark.parametrize("directory", ["pairs", "kvengine"])
def test_no_directory_is_opened_by_a_name_that_a_browser_sends(app_server: Server, directory: str) -> None:
    """One beside the models, one where the server was started: neither is a model that can be chosen."""
    found = get(app_server, f"/operands/weights/{directory}/0")
    assert found == (404, b"There is no model of this name.")


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("web/main.js", 200),
        ("web/kit.css", 200),
        ("walkthrough/scene.js", 200),
        ("server.py", 404),
        ("walkthrough/words.toml", 404),
        ("kit/../server.py", 404),
        ("../app.py", 404),
    ],
)
def test_of_the_scenes_folder_only_scripts_and_styles_are_served(
    app_server: Server, file: str, expected: int
) -> None:
    status, body = get(app_server, f"/_stcore/bidi-components/explainer.scene/{file}")
    assert status == expected or (expected == 404 and status == 400)
    assert b"import" not in body or expected == 200


def test_an_environment_behind_a_link_is_served_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked = tmp_path / "streamlit"
    linked.symlink_to(Path(streamlit.__file__).parent)
    monkeypatch.setattr(streamlit, "__file__", str(linked / "__init__.py"))
    found = runpy.run_path(ahead.__file__)["page"]("/walkthrough")
    assert found == ahead.page("/walkthrough")
    assert b"BidiComponent" in found


def test_a_page_names_what_its_scene_needs_and_all_of_it_is_there(app_server: Server) -> None:
    address = urlsplit(app_server.url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=90)
    connection.request("GET", "/walkthrough", headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    html = gzip.decompress(answer.read()).decode()
    assert answer.headers["Cache-Control"] == "no-cache"
    named = re.findall(r'fetchpriority="low" href="\.(/[^"]+)"', html)
    assert len(named) > 20
    assert {get(app_server, path)[0] for path in named} == {200}
    assert any(path.endswith("/walkthrough/scene.js") for path in named)
    assert any("/BidiComponent." in path for path in named)
    # Without these it is Streamlit's own, which a client that takes nothing compressed is given.
    whole = re.sub(
        r'<link rel="(modulepreload|preload)"( as="style")? fetchpriority="low" [^>]*>\n', "", html
    )
    assert whole.encode() == get(app_server, "/walkthrough")[1]
    connection.close()


def test_the_log_of_a_server_that_was_visited_has_its_address_and_nothing_else(
    page: Page, tmp_path: Path
) -> None:
    with serve(tmp_path / "streamlit.log") as server:
        for query in ("", "?prompt=Once+upon+a+time&layer=1&head=2&token=6&stage=2"):  # an old link
            page.goto(f"{server.url}/{query}")
            expect(page.locator(".scene-root:not([aria-busy])")).to_be_visible()
        expect(page).to_have_url(re.compile("/walkthrough.*stage=2"))
        said = server.log_text().split()
    assert " ".join(said) == f"You can now view your Streamlit app in your browser. URL: {server.url}"


def test_what_a_page_needs_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    named = ahead.page("/")
    assert named is not None
    monkeypatch.setattr(ahead, "_modules", lambda *entries: pytest.fail("looked for again"))
    for i in range(2000):
        assert ahead.page(f"/static/js/part{i}.js") is None
    assert ahead.page("/") is named


@pytest.mark.parametrize(
    ("path", "file", "caching"),
    [
        ("/_stcore/bidi-components/explainer.scene/web/main.js", PACKAGE / "web" / "main.js", "no-cache"),
        ("/_stcore/bidi-components/explainer.bar/path/bar.css", PACKAGE / "path" / "bar.css", "no-cache"),
        (f"/static/js/{SCRIPT.name}", SCRIPT, "public, immutable, max-age=31536000"),
    ],
)
def test_a_browser_gets_a_file_compressed_and_only_once(
    app_server: Server, path: str, file: Path, caching: str
) -> None:
    whole = get(app_server, path)[1]
    address = urlsplit(app_server.url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=90)
    connection.request("GET", path, headers={"Accept-Encoding": "gzip, br"})
    answer = connection.getresponse()
    body = answer.read()
    assert gzip.decompress(body) == whole == file.read_bytes()
    assert len(body) < len(whole)
    assert answer.headers["Cache-Control"] == caching
    assert "Content-Security-Policy" in answer.headers
    connection.request(
        "GET", path, headers={"Accept-Encoding": "gzip", "If-None-Match": answer.headers["ETag"]}
    )
    again = connection.getresponse()
    assert (again.status, again.read()) == (304, b"")
    connection.close()


def test_a_file_that_has_changed_is_packed_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "web" / "new.js"
    file.parent.mkdir()
    monkeypatch.setattr(files, "_APP", tmp_path)
    file.write_text("one")

    async def elsewhere(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("asked for elsewhere")

    client = TestClient(files.Files(elsewhere))
    path = "/_stcore/bidi-components/explainer.scene/web/new.js"
    assert client.get(path).text == "one"
    file.write_text("two")
    os.utime(file, ns=(1, 1))
    assert client.get(path).text == "two"


def test_half_a_symbol_in_a_prompt_is_shown_as_one_that_cannot_be(app_server: Server) -> None:
    message = BackMsg()
    message.rerun_script.page_name = "walkthrough"
    message.rerun_script.query_string = "prompt=Tom \N{REPLACEMENT CHARACTER} saw"
    whole = message.SerializeToString()
    half = whole.replace("\N{REPLACEMENT CHARACTER}".encode(), b"\xed\xa0\xbd")
    with pytest.raises(DecodeError):
        BackMsg.FromString(half)

    def shown(sent: bytes) -> str:
        stream = f"{app_server.url.replace('http', 'ws')}/_stcore/stream"
        spoken = [websockets.Subprotocol("streamlit")]
        with connect(stream, subprotocols=spoken, max_size=None, proxy=None, close_timeout=1) as socket:
            socket.send(sent)
            while True:
                answer = ForwardMsg.FromString(socket.recv(60, decode=False))
                if answer.delta.new_element.text_input.label == "Prompt":
                    return answer.delta.new_element.text_input.value

    assert shown(half) == shown(whole) == "Tom \N{REPLACEMENT CHARACTER} saw"


def test_a_walk_that_is_no_longer_kept_is_told_where_its_arithmetic_would_stand(
    page: Page, app_url: str
) -> None:
    page = page.context.new_page()  # whose console may tell of the refusal
    page.route(re.compile("/operands/walk/"), lambda route: route.fulfill(status=404, body="No longer kept."))
    page.goto(f"{app_url}/walkthrough")
    page.locator("[data-row='3'] [data-part=k] .c").first.hover()
    expect(page.locator(".tip")).to_contain_text("key of “Sara”, token 3, entry 0")
    expect(page.locator(".tip")).to_contain_text("No longer kept.")


def test_the_theme_that_is_kept_is_the_one_that_streamlit_puts_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put_together = app_session._populate_theme_msg
    monkeypatch.setattr(app_session, "_populate_theme_msg", put_together)  # put back in the end
    keep_theme()
    for section in ("theme", "theme.light", "theme.dark", "theme.sidebar"):
        expected = CustomThemeConfig()
        put_together(expected, section)
        for _ in range(2):
            found = CustomThemeConfig()
            app_session._populate_theme_msg(found, section)
            assert found == expected
            assert bool(found.ByteSize()) == (section != "theme.sidebar")
