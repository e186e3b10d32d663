#!/bin/sh
# documented.sh THRONG MAN-PAGE: what --help lists, the table of commands, the exit codes and the man page agree.
set -eu
throng=$1
page=$2
wrong=0

complain() {
    echo "$*" >&2
    wrong=1
}

# section COMMAND: the man page's lines about it.
section() {
    sed -n "/^\.Ss throng $1 Oo/,/^\.S[sh] /p" "$page" | sed '1!{/^\.S[sh] /d}'
}

# compare_options COMMAND: one word, or two for a command of a command.
compare_options() {
    told=$("$throng" $1 --help | sed -n 's/^  *\(-., \)\{0,1\}--\([a-z-]*\).*/\2/p' | grep -vxE 'help|usage|version' | sort)
    paged=$(section "$1" | sed -n 's/^\.It Fl \([A-Za-z] , \)\{0,1\}-\([a-z-]*\).*/\2/p' | sort)
    [ "$told" = "$paged" ] || complain "options of $1 differ ; --help: $(echo $told); man page: $(echo $paged)"
}

commands=$("$throng" help | sed -n 's/^  \([a-z]*\)  *[a-z].*/\1/p' | grep -v throng)
[ -n "$commands" ] || complain "throng help lists no commands"

for command in $commands; do
    grep -q "^\.It Cm $command\$" "$page" || complain "the man page does not list the command $command"
    section "$command" | grep -q . || complain "the man page has no section on $command"
    "$throng" help "$command" >/dev/null || complain "throng help $command fails"
    compare_options "$command"
done
compare_options "sim coopnet"
for command in $(sed -n 's/^\.It Cm \([a-z]*\)$/\1/p' "$page"); do
    echo "$commands" | grep -qx "$command" || complain "the man page lists $command, which there is not"
done

# Exit codes: number and words alike, in the same order.
codes=$("$throng" help codes | sed 's/^ *//; s/  */ /')
paged=$(sed -n '/^\.Sh EXIT/,/^\.Sh EXA/p' "$page" | sed -n '/^\.It [0-9]/{s/^\.It //;N;s/\n/ /;s/\\-/-/g;p}')
[ "$codes" = "$paged" ] || complain "exit codes differ: $codes
man page: $paged"

exit $wrong
