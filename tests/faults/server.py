"""A small HTTP server for tests: on SIGTERM it ends the requests in progress, then itself.

Usage: server.py PORT
"""

import http.server
import os
import signal
import sys
import threading
import time

WORK_SECONDS = 0.02


class Progress:
    """How many requests are being answered, and whether more are wanted."""

    def __init__(self):
        self.changed = threading.Condition()
        self.requests = 0
        self.ending = False

    def __enter__(self):
        with self.changed:
            self.requests += 1

    def __exit__(self, *_):
        with self.changed:
            self.requests -= 1
            self.changed.notify_all()

    def end(self):
        with self.changed:
            self.ending = True
            self.changed.wait_for(lambda: self.requests == 0)
        os._exit(0)


progress = Progress()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with progress:
            time.sleep(WORK_SECONDS)
            body = os.environ.get("GENERATION", "").encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            if progress.ending:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


server = Server(("", int(sys.argv[1])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=progress.end).start())
server.serve_forever()
