// The page that all visitors want, and the servers that give it: nginx alone, and throng serve.
import { execFileSync, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const PORT = 443;
const READY_MS = 20000, PAGE_BYTES = 600000, PICTURES = 8, PICTURE_SIDE = 96;

/* What needs no decoder of its own, and can't be made smaller: noise as BMP. */
function picture(width, height) {
    const row = (width * 3 + 3) & ~3, bytes = Buffer.alloc(54 + row * height);
    bytes.write("BM");
    bytes.writeUInt32LE(bytes.length, 2);
    bytes.writeUInt32LE(54, 10);
    bytes.writeUInt32LE(40, 14);
    bytes.writeInt32LE(width, 18);
    bytes.writeInt32LE(height, 22);
    bytes.writeUInt16LE(1, 26);
    bytes.writeUInt16LE(24, 28);
    randomBytes(row * height).copy(bytes, 54);
    return bytes;
}

const noise = (bytes) => randomBytes(bytes / 2).toString("hex");

/** Files of the page, PAGE_BYTES in all: {path: bytes}. */
function files() {
    const names = Array.from({ length: PICTURES }, (_, i) => `picture-${i}.bmp`);
    const all = {
        "/style.css": Buffer.from(`h1{color:rgb(1,2,3)}img{width:96px}\n/*${noise(16000)}*/\n`),
        "/code.js": Buffer.from(`import "./more.js";document.documentElement.dataset.code="ran";\n//${noise(24000)}\n`),
        "/more.js": Buffer.from(`export {};\n//${noise(20000)}\n`),
    };
    for (const name of names)
        all["/" + name] = picture(PICTURE_SIDE, PICTURE_SIDE);
    all["/large.bmp"] = picture(320, 270);
    const body = `<!doctype html><title>Page</title><link rel=icon href=data:,><link rel=stylesheet href=style.css>
<script type=module src=code.js></script><h1>page</h1><img src=large.bmp>${names.map((name) => `<img src=${name}>`).join("")}<p>`;
    const rest = PAGE_BYTES - Object.values(all).reduce((sum, bytes) => sum + bytes.length, body.length);
    return { "/index.html": Buffer.from(body + noise(rest & ~1) + (rest & 1 ? " " : "")), ...all };
}

/** Writes the page, and a certificate for the address that it will have. */
export function makeSite(folder, ip) {
    const site = join(folder, "site"), all = files(), hashes = {};
    chmodSync(folder, 0o755);
    mkdirSync(site);
    for (const [path, bytes] of Object.entries(all)) {
        writeFileSync(site + path, bytes);
        hashes[path] = createHash("sha256").update(bytes).digest("hex");
    }
    const cert = join(folder, "cert.pem"), key = join(folder, "key.pem");
    execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", `/CN=${ip}`,
        "-addext", `subjectAltName=IP:${ip}`, "-keyout", key, "-out", cert], { stdio: "pipe" });
    const der = execFileSync("sh", ["-c", 'openssl x509 -in "$1" -pubkey -noout | openssl pkey -pubin -outform der', "sh", cert]);
    const bytes = Object.values(all).reduce((sum, one) => sum + one.length, 0);
    return { folder, site, cert, key, hashes, bytes, spki: createHash("sha256").update(der).digest("base64"), url: `https://${ip}/index.html` };
}

/* The same TLS, HTTP/2 and sendfile as throng serve gives its nginx. */
function nginxConfig(made, ip) {
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${made.folder}/tmp-${name};`).join("\n");
    return `daemon off;\npid ${made.folder}/nginx.pid;\nerror_log ${made.folder}/nginx.log;\nworker_processes auto;
events { worker_connections 1024; }
http {
include /etc/nginx/mime.types;
${temporary}
access_log off; sendfile on; tcp_nopush on; keepalive_timeout 65;
server { listen ${ip}:${PORT} ssl http2; ssl_certificate ${made.cert}; ssl_certificate_key ${made.key};
ssl_protocols TLSv1.2 TLSv1.3; root ${made.site}; }
}
`;
}

function commandOf(way, made, lines, throng, up, more) {
    const ip = lines.nodes[0].ip;
    if (way === "nginx") {
        writeFileSync(join(made.folder, "nginx.conf"), nginxConfig(made, ip));
        return ["nginx", "-p", made.folder + "/", "-c", "nginx.conf", "-e", join(made.folder, "nginx.log")];
    }
    return [throng, "serve", made.site, "--listen", `${ip}:${PORT}`, "--uplink", up, "--mode", way, "--state", join(made.folder, "state"),
        "--tls-cert", made.cert, "--tls-key", made.key, ...more];
}

/** way: nginx; or the mode of throng serve, which gets `more` arguments. Returns what stops it. */
export async function startServer(way, made, lines, throng, up, more = []) {
    const [program, ...args] = [...lines.enter(0), ...commandOf(way, made, lines, throng, up, more)];
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    child.stdout.on("data", (bytes) => (out += bytes));
    child.stderr.on("data", (bytes) => (out += bytes));
    const gone = new Promise((go) => child.on("exit", go));
    const ready = () => (way === "nginx" ? existsSync(join(made.folder, "nginx.pid")) : out.includes("ready "));
    for (const end = Date.now() + READY_MS; !ready(); ) {
        if (child.exitCode !== null || Date.now() > end)
            throw new Error(`${program} ${args.join(" ")}: ${out}`);
        await new Promise((go) => setTimeout(go, 50));
    }
    return async () => {
        child.kill("SIGTERM");
        await gone;
        const log = join(made.folder, "state", "error.log");
        return out + (existsSync(log) ? readFileSync(log, "utf8") : "");
    };
}
