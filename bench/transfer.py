#!/usr/bin/python3
"""One seeder, one `throng get`, loopback, beside its limit and its rivals in the same run.

usage: transfer.py BUILD [--bytes N] [--folder DIR] [--utp]

Runs the programs as they are: `throng serve` (nginx with the module, throngd) in crowd mode and `throng get
--mode=crowd`, which takes all from throngd's seeder, sealed, verified, written. Beside that bench-transfer (the same code
without programs about it), bench-datagrams (the bare loop that is the limit), curl from nginx, and with --utp
libtorrent's uTP (package python3-libtorrent). Prints one line of JSON.
"""
import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run_json(*command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def make_file(path, size):
    block = os.urandom(1 << 20)
    with open(path, "wb") as f:
        left = size
        while left > 0:
            left -= f.write(block[: min(left, len(block))])


def wait_for_port(port):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    sys.exit("transfer.py: nginx does not answer; is it installed?")


def curl_from_nginx(folder, size):
    """Gbit/s of one curl from one nginx worker, file to file, over plain HTTP: no sealing, no hashing."""
    home = tempfile.mkdtemp(dir=folder)
    os.chmod(home, 0o755)
    make_file(f"{home}/object", size)
    port = free_port()
    with open(f"{home}/nginx.conf", "w", encoding="ascii") as f:
        temp = "".join(f"{name}_temp_path {home}/t;" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        f.write(
            f"daemon off; pid {home}/pid; worker_processes 1; error_log {home}/error.log; events {{}}"
            f"http {{ access_log off; sendfile on; {temp}"
            f"server {{ listen 127.0.0.1:{port}; location / {{ root {home}; }} }} }}"
        )
    nginx = subprocess.Popen(["nginx", "-p", f"{home}/", "-c", f"{home}/nginx.conf", "-e", f"{home}/error.log"])
    try:
        wait_for_port(port)
        make_file(f"{home}/got", size)  # memory is ready then, as bench-transfer has it
        os.unlink(f"{home}/got")
        start = time.monotonic()
        subprocess.run(["curl", "-sf", "-o", f"{home}/got", f"http://127.0.0.1:{port}/object"], check=True)
        return size * 8 / (time.monotonic() - start) / 1e9
    finally:
        nginx.terminate()
        nginx.wait()
        shutil.rmtree(home)


def wait_for_line(path, words, deadline_s):
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        with open(path, encoding="utf-8") as f:
            if words in f.read():
                return
        time.sleep(0.02)
    sys.exit(f"transfer.py: no '{words}' within {deadline_s} s; see {path}")


def get_once(build, url, path):
    """One `throng get`: its result, its processor time, its largest resident size."""
    command = [f"{build}/throng", "get", "--mode=crowd", "--silent", "--json", "-o", path, url]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    line = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"transfer.py: throng get failed: {line}")
    os.unlink(path)
    return json.loads(line), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def get_from_throngd(build, folder, size):
    """Gbit/s of `throng get` from throngd, once the manifest is made: from its start to the whole file."""
    home = tempfile.mkdtemp(dir=folder)
    os.chmod(home, 0o755)
    os.mkdir(f"{home}/site")
    os.mkdir(f"{home}/state", 0o777)
    os.chmod(f"{home}/state", 0o777)  # throngd serves as another user
    make_file(f"{home}/site/object", size)
    port = free_port()
    command = [f"{build}/throng", "serve", "--listen", f"127.0.0.1:{port}", "--mode=crowd", "--uplink=100g"]
    command += [f"--state={home}/state", f"{home}/site"]
    with open(f"{home}/serve.log", "w", encoding="utf-8") as log:
        serve = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for_line(f"{home}/serve.log", "ready", 20)
        url = f"http://127.0.0.1:{port}/object"
        deadline = time.monotonic() + 60
        while get_once(build, url, f"{home}/got")[0]["from"]["seeder"] == 0:  # who asks first has the manifest made
            if time.monotonic() > deadline:
                sys.exit("transfer.py: throngd made no manifest within a minute")
        make_file(f"{home}/got", size)  # memory is ready then, as bench-transfer has it
        os.unlink(f"{home}/got")
        got, cpu, resident = get_once(build, url, f"{home}/got")
        if not got["verified"] or got["from"]["seeder"] != size:
            sys.exit(f"transfer.py: not all of it came from the seeder: {got}")
        return {
            "get_gbit_s": round(size * 8 / got["seconds"] / 1e9, 2),
            "get_cpu_s": round(cpu, 2),
            "get_resident_max_bytes": resident,
        }
    finally:
        serve.terminate()
        serve.wait()
        shutil.rmtree(home)


def utp_session(lt, port):
    return lt.session(
        {
            "listen_interfaces": f"127.0.0.1:{port}",
            "enable_outgoing_tcp": False,
            "enable_incoming_tcp": False,
            "enable_dht": False,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "allow_multiple_connections_per_ip": True,
        }
    )


def utp(folder, size):
    """Gbit/s of libtorrent's uTP from one session to another."""
    import libtorrent as lt

    home = tempfile.mkdtemp(dir=folder)
    try:
        os.mkdir(f"{home}/got")
        make_file(f"{home}/object", size)
        files = lt.file_storage()
        lt.add_files(files, f"{home}/object")
        torrent = lt.create_torrent(files)
        lt.set_piece_hashes(torrent, home)
        info = lt.torrent_info(lt.bdecode(lt.bencode(torrent.generate())))
        seeder_port = free_port()
        seeder, peer = utp_session(lt, seeder_port), utp_session(lt, free_port())
        flags = lt.torrent_flags.seed_mode
        seeder.add_torrent({"ti": info, "save_path": home, "flags": flags})
        start = time.monotonic()
        got = peer.add_torrent({"ti": info, "save_path": f"{home}/got"})
        got.connect_peer(("127.0.0.1", seeder_port))
        while not got.status().is_seeding:
            if time.monotonic() > start + 120:
                sys.exit("transfer.py: libtorrent took more than two minutes")
            time.sleep(0.02)
        return size * 8 / (time.monotonic() - start) / 1e9
    finally:
        shutil.rmtree(home)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--bytes", type=int, default=1_000_000_000)
    parser.add_argument("--folder", default="/dev/shm")
    parser.add_argument("--utp", action="store_true")
    options = parser.parse_args()
    result = run_json(f"{options.build}/bench/bench-transfer", str(options.bytes), "1024", options.folder)
    limit = run_json(f"{options.build}/bench/bench-datagrams", "1")
    result["limit_gbit_s"] = limit["offload_1024"]
    result["limit_single_gbit_s"] = limit["single_1024"]
    result["share_of_limit"] = round(result["gbit_s"] / limit["offload_1024"], 2)
    result.update(get_from_throngd(options.build, options.folder, options.bytes))
    result["curl_from_nginx_gbit_s"] = round(curl_from_nginx(options.folder, options.bytes), 2)
    if options.utp:
        result["libtorrent_utp_gbit_s"] = round(utp(options.folder, options.bytes // 10), 2)
    print(json.dumps(result))


main()
