#!/usr/bin/env python3
"""Holds connections to a server: idle_connections.py HOST:PORT IDLE_COUNT SLOW_COUNT

Idle ones send nothing; slow ones send a request's head one byte a second. Says when all are there, and when
the server has closed all slow ones; ends when its standard input does.
"""
import resource
import select
import socket
import sys
import time

PATIENCE_S = 40


def closed(connection):
    """Whether the server has ended this connection, with an answer or without."""
    try:
        while connection.recv(4096):
            pass
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True


def main():
    host, port = sys.argv[1].split(":")
    idle_count, slow_count = int(sys.argv[2]), int(sys.argv[3])
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    idle = [socket.create_connection((host, int(port)), 20) for _ in range(idle_count)]
    slow = [socket.create_connection((host, int(port)), 20) for _ in range(slow_count)]
    for connection in slow:
        connection.setblocking(False)
    print(f"{len(idle)} idle, {len(slow)} slow", flush=True)
    head = b"POST /v1/serverless/classifiers/x/inference HTTP/1.1\r\nX-Padding: " + b"a" * 1000
    started = time.monotonic()
    for sent in range(PATIENCE_S):
        for connection in slow:
            try:
                connection.send(head[sent:sent + 1])
            except OSError:  # closed() sees it
                pass
        time.sleep(1)
        slow = [connection for connection in slow if not closed(connection)]
        if not slow:
            print("slow ones closed", flush=True)
            break
    else:
        print(f"{len(slow)} slow ones live after {time.monotonic() - started:.0f} s", flush=True)
    select.select([sys.stdin], [], [])


if __name__ == "__main__":
    main()
