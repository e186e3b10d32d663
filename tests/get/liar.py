#!/usr/bin/python3
"""liar.py PORT SIZE: an HTTP server that answers everything with zeros, ranges included."""
import http.server
import re
import sys

SIZE = int(sys.argv[2])


class Liar(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        match = re.match(r"bytes=(\d+)-(\d*)$", self.headers.get("Range", ""))
        first, last = (int(match[1]), int(match[2] or SIZE - 1)) if match else (0, SIZE - 1)
        self.send_response(206 if match else 200)
        if match:
            self.send_header("Content-Range", f"bytes {first}-{last}/{SIZE}")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        self.wfile.write(bytes(last - first + 1))

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Liar).serve_forever()
