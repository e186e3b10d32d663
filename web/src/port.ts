/* What worker and window say to each other. */

/** Worker to window, with a port: wants the bytes [from, to) of a path; `d`: the server's directions to it. */
export interface Ask { throng: string; d: string | undefined; from: number | undefined; to: number | undefined; page: boolean }

/* Window to worker, through the port: at once 1 (may have it) or 0 (has not). Then, once that is clear, an Answer; or 0. Then, for each
 * 1 that the worker sends, a Uint8Array of verified bytes, or the number up to which the server has to be asked for them; 0 in
 * between says that they are still expected. 0 from the worker ends it. */
export interface Answer { headers: [string, string][]; from: number; end: number; size: number }
