#!/usr/bin/python3
"""An FTP server for tests: ftp_server.py ROOT [BYTES_PER_SECOND]. Prints its port when it answers. Users: anonymous, and joe
with the password sesame."""
import logging
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, ThrottledDTPHandler
from pyftpdlib.servers import FTPServer

logging.basicConfig(level=logging.ERROR)
authorizer = DummyAuthorizer()
authorizer.add_anonymous(sys.argv[1])
authorizer.add_user("joe", "sesame", sys.argv[1])


class Transfer(ThrottledDTPHandler):
    write_limit = int(sys.argv[2]) if len(sys.argv) > 2 else 0


class Handler(FTPHandler):
    dtp_handler = Transfer


Handler.authorizer = authorizer
server = FTPServer(("127.0.0.1", int(sys.argv[3]) if len(sys.argv) > 3 else 0), Handler)
print(server.address[1], flush=True)
server.serve_forever()
