/* The frame in which the page is shown, and what keeps the window around it looking like the page's own. */

interface NavigateEvent extends Event { destination: { url: string }; downloadRequest: string | null; hashChange: boolean; formData: FormData | null }
type InnerWindow = Window & { navigation?: EventTarget };

const SCROLL = "throng:scroll";

export class Frame {
    private frame_ = document.createElement("iframe");
    private observer_: MutationObserver | undefined;
    private back_: boolean;

    constructor(url: string) {
        const navigation = performance.getEntriesByType("navigation")[0] as PerformanceNavigationTiming | undefined;
        this.back_ = navigation?.type === "reload" || navigation?.type === "back_forward";
        /* Not this window's own address: the page would take itself for its referrer. */
        this.frame_.referrerPolicy = "no-referrer";
        this.frame_.onload = () => this.loaded_();
        this.frame_.src = url;
        document.body.append(this.frame_);
        addEventListener("hashchange", () => this.hashTyped_());
        addEventListener("pagehide", () => this.keepScroll_());
        addEventListener("beforeprint", () => (this.frame_.style.height = this.inner_.document.documentElement.scrollHeight + "px"));
        addEventListener("afterprint", () => (this.frame_.style.height = ""));
        addEventListener("focus", () => this.inner_.focus());
        this.watch_();
    }

    private get inner_(): InnerWindow {
        return this.frame_.contentWindow as InnerWindow;
    }

    /* Until the document is there, each turn looks whether it is: waiting for `load` would leave the title behind. */
    private watch_(): void {
        let seen: Document | undefined;
        const look = () => {
            const document = this.readable_();
            if (document && document !== seen && document.URL !== "about:blank" && document.documentElement) {
                seen = document;
                this.entered_(document);
            }
        };
        setInterval(look, 50);
    }

    private readable_(): Document | null {
        try {
            return this.inner_.document;
        } catch {
            return null; /* another site's: it got in in spite of all */
        }
    }

    private entered_(inner: Document): void {
        const win = this.inner_;
        this.follow_();
        win.addEventListener("hashchange", () => this.follow_());
        win.addEventListener("popstate", () => this.follow_());
        win.navigation?.addEventListener("currententrychange", () => this.follow_());
        win.navigation?.addEventListener("navigate", (event) => this.leave_(event as NavigateEvent));
        inner.addEventListener("click", (event) => this.outward_(event), true);
        inner.addEventListener("submit", (event) => this.outward_(event), true);
        this.observer_?.disconnect();
        this.observer_ = new MutationObserver(() => this.head_(inner));
        this.observer_.observe(inner.head || inner.documentElement, { childList: true, subtree: true, characterData: true });
        this.head_(inner);
    }

    private loaded_(): void {
        const inner = this.readable_();
        if (!inner)
            return;
        this.follow_();
        this.head_(inner);
        if (document.activeElement !== this.frame_)
            this.inner_.focus();
        if (this.back_)
            this.restoreScroll_();
        this.back_ = false;
    }

    /* The address that the visitor sees is the page's. */
    private follow_(): void {
        const url = this.readable_()?.URL;
        if (url && url !== location.href && new URL(url).origin === location.origin)
            history.replaceState(history.state, "", url);
    }

    private head_(inner: Document): void {
        if (document.title !== inner.title)
            document.title = inner.title;
        if (document.documentElement.lang !== inner.documentElement.lang)
            document.documentElement.lang = inner.documentElement.lang;
        const href = inner.querySelector<HTMLLinkElement>("link[rel~=icon]")?.href || "/favicon.ico";
        let icon = document.querySelector<HTMLLinkElement>("link[rel=icon]");
        if (icon?.href === href)
            return;
        icon?.remove();
        icon = document.createElement("link");
        icon.rel = "icon";
        icon.href = href;
        document.head.append(icon);
    }

    private elsewhere_(url: string): boolean {
        const to = new URL(url, location.href);
        return /^https?:$/.test(to.protocol) && to.origin !== location.origin;
    }

    /* Links and forms to other sites take the whole window, with their method, body and referrer as they are. */
    private outward_(event: Event): void {
        const target = event.target as Element | null;
        const element = event.type === "submit" ? (target as HTMLFormElement) : target?.closest?.("a[href],area[href]");
        const url = element && ("action" in element ? String((element as HTMLFormElement).action) : (element as HTMLAnchorElement).href);
        if (url && this.elsewhere_(url) && /^(|_self)$/i.test(element.getAttribute("target") || ""))
            element.setAttribute("target", "_top");
    }

    /* … and so do scripts that go there. */
    private leave_(event: NavigateEvent): void {
        if (this.elsewhere_(event.destination.url) && event.downloadRequest === null && !event.formData && event.cancelable) {
            event.preventDefault();
            location.href = event.destination.url;
        }
    }

    private hashTyped_(): void {
        const inner = this.readable_();
        if (inner && inner.URL !== location.href)
            this.inner_.location.replace(location.href);
    }

    private keepScroll_(): void {
        try {
            sessionStorage.setItem(SCROLL, JSON.stringify([location.href, this.inner_.scrollX, this.inner_.scrollY]));
        } catch {
            /* no storage: the page begins at its top */
        }
    }

    private restoreScroll_(): void {
        try {
            const [url, x, y] = JSON.parse(sessionStorage.getItem(SCROLL) || "[]");
            if (url === location.href)
                this.inner_.scrollTo(x, y);
        } catch {
            /* the same */
        }
    }
}
