import { createRequire } from "node:module";

// One by one: the whole of prom-client brings its cluster, its collectors and OpenTelemetry along, which nobody needs before the first scrape.
const require = createRequire(import.meta.url);

type PromClient = typeof import("prom-client");

export const Registry = require("prom-client/lib/registry.js") as PromClient["Registry"];
export const Counter = require("prom-client/lib/counter.js") as PromClient["Counter"];
export const Gauge = require("prom-client/lib/gauge.js") as PromClient["Gauge"];
export const Histogram = require("prom-client/lib/histogram.js") as PromClient["Histogram"];
