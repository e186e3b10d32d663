#!/usr/bin/python3
"""aria2c, as it is, from a site in a crowd on 2 Mbit/s: first alone with it, then with four peers that speak HTTP.

usage: metalink.py BUILD [--bytes N] [--uplink BITS] [--peer-uplink BITS]

Takes root: each peer and the client have a network of their own, joined by a router, so that each has an address. Peers
fetch the file by `throng get --stay` while the site's line is wide; then nginx is told of the narrow one, and reloads.
The server's part is measured before there are peers: all of the file, or as much as comes in --server-seconds.
Prints one line of JSON.
"""
import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HOST = "9.9.0.1"
PEERS = 4


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def wait_for(what, deadline_s, condition):
    deadline = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"metalink.py: not within {deadline_s} s: {what}")
        time.sleep(0.05)


class Network:
    """A network namespace, 9.9.N.2 in it, held by a process of ours."""

    def __init__(self, n):
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "7200"])
        own = os.readlink("/proc/self/ns/net")
        wait_for("a namespace", 10, lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != own)
        run("ip", "link", "add", f"v{n}", "type", "veth", "peer", "name", "e0", "netns", str(self.holder.pid))
        run("ip", "addr", "add", f"9.9.{n}.1/24", "dev", f"v{n}")
        run("ip", "link", "set", f"v{n}", "up")
        inside = f"ip link set lo up; ip addr add 9.9.{n}.2/24 dev e0; ip link set e0 up; ip route add default via 9.9.{n}.1"
        run(*self.enter("sh", "-c", inside))

    def enter(self, *command):
        return ["nsenter", "-n", "-t", str(self.holder.pid), *command]


def make_file(path, size):
    digest = hashlib.sha256()
    with open(path, "wb") as f:
        left = size
        while left > 0:
            block = os.urandom(min(left, 1 << 20))
            digest.update(block)
            left -= f.write(block)
    return digest.hexdigest()


def metrics():
    command = ["curl", "-s", "-m", "5", "--interface", "127.0.0.1", f"http://{HOST}:8080/.throng/metrics"]
    text = subprocess.run(command, capture_output=True, text=True).stdout
    return dict(re.findall(r"^(\S+) (\S+)$", text, re.M))


def nginx_of(site):
    """The process, and the path of its configuration, of the nginx that `throng serve` started."""
    with open(f"/proc/{site.pid}/task/{site.pid}/children", encoding="ascii") as f:
        children = f.read().split()
    for child in children:
        with open(f"/proc/{child}/cmdline", encoding="utf-8") as f:
            found = re.search(r"(/\S+/nginx\.conf)", f.read().replace("\0", " "))
        if found:
            return int(child), found[1]
    return None


