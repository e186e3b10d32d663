# Counts the tests in meson's testlog.json files (one JSON object a line; check puts the build tree's name before it).
# A cmocka program counts each of its tests; any other program counts as one. Exits 1 unless all passed or were skipped.
# Quotation marks inside a JSON string are escaped, so `"result": "` can't be part of a test's own output.

function field(line, name,    at) {
    at = index(line, "\"" name "\": \"")
    if (at == 0)
        return ""
    line = substr(line, at + length(name) + 5)
    return substr(line, 1, index(line, "\"") - 1)
}

# The sum of the numbers that stand after each `mark` in the line, as in "[  PASSED  ] 12 test(s)".
function cases(line, mark,    sum, at) {
    sum = 0
    while ((at = index(line, mark)) > 0) {
        line = substr(line, at + length(mark))
        sum += line + 0
    }
    return sum
}

{
    result = field($0, "result")
    if (result == "")
        next
    p = cases($0, "[  PASSED  ] ")
    f = cases($0, "[  FAILED  ] ")
    s = cases($0, "[  SKIPPED ] ")
    programs++
    if (result == "OK" || result == "EXPECTEDFAIL")
        passed += p > 0 ? p : 1
    else if (result == "SKIP") {
        skipped++
        print "check: skipped " field($0, "name") " (" $1 ")"
    } else {
        passed += p
        failed += f > 0 ? f : 1
        print "check: FAILED " field($0, "name") " (" $1 ", " tolower(result) ")"
    }
    skipped += s
}

END {
    if (programs == 0)
        failed = 1
    tail = skipped ? sprintf(", %d skipped", skipped) : ""
    printf "%d passed, %d failed%s\n", passed, failed, tail
    exit (failed > 0)
}
