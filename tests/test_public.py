"""Who is answered, what each answer says to the browser, and what a failure tells."""

import ast
import asyncio
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import create_connection
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
import websockets
from playwright.sync_api import Browser
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

from explainer.public import LONGEST_MESSAGE, MOST_UPLOADS, Front, Rules, headers, on_error
from tests.waiting import PATIENCE_MS, settles
from tools.server import ROOT, Server

PATHS = (
    "/",
    "/walkthrough",
    "/operands/weights/nobody/0",
    "/media/nothing",
    "/component/none/x.js",
    "/_stcore/health",
    "/_stcore/bidi-components/explainer.scene/web/main.js",
    "/_stcore/bidi-components/explainer.scene/server.py",
    "/..%2fapp.py",
    "//elsewhere.example/",
)


def ask(
    server: Server, path: str, method: str = "GET", body: bytes | None = None, **more: str
) -> tuple[int, dict[str, str], str]:
    address = urlsplit(server.url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=90)
    try:
        named = {name.replace("_", "-"): text for name, text in more.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, found, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def opened(server: Server, **more: Any) -> ClientConnection:
    stream = f"{server.url.replace('http', 'ws')}/_stcore/stream"
    return connect(
        stream, subprotocols=[websockets.Subprotocol("streamlit")], max_size=None, proxy=None, **more
    )


# ---- the operator's rules --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        ("localhost:8501", True),
        ("LOCALHOST.", True),
        ("127.0.0.1", True),
        ("[::1]:8501", True),
        ("10.1.2.3:8501", True),  # the address the connection was made to
        ("10.1.2.4", False),
        ("kv.example.org", True),
        ("a.b.school.example", True),
        ("school.example", False),
        ("otherschool.example", False),
        ("elsewhere.example", False),
        ("localhost.elsewhere.example", False),
        ("localhost@elsewhere.example", False),
        ("[", False),
        ("", False),
    ],
)
def test_the_server_answers_to_its_own_names_and_to_those_it_was_given(host: str, answered: bool) -> None:
    rules = Rules.read({"EXPLAINER_HOSTS": "kv.example.org, *.School.example"})
    assert rules.answers_to(host, own="10.1.2.3") is answered
    assert Rules(hosts=("*",)).answers_to(host) is bool(host.strip("["))


@pytest.mark.parametrize("name", ["kv.example.org/path", "a;b", "'self'", "https://kv.example.org", "*evil"])
def test_a_name_that_is_none_is_refused_when_the_server_starts(name: str) -> None:
    with pytest.raises(ValueError, match="EXPLAINER_HOSTS"):
        Rules.read({"EXPLAINER_HOSTS": name})


@pytest.mark.parametrize("site", ["https://lms.example.org;script-src *", "'none'", "javascript:x", "a/b"])
def test_a_site_can_add_nothing_but_itself_to_the_policy(site: str) -> None:
    with pytest.raises(ValueError, match="EXPLAINER_FRAMES"):
        Rules.read({"EXPLAINER_FRAMES": site})


def test_only_the_sites_named_may_show_a_page_in_a_frame() -> None:
    none, some = headers(Rules()), headers(Rules.read({"EXPLAINER_FRAMES": "https://lms.example.org"}))
    assert none["Content-Security-Policy"].endswith("frame-ancestors 'self'")
    assert none["X-Frame-Options"] == "SAMEORIGIN"
    assert some["Content-Security-Policy"].endswith("frame-ancestors 'self' https://lms.example.org")
    assert "X-Frame-Options" not in some


# ---- what is answered ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_headers_and_tells_no_path_or_version(app_server: Server, path: str) -> None:
    _, found, body = ask(app_server, path)
    for name, value in headers(Rules()).items():
        assert found[name.lower()] == value
    assert found["server"] == "uvicorn"
    for secret in ("Traceback", "site-packages", "/explainer/server.py", "/.venv/"):
        assert secret not in body


@pytest.mark.parametrize("path", ["/", "/_stcore/health", "/operands/weights/stories-1m-h8-kv8/0"])
def test_a_request_for_another_name_is_refused_with_a_sentence(app_server: Server, path: str) -> None:
    status, found, body = ask(app_server, path, Host="elsewhere.example")
    assert (status, "EXPLAINER_HOSTS" in body) == (400, True)
    assert "content-security-policy" in found


@pytest.mark.parametrize("origin", ["http://elsewhere.example", "null", "http://localhost.elsewhere.example"])
def test_a_page_of_another_site_opens_no_connection(app_server: Server, origin: str) -> None:
    with pytest.raises(websockets.InvalidStatus), opened(app_server, origin=origin):
        pass


