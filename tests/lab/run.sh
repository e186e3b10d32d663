#!/bin/sh
# A short run of the lab with everything real, and that nothing of it is left, after kill -9 of the driver either.
#   run.sh THRONG-LAB THRONG SCENARIO
set -u
lab=$1
throng=$2
scenario=$3
out=$(mktemp -d) || exit 1
driver=
trap 'rm -rf "$out"; [ -z "$driver" ] || kill -9 "$driver" 2>/dev/null' EXIT
number=0

result() { # ok or "not ok", what
    number=$((number + 1))
    echo "$1 $number - $2"
}

note() {
    sed 's/^/# /' "$1"
}

bittorrent=$(dirname "$scenario")/../bittorrent

holds() { # of the run's JSON line; nothing holds of none
    [ -s "$out/json" ] && jq -e "$1" "$out/json" >/dev/null
}

short() { # duration, options
    duration=$1
    shift
    exec "$lab" "$scenario" --throng "$throng" --bittorrent "$bittorrent" --json --set run.duration="$duration" \
        --set run.warmup=0 --set run.nodes=30 --set object.size=32K --set server.mode=crowd "$@"
}

descendants() { # of a process, itself first
    echo "$1"
    for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
        descendants "$child"
    done
}

namespaces() { # that a process holds by descriptors
    ls -l /proc/"$1"/fd 2>/dev/null | sed -n 's/.* -> \(net:\[[0-9]*\]\)$/\1/p' | grep -v -F "$(readlink /proc/self/ns/net)"
}

# Whether one of the namespaces in $out/namespaces lives, by a process in it, a descriptor or a mount.
held() {
    ls -l /proc/[0-9]*/ns/net /proc/[0-9]*/fd /proc/[0-9]*/task/*/ns/net 2>/dev/null |
        sed -n 's/.* -> \(net:\[[0-9]*\]\)$/\1/p' | sort -u | grep -F -x -f "$out/namespaces" >/dev/null
}

anything_left() {
    for pid in $(cat "$out/processes"); do
        [ ! -e /proc/"$pid" ] || grep -q '^State:.*[ZX] (' /proc/"$pid"/status 2>/dev/null || return 0
    done
    held && return 0
    [ -e "$(cat "$out/directory")" ]
}

wait_until_gone() { # within 30 s
    tries=300
    while anything_left; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

# Once the server serves: what there is of the run.
take_note_of() {
    tries=300
    until [ "$(descendants "$1" | wc -l)" -ge 5 ]; do # driver, keeper, throng, throngd, nginx
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] && [ -e /proc/"$1" ] || return 1
        sleep 0.1
    done
    descendants "$1" >"$out/processes"
    namespaces "$1" >"$out/namespaces"
    for pid in $(cat "$out/processes"); do
        tr '\0' '\n' <"/proc/$pid/cmdline" | sed -n 's|^\(/.*/throng-lab-......\)/site$|\1|p'
    done 2>/dev/null | head -n 1 >"$out/directory"
    [ -s "$out/namespaces" ] && [ -s "$out/directory" ]
}

"$lab" "$scenario" --throng "$throng" --probe >"$out/json" 2>"$out/err"
code=$?
if [ "$code" -eq 77 ]; then
    echo "1..0 # SKIP $(head -n 1 "$out/err")"
    exit 0
fi
echo "1..10"

short 4s >"$out/json" 2>"$out/err" &
driver=$!
take_note_of "$driver" && result ok "a run has namespaces, processes and a directory" ||
    result "not ok" "a run has namespaces, processes and a directory"
wait "$driver"
code=$?
driver=
if [ "$code" -eq 0 ] && holds '.arrived > 5 and .completed == .arrived and .by_crowd > .by_http and .wrong == 0'; then
    result ok "all clients complete, most of them in the crowd"
else
    result "not ok" "all clients complete, most of them in the crowd (exit $code)"
    note "$out/err"
    note "$out/json"
fi
if holds '.emulator | (.rate_measured_bps / .rate_bps - 1 | fabs) < 0.02 and (.delay_error_us | fabs) < 5000 and .no_room == 0'; then
    result ok "delay and rate of the lines are what they should be"
else
    result "not ok" "delay and rate of the lines are what they should be"
    note "$out/json"
fi
wait_until_gone && result ok "nothing is left after a run" || result "not ok" "nothing is left after a run"

short 30s >"$out/json" 2>"$out/err" &
driver=$!
take_note_of "$driver"
kill -9 "$driver"
wait "$driver" 2>/dev/null
driver=
wait_until_gone && result ok "nothing is left after kill -9 of the driver" ||
    result "not ok" "nothing is left after kill -9 of the driver"

short 4s --set beside.flows=1 --set beside.at=1s --set arrivals.rate=1 >"$out/json" 2>"$out/err" &
driver=$!
wait "$driver"
driver=
if holds '.completed == .arrived and ([.line[][1]] | max) > 600000 and ([.line[][1]] | max) < 840000'; then
    result ok "a TCP flow beside the crowd fills its node's line"
else
    result "not ok" "a TCP flow beside the crowd fills its node's line"
    note "$out/err"
    note "$out/json"
fi

if /usr/bin/python3 -c 'import libtorrent' 2>/dev/null; then
    short 4s --set clients.kind=bittorrent --set arrivals.rate=2 >"$out/json" 2>"$out/err" &
    driver=$!
    wait "$driver"
    driver=
    if holds '.arrived > 2 and .completed == .arrived and .clients.received_sum.tcp > 32768'; then
        result ok "clients of BitTorrent complete in the same nodes"
    else
        result "not ok" "clients of BitTorrent complete in the same nodes"
        note "$out/err"
    fi
else
    result ok "clients of BitTorrent complete in the same nodes # SKIP no python3-libtorrent"
fi

refused() { # what is told, what it is
    "$lab" "$out/bad.scenario" --throng "$throng" >"$out/json" 2>"$out/err"
    code=$?
    if [ "$code" -eq 3 ] && [ "$(wc -l <"$out/err")" -eq 1 ] && grep -q -F "$1" "$out/err"; then
        result ok "$2"
    else
        result "not ok" "$2 (exit $code)"
        note "$out/err"
    fi
}

printf '[object]\nsized = 3\n' >"$out/bad.scenario"
refused 'bad.scenario:2: sized: no such key in [object]' "an unknown key is named with its line"
printf '[server]\n\nup = 0\n' >"$out/bad.scenario"
refused 'bad.scenario:3: up = 0: out of range' "an impossible rate is named with its line"
# As on a machine with 2 GB.
printf '[run]\nduration = 5s\nnodes = 4000\n' >"$out/bad.scenario"
ulimit -v 2000000
if "$lab" --keys >/dev/null 2>&1; then
    refused 'bad.scenario:3: nodes = 4000: take about' "more nodes than memory are named with their line"
else
    result ok "more nodes than memory are named with their line # SKIP a sanitizer takes more address space than that"
fi
