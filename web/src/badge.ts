/* A small mark that says what is going on, and lets the visitor out. */

import { Peer } from "./peer";

export function badge(peer: Peer): void {
    const box = document.createElement("details");
    box.id = "throng-badge";
    box.innerHTML = "<summary>shared page</summary><p></p><a>Don't take part</a>";
    const [, text, link] = box.children as unknown as [HTMLElement, HTMLElement, HTMLAnchorElement];
    box.ontoggle = () => {
        const s = peer.stats(), all = s.fromPeers + s.fromSeeder, kb = (n: number) => Math.round(n / 1000).toLocaleString() + " KB";
        text.textContent = `Many visitors at once: they pass this page on to each other. ` +
            `${kb(s.fromPeers)} of ${kb(all)} came from other visitors, ${kb(s.uploaded)} went to them.`;
        link.href = "/.throng/off?to=" + location.pathname + location.search;
    };
    document.body.append(box);
}
