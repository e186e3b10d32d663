#!/usr/bin/python3
"""What an idle browser costs throngd: anonymous memory for each of many WebSockets that are open and silent.

usage: browsers.py THRONGD

Starts a throngd of its own with a socket for signalling and opens 10,000 connections to it (1,000 with BENCH_SMALL=1), as
nginx would for so many addresses. TLS is nginx's and not counted. Prints one line of JSON; issue 4 allows 4,096 bytes.
"""
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time

REQUEST = (
    "GET /.throng/ws HTTP/1.1\r\nHost: example.org\r\nOrigin: https://example.org\r\nX-Forwarded-For: 10.{}.{}.1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: throng.1\r\n\r\n"
)


def anonymous_bytes(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"RssAnon:\s+(\d+)", status.read())[1]) * 1024


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def connect(path, number):
    s = socket.socket(socket.AF_UNIX)
    deadline = time.monotonic() + 10
    while True:
        try:
            s.connect(path)
            break
        except (BlockingIOError, FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
    s.sendall(REQUEST.format(number >> 8, number & 255).encode())
    if b" 101 " not in s.recv(1000):
        sys.exit(f"browsers.py: connection {number} was refused")
    return s


def main():
    count = 1000 if os.environ.get("BENCH_SMALL", "0") != "0" else 10000
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 300:
        sys.exit(f"browsers.py: {count} connections take more descriptors than {hard}: raise `ulimit -Hn`")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 300, hard))
    folder = tempfile.mkdtemp()
    path = folder + "/signal.sock"
    daemon = subprocess.Popen([sys.argv[1], "--board", folder + "/board", "--state", folder, "--signal", path,
                               "--origin", "http://127.0.0.1:9", "--listen", f"127.0.0.1:{free_port()}"])
    try:
        warm = [connect(path, n) for n in range(100)]
        before = anonymous_bytes(daemon.pid)
        idle = [connect(path, 100 + n) for n in range(count)]
        after = anonymous_bytes(daemon.pid)
        print(json.dumps({"bench": "browsers", "connections": len(idle), "warm": len(warm),
                          "bytes_each": round((after - before) / count), "bytes_allowed": 4096}))
    finally:
        daemon.terminate()
        daemon.wait()
        shutil.rmtree(folder)


main()
