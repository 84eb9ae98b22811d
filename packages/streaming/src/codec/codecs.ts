import type { Codec } from "./codec.ts";
import { frames } from "./frames.ts";
import { json, lines } from "./lines.ts";
import { netstrings } from "./netstrings.ts";

/** The codecs that cut a plain stream of bytes. `metanode` is a conversation, so it is not among them. */
export const codecs: Readonly<Record<"frames" | "lines" | "json" | "netstrings", Codec>> = { frames, lines, json, netstrings };
