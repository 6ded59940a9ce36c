"""Remote write 1.0 as bytes: a protobuf WriteRequest in a snappy block. Only what verify sends: floats with labels."""

import struct

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]  # Prometheus' staleness marker, a NaN of its own
_LITERAL_MAX = 65536


def varint(number):
    out = bytearray()
    number &= 0xFFFFFFFFFFFFFFFF
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _bytes_field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def write_request(series):
    """series: [({label: value}, [(timestamp in ms, float)])]. The labels are sorted here, as the protocol wants them."""
    out = b""
    for labels, samples in series:
        body = b""
        for name, value in sorted(labels.items()):
            body += _bytes_field(1, _bytes_field(1, name.encode()) + _bytes_field(2, value.encode()))
        for timestamp, value in samples:
            # A stale marker has to keep its bits, which Python does for doubles that are only packed.
            body += _bytes_field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(timestamp))
        out += _bytes_field(1, body)
    return out


def snappy_block(data):
    """A valid snappy block without any compression: its length, and literals."""
    out = varint(len(data))
    for start in range(0, len(data), _LITERAL_MAX):
        piece = data[start:start + _LITERAL_MAX]
        out += bytes([61 << 2]) + struct.pack("<H", len(piece) - 1) + piece
    return out


def remote_write_body(series):
    return snappy_block(write_request(series))


REMOTE_WRITE_HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
    "User-Agent": "tributary-verify",
}
