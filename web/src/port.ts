/* What worker and window say to each other. */

/** Worker to window, with a port: wants the bytes [from, to) of a path; `d`: the server's directions to it. */
export interface Ask { throng: string; d: string | undefined; from: number | undefined; to: number | undefined; page: boolean }

/* Window to worker, through the port: at once 1 (may have it) or 0 (has not); then, once that is clear, an Answer, and a
 * Uint8Array of verified bytes for each 1 that the worker sends. 0 ends either way. */
export interface Answer { headers: [string, string][]; from: number; end: number; size: number }
