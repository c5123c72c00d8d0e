"""An app whose answers the test decides: it hands every GET on, with its id and version. Usage: app_mock.py http://HOST:PORT"""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError
from urllib.request import urlopen

ASKED = sys.argv[1] + os.environ["MARATHON_APP_ID"] + "/" + os.environ["MARATHON_APP_VERSION"]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            status = urlopen(ASKED + self.path).status
        except HTTPError as error:
            status = error.code
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


ThreadingHTTPServer(("", int(os.environ["PORT0"])), Handler).serve_forever()
