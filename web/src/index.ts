/* What the package gives to people who wire it up themselves. */
export { Content } from "./content";
export { Core } from "./core";
export type { CoreOptions, Directions, Stats } from "./core";
export { Keep } from "./keep";
export type { Kept } from "./keep";
export { Mesh } from "./mesh";
export { Peer } from "./peer";
export type { PeerOptions } from "./peer";
export { CoreShare } from "./share";
export { ServerSocket } from "./signalling";
export type { Signalling, SignallingHost, Welcome } from "./signalling";