def set_uplink(site, bps):
    """As an owner would: edit nginx.conf, reload."""
    wait_for("nginx", 10, lambda: nginx_of(site))
    pid, path = nginx_of(site)
    with open(path, encoding="utf-8") as f:
        text = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write(re.sub(r"throng_uplink \d+;", f"throng_uplink {bps};", text))
    os.kill(pid, signal.SIGHUP)
    wait_for("the new uplink", 20, lambda: metrics().get("throng_uplink_bytes_per_second") == str(bps // 8))


def fetch(client, folder, seconds=0):
    """One aria2c: bytes that came, seconds, and whether it said that the digest is right."""
    for name in os.listdir(folder):
        if name.startswith("got"):
            os.unlink(f"{folder}/{name}")
    command = ["aria2c", "--file-allocation=none", "--summary-interval=0", f"--stop={seconds}", "-d", folder, "-o", "got",
               f"http://{HOST}:8080/film"]
    start = time.monotonic()
    said = subprocess.run(client.enter(*command), capture_output=True, text=True).stdout
    took = time.monotonic() - start
    path = f"{folder}/got"
    size = os.stat(path).st_blocks * 512 if os.path.exists(path) else 0
    size = min(size, os.path.getsize(path)) if size else 0
    return size, took, "Verification finished successfully" in said


def start_peers(children, build, networks, folder, bps):
    """Takes all from the crowd: what came over HTTP could not be given on before its hashes are here."""
    for n, network in enumerate(networks):
        command = [f"{build}/throng", "get", "--stay", "7200", "--mode", "crowd", "--json", "--limit-rate", str(bps), "-o",
                   f"{folder}/peer{n}", f"http://{HOST}:8080/film"]
        children.append(subprocess.Popen(network.enter(*command), stdout=subprocess.PIPE, text=True))
    for n in range(len(networks)):
        wait_for("a peer", 600, lambda: os.path.exists(f"{folder}/peer{n}"))
    wait_for("peers named", 60, lambda: metrics().get("throng_http_peers") == str(len(networks)))


def measure(args, folder):
    os.mkdir(f"{folder}/www")
    os.chmod(f"{folder}/www", 0o755)
    digest = make_file(f"{folder}/www/film", args.bytes)
    run("ip", "link", "set", "lo", "up")
    run("ip", "addr", "add", f"{HOST}/32", "dev", "lo")
    with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as f:
        f.write("1")
    networks = [Network(n) for n in range(1, PEERS + 2)]
    with open(f"{folder}/site.out", "w+", encoding="utf-8") as out:
        command = [f"{args.build}/throng", "serve", f"{folder}/www", "--listen", f"{HOST}:8080", "--mode", "crowd", "--uplink", "1g",
                   "--state", f"{folder}/state"]
        site = subprocess.Popen(command, stdout=out)
    children = [site]
    try:
        wait_for("the site", 30, lambda: "ready" in open(f"{folder}/site.out", encoding="utf-8").read())
        set_uplink(site, args.uplink)
        size, took, _ = fetch(networks[-1], folder, args.server_seconds)
        server_bps = size * 8 / took
        set_uplink(site, 1000000000)
        start_peers(children, args.build, networks[:-1], folder, args.peer_uplink)
        set_uplink(site, args.uplink)
        size, took, verified = fetch(networks[-1], folder)
        with open(f"{folder}/got", "rb") as f:
            right = hashlib.sha256(f.read()).hexdigest() == digest
        gave = []
        for child in children[1:]:
            child.send_signal(signal.SIGINT)
            gave.append(json.loads(child.stdout.read())["uploaded"])
        return {"bench": "metalink", "bytes": args.bytes, "uplink_bps": args.uplink, "peers": PEERS,
                "peer_uplink_bps": args.peer_uplink, "server_mbit_s": round(server_bps / 1e6, 3),
                "peers_seconds": round(took, 2), "peers_mbit_s": round(size * 8 / took / 1e6, 3),
                "times_as_fast": round(size * 8 / took / server_bps, 2), "digest_checked_by_aria2": verified, "right": right,
                "peers_gave": gave}
    finally:
        for child in reversed(children):
            child.terminate()
        for child in children:
            child.wait()
        for network in networks:
            network.holder.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    small = os.environ.get("BENCH_SMALL", "0") != "0"
    parser.add_argument("build")
    parser.add_argument("--bytes", type=int, default=(5 if small else 100) * 1000000)
    parser.add_argument("--uplink", type=int, default=2000000)
    parser.add_argument("--peer-uplink", type=int, default=10000000)
    parser.add_argument("--server-seconds", type=int, default=5 if small else 60, help="0: to the end")
    args = parser.parse_args()
    args.build = os.path.realpath(args.build)
    if os.geteuid() != 0 or shutil.which("aria2c") is None:
        print("metalink.py: takes root, for network namespaces, and aria2c", file=sys.stderr)
        sys.exit(77)
    if os.environ.get("METALINK_WORLD") is None:
        os.environ["METALINK_WORLD"] = "1"
        os.execvp("unshare", ["unshare", "-n", sys.executable, *sys.argv])
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    try:
        print(json.dumps(measure(args, folder)))
    finally:
        shutil.rmtree(folder)


main()