def test_a_connection_for_another_name_is_refused(app_server: Server) -> None:
    address = urlsplit(app_server.url)
    with (
        pytest.raises(websockets.InvalidStatus),
        connect(
            "ws://elsewhere.example/_stcore/stream",
            sock=create_connection((address.hostname, address.port)),
            proxy=None,
        ),
    ):
        pass


def test_counters_are_kept_from_the_public(app_server: Server) -> None:
    assert ask(app_server, "/_stcore/metrics")[0] == 404


def test_a_route_that_fails_tells_that_it_did_and_nothing_else() -> None:
    async def fails(_request: Request) -> Response:
        raise RuntimeError("/secret/path of version 1.2.3")

    rules = Rules()
    app = Starlette(
        routes=[Route("/fails", fails)],
        middleware=[Front.middleware(rules)],
        exception_handlers={Exception: on_error(rules)},
    )
    scope = {"type": "http", "method": "GET", "path": "/fails", "query_string": b""}
    scope |= {"headers": [(b"host", b"localhost")], "server": ("127.0.0.1", 80)}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    # In a thread of its own: where a browser test ran before, this one's loop is taken by Playwright.
    with ThreadPoolExecutor(1) as aside, pytest.raises(RuntimeError):  # raised for the log
        aside.submit(lambda: asyncio.run(app(scope, receive, send))).result()
    start, body = sent
    assert start["status"] == 500
    assert b"content-security-policy" in dict(start["headers"])
    assert body["body"] == b"The server could not answer this."


# ---- what is taken in ------------------------------------------------------------------------------------


def test_a_message_longer_than_any_page_sends_ends_the_connection_and_no_other(app_server: Server) -> None:
    with opened(app_server) as other, opened(app_server) as socket:
        socket.send(b"\n" * (LONGEST_MESSAGE + 1))
        with pytest.raises(websockets.ConnectionClosed) as closed:
            list(socket)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009  # "message too big", as the protocol has it
        assert other.ping().wait(90)


def test_no_field_takes_more_than_fits_into_a_message() -> None:
    fields = ("text_input", "text_area", "chat_input")
    for file in (*(ROOT / "explainer").rglob("*.py"), *(ROOT / "pages").glob("*.py")):
        for call in ast.walk(ast.parse(file.read_text("utf-8"))):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr in fields
            ):
                assert "max_chars" in {given.arg for given in call.keywords}, f"{file}:{call.lineno}"


def test_uploads_are_bounded_in_size_and_number(app_server: Server) -> None:
    cookie = ask(app_server, "/_stcore/health")[1]["set-cookie"].split(";")[0]
    token = cookie.partition("=")[2].strip('"')

    def upload(session: str, name: str, size: int) -> int:
        body = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f.json"\r\n\r\n%s\r\n--x--\r\n'
        kind = "multipart/form-data; boundary=x"
        return ask(
            app_server,
            f"/_stcore/upload_file/{session}/{name}",
            "PUT",
            body % (b"1" * size),
            Cookie=cookie,
            X_Xsrftoken=token,
            Content_Type=kind,
        )[0]

    with opened(app_server) as socket:
        rerun = BackMsg()
        rerun.rerun_script.query_string = ""
        socket.send(rerun.SerializeToString())
        first = ForwardMsg.FromString(socket.recv(90, decode=False))
        while not first.new_session.initialize.session_id:
            first = ForwardMsg.FromString(socket.recv(90, decode=False))
        session = first.new_session.initialize.session_id
        assert upload("nobody", "a", 10) == 400
        assert upload(session, "large", 2 * 2**20) == 413
        taken = [upload(session, f"file{n}", 10) for n in range(MOST_UPLOADS + 2)]
        assert taken == [204] * MOST_UPLOADS + [413] * 2


# ---- in a browser ----------------------------------------------------------------------------------------


def test_a_page_of_another_site_cannot_show_the_app_in_a_frame(browser: Browser, app_server: Server) -> None:
    """The app is reached by one name and the other site by another, so that they are two sites."""

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f'<iframe src="{app_server.url}"></iframe>'.encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as elsewhere:
        Thread(target=elsewhere.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        told: list[str] = []
        page.on("console", lambda message: told.append(message.text))
        page.goto(f"http://localhost:{elsewhere.server_port}/", wait_until="load")
        settles(lambda: [] if page.frames[1].url.startswith("chrome-error:") else [page.frames[1].url])
        settles(lambda: [] if any("frame-ancestors" in one for one in told) else [told])
        page.close()
        elsewhere.shutdown()
