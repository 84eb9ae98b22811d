import type { BuiltIn } from "../stage/built-in.ts";
import { fileRead } from "./file-read.ts";
import { fileWrite } from "./file-write.ts";
import { generate } from "./generate.ts";

/** The sources and sinks that come with the platform, by name. */
export const connectors: readonly BuiltIn[] = [fileRead, fileWrite, generate];
