// The emulated lines: throng-lab --hold, and programs in the namespaces of its nodes.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export class Lines {
    /** keys: of the scenario, such as {"server.up": "2m"}. */
    static async make(lab, scenario, keys) {
        const lines = new Lines();
        const sets = Object.entries(keys).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
        lines.child_ = spawn(lab, [scenario, "--hold", ...sets], { stdio: ["pipe", "pipe", "inherit"] });
        lines.out_ = createInterface({ input: lines.child_.stdout })[Symbol.asyncIterator]();
        Object.assign(lines, await lines.next_());
        return lines;
    }

    async next_() {
        const { value, done } = await this.out_.next();
        if (done)
            throw new Error("throng-lab ended");
        return JSON.parse(value);
    }

    /** What went over the lines so far: {nodes: [{sent, received, …}], emulator}. */
    async traffic() {
        this.child_.stdin.write("traffic\n");
        return this.next_();
    }

    /** What to put before a command to run it in a node. */
    enter(node) {
        return ["nsenter", `--net=/proc/${this.pid}/fd/${this.nodes[node].fd}`, "--"];
    }

    async close() {
        if (this.child_.exitCode !== null)
            return;
        this.child_.stdin.end();
        await once(this.child_, "exit");
    }
}
