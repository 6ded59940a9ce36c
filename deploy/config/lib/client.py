"""HTTP with credentials and with errors that say what happened. Never prints a password."""

import base64
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request


class Failure(Exception):
    """Something is not as it has to be; the text is for people."""


def read_credentials(file):
    """(user, password) from one line USER:PASSWORD, or from JSON with username and password as Secrets Manager has it."""
    try:
        with open(file, encoding="utf-8") as handle:
            text = handle.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: {getattr(error, 'strerror', None) or 'is no text'}") from None
    if text.startswith("{"):
        try:
            found = json.loads(text)
            return str(found["username"]), str(found["password"])
        except (ValueError, KeyError):
            raise ValueError(f"{file}: is no JSON object with username and password") from None
    user, colon, password = text.partition(":")
    if not colon or not user or not password or "\n" in text:
        raise ValueError(f"{file}: expected one line USER:PASSWORD, or JSON with username and password")
    return user, password


class Client:
    """One server. Requests end after `timeout` seconds; answers above 64 MiB are refused."""

    ANSWER_MAX = 64 << 20

    def __init__(self, url, credentials=None, ca_file=None, timeout=10):
        self.url = url.rstrip("/")
        self.name = urllib.parse.urlsplit(url).netloc
        self._credentials = credentials
        self._context = ssl.create_default_context(cafile=ca_file) if url.startswith("https://") else None
        self._timeout = timeout

    def request(self, path, body=None, headers=None, authenticate=True):
        """(status, body) of GET, or of POST if there is a body. An answer of any status is an answer."""
        request = urllib.request.Request(self.url + path, data=body, headers=dict(headers or {}))
        if self._credentials and authenticate:
            token = base64.b64encode(":".join(self._credentials).encode()).decode()
            request.add_unredirected_header("Authorization", f"Basic {token}")
        try:
            with urllib.request.urlopen(request, timeout=self._timeout, context=self._context) as answer:
                data = answer.read(self.ANSWER_MAX + 1)
                if len(data) > self.ANSWER_MAX:
                    raise Failure(f"{self.url}{path}: the answer is larger than 64 MiB")
                return answer.status, data
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(4096)
        except urllib.error.URLError as error:
            raise Failure(f"{self.url} cannot be reached: {error.reason}") from None
        except OSError as error:
            raise Failure(f"{self.url}{path}: {error or type(error).__name__}") from None

    def get_json(self, path, body=None, headers=None):
        status, data = self.request(path, body, headers)
        if status != 200:
            raise Failure(f"{self.url}{path.partition('?')[0]} answers {explain(status, data)}")
        try:
            return json.loads(data)
        except ValueError:
            raise Failure(f"{self.url}{path.partition('?')[0]} answers 200, but no JSON: "
                          "is this the right address?") from None

    def prometheus(self, path, **parameters):
        """`data` of one of Prometheus' API calls."""
        body = urllib.parse.urlencode(parameters, doseq=True).encode() if parameters else None
        answer = self.get_json(path, body, {"Content-Type": "application/x-www-form-urlencoded"} if body else None)
        if not isinstance(answer, dict) or answer.get("status") != "success":
            raise Failure(f"{self.url}{path}: {str(answer)[:200]}")
        return answer["data"]

    def query(self, expression, time=None):
        """The result of an instant query: a list of series, or of one for scalars."""
        more = {} if time is None else {"time": f"{time:.3f}"}
        data = self.prometheus("/api/v1/query", query=expression, **more)
        if data["resultType"] in ("scalar", "string"):
            return [{"metric": {}, "value": data["result"]}]
        return data["result"]


def explain(status, data=b""):
    text = data[:300].decode(errors="replace").strip().split("\n")[0]
    hint = {401: "credentials are missing or wrong", 403: "these credentials may not do this"}.get(status)
    return " ".join(part for part in (str(status), f"({hint})" if hint else "", text) if part)
