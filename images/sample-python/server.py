"""A TCP server with worker threads, made to be captured.

Every worker thread counts on its own; once a second the counts are printed. Each connection to port 7000 is answered with one line of JSON,
{"token", "counts", "connections"}, and closed. The token is drawn at start and lives in memory only: whoever prints it after a restore is the process that was captured.
With SNAPSHOT_CONTROL_DIR set it follows the sentinel contract: it writes ready-for-snapshot when warm and, unless KEEP_RUNNING=1, ends once
snapshot-complete appears.
"""

import json
import os
import secrets
import signal
import socket
import sys
import threading
import time

THREADS = int(os.environ.get("THREADS", "8"))
PORT = int(os.environ.get("PORT", "7000"))
CONTROL = os.environ.get("SNAPSHOT_CONTROL_DIR")
KEEP_RUNNING = os.environ.get("KEEP_RUNNING") == "1"

token = secrets.token_hex(16)
counts = [0] * THREADS
connections = 0


def count(index):
    while True:
        counts[index] += 1
        time.sleep(0.05)


def serve(listener):
    global connections
    while True:
        peer, _ = listener.accept()
        connections += 1
        state = {"token": token, "counts": counts, "connections": connections}
        with peer:
            try:
                peer.sendall(json.dumps(state).encode() + b"\n")
            except OSError as error:
                print(f"an answer was not delivered: {error}")


def sentinel(name):
    return os.path.join(CONTROL, name)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    listener = socket.create_server(("0.0.0.0", PORT))
    for index in range(THREADS):
        threading.Thread(target=count, args=(index,), daemon=True).start()
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    print(f"serving on port {PORT} with {THREADS} threads")
    if CONTROL:
        with open(sentinel("ready-for-snapshot"), "w", encoding="ascii") as ready:
            ready.write("ready\n")
    told = False
    while True:
        print(f"token={token} counts={','.join(map(str, counts))}")
        if CONTROL and not told and os.path.exists(sentinel("snapshot-complete")):
            told = True
            if not KEEP_RUNNING:
                print("snapshot-complete seen, ending")
                return
            print("snapshot-complete seen, going on")
        time.sleep(1)


main()
