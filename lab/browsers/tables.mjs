// What the runs found, as Markdown.
const mb = (bytes) => (bytes / 1e6).toFixed(2), s = (ms) => (ms === null ? "–" : (ms / 1000).toFixed(1));
const percent = (part, whole) => Math.round((100 * part) / whole) + " %";

export function tables(records) {
    const alone = (up) => records.find((r) => r.way === "nginx" && r.up === up);
    const rows = records.map((r) => {
        const nginx = alone(r.up), against = (key) => (nginx && nginx !== r && r[key] !== null ? percent(r[key], nginx[key]) : "");
        return `| ${r.way === "nginx" ? "nginx alone" : "`--mode " + r.way + "`"} | ${r.up} | ${r.complete} of ${r.visitors} | ${s(r.median_ms)} | ` +
            `${against("median_ms")} | ${s(r.max_ms)} | ${mb(r.server_sent)} | ${against("server_sent")} | ${mb(r.from_peers)} | ${mb(r.duplicate)} | ` +
            `${r.messages_max} | ${Math.round(100 * r.machine.busy)} %, ${(r.emulator.late_p99_us / 1000).toFixed(1)} ms${r.overloaded ? " OVERLOADED" : ""} |`;
    });
    return `Made by \`make browsers\` from \`browsers.jsonl\`; [browsers.md](browsers.md) says what it shows.

| server | its line, bit/s | complete, every byte right | median load, s | of nginx | longest, s | server sent, MB | of nginx | from visitors, MB | came twice, MB | most text messages of a visitor | processors busy, packets late (p99) |
|---|---|---|---|---|---|---|---|---|---|---|---|
${rows.join("\n")}
`;
}
