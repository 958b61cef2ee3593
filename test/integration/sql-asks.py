#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that asks whoever connects for its password, for tests:

    sql-asks.py [--tls CERTIFICATE KEY] PASSWORD WAY...

WAY, of PostgreSQL's protocol: clear, md5-clear (in one breath), slow-clear (byte by byte);
of MySQL's: mysql_clear_password, dialog, sha256_password, caching_sha2_password, mysql_old_password.

It prints its port for each way, and for each connection that got so far "WAY HEARD", where HEARD is what came behind the question: the password,
nothing, or something.
"""
import socket
import ssl
import struct
import sys
import threading
import time

PG = ('clear', 'md5-clear', 'slow-clear')


def exactly(peer, size):
    data = b''
    while len(data) < size:
        more = peer.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def until_end(peer):
    data = b''
    peer.settimeout(2)
    try:
        while more := peer.recv(4096):
            data += more
    except OSError:
        pass
    return data


def postgresql(peer, way, tls):
    while True:
        size, code = struct.unpack('>II', exactly(peer, 8))
        exactly(peer, size - 8)
        if code != 80877103:
            break
        peer.sendall(b'S' if tls else b'N')
        if tls:
            peer = tls.wrap_socket(peer, server_side=True)
    clear = struct.pack('>cII', b'R', 8, 3)
    md5 = struct.pack('>cII', b'R', 12, 5) + b'salt'
    question = md5 + clear if way == 'md5-clear' else clear
    step = 1 if way == 'slow-clear' else len(question)
    for at in range(0, len(question), step):
        peer.sendall(question[at:at + step])
        if step == 1:
            time.sleep(0.01)
    return until_end(peer)


def packet(peer, number, data):
    peer.sendall(struct.pack('<I', len(data))[:3] + bytes([number]) + data)


def read_packet(peer):
    head = exactly(peer, 4)
    return exactly(peer, head[0] | head[1] << 8 | head[2] << 16)


def mysql(peer, way, tls):
    # LONG_PASSWORD, CONNECT_WITH_DB, PROTOCOL_41, SSL, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH
    flags = 0x0008a209 | (0x0800 if tls else 0)
    packet(peer, 0, b'\x0a8.0.30\0' + struct.pack('<I', 7) + b'abcdefgh\0' + struct.pack('<H', flags & 0xffff) + b'\x2d' +
           struct.pack('<HH', 2, flags >> 16) + b'\x15' + bytes(10) + b'ijklmnopqrst\0' + b'mysql_native_password\0')
    response = read_packet(peer)
    number = 2
    if len(response) == 32:
        peer = tls.wrap_socket(peer, server_side=True)
        read_packet(peer)
        number = 3
    if way == 'mysql_old_password':
        packet(peer, number, b'\xfe')
    else:
        packet(peer, number, b'\xfe' + way.encode() + b'\0' + b'abcdefghijklmnopqrst\0')
    if way == 'caching_sha2_password':
        # its proof is not in a cache, so the password is wanted
        try:
            read_packet(peer)
        except EOFError:
            return b''
        packet(peer, number + 2, b'\x01\x04')
    return until_end(peer)


def serve(way, password, tls, listener):
    while True:
        peer, _ = listener.accept()
        try:
            heard = (postgresql if way in PG else mysql)(peer, way, tls)
        except (EOFError, OSError):
            # who wanted TLS, or another certificate
            continue
        finally:
            peer.close()
        what = 'the password' if password in heard else 'something' if heard else 'nothing'
        print(way, what, flush=True)


def main():
    arguments = sys.argv[1:]
    tls = None
    if arguments[0] == '--tls':
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(arguments[1], arguments[2])
        del arguments[:3]
    ports = []
    for way in arguments[1:]:
        listener = socket.create_server(('127.0.0.1', 0))
        ports.append(str(listener.getsockname()[1]))
        threading.Thread(target=serve, args=(way, arguments[0].encode(), tls, listener), daemon=True).start()
    print(*ports, flush=True)
    # until its starter is gone
    sys.stdin.read()


main()
