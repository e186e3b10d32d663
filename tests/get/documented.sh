#!/bin/sh
# documented.sh THRONG PAGE THRONGD ITS-PAGE MODULE: what --help lists, the table of commands, the exit codes and the man
# pages agree, and so do nginx's directives in the module's source.
set -eu
throng=$1
page=$2
daemon=$3
daemon_page=$4
module=$5
wrong=0

complain() {
    echo "$*" >&2
    wrong=1
}

# section COMMAND: the man page's lines about it.
section() {
    sed -n "/^\.Ss throng $1 Oo/,/^\.S[sh] /p" "$page" | sed '1!{/^\.S[sh] /d}'
}

# Long options in what --help prints, and in a part of a man page.
of_help() {
    sed -n 's/^  *\(-., \)\{0,1\}--\([a-z-]*\).*/\2/p' | grep -vxE 'help|usage|version' | sort
}

of_page() {
    sed -n 's/^\.It Fl \([A-Za-z] , \)\{0,1\}-\([a-z-]*\).*/\2/p' | sort
}

# agree WHAT TOLD PAGED
agree() {
    [ -n "$2" ] || complain "no $1 found"
    [ "$2" = "$3" ] || complain "$1 differ; told: $(echo $2); man page: $(echo $3)"
}

# compare_options COMMAND: one word, or two for a command of a command.
compare_options() {
    agree "options of $1" "$("$throng" $1 --help | of_help)" "$(section "$1" | of_page)"
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

agree "options of throngd" "$("$daemon" --help | of_help)" "$(of_page <"$daemon_page")"
agree "directives" "$(sed -n 's/^ *{ngx_string("\(throng[a-z_]*\)").*/\1/p' "$module" | sort)" \
    "$(sed -n 's/^\.It Ic \([a-z_]*\).*/\1/p' "$daemon_page" | sort)"

# Exit codes: number and words alike, in the same order.
codes=$("$throng" help codes | sed 's/^ *//; s/  */ /')
paged=$(sed -n '/^\.Sh EXIT/,/^\.Sh EXA/p' "$page" | sed -n '/^\.It [0-9]/{s/^\.It //;N;s/\n/ /;s/\\-/-/g;p}')
[ "$codes" = "$paged" ] || complain "exit codes differ: $codes
man page: $paged"

exit $wrong
