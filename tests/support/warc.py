"""Records of web archives."""


def warc_record(
    type: str, block: bytes, url: str = "https://news.example.org/a", kind: str = ""
) -> bytes:
    head = f"WARC/1.0\r\nWARC-Type: {type}\r\nWARC-Target-URI: {url}\r\nWARC-Record-ID: <urn:uuid:{url}>\r\n"
    if kind:
        head += f"Content-Type: {kind}\r\n"
    return (
        head.encode()
        + f"Content-Length: {len(block)}\r\n\r\n".encode()
        + block
        + b"\r\n\r\n"
    )


def answer(
    body: bytes,
    more: str = "",
    kind: str = "text/html; charset=iso-8859-1",
    status: str = "200 OK",
) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}\r\n".encode() + body


PAGE = "<html><body><p>Café</p></body></html>".encode("latin-1")
