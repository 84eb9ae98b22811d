import { intWithin, rejectUnknownKeys } from "@metanode/core/internal";
import { natureError } from "../errors.ts";
import type { BeforeFilter, FilterRequest } from "../executor/executor.ts";
import { executorOf, type Resolvers } from "../executor/executors.ts";
import { protocolOf } from "../executor/nature-json.ts";
import { type Instance, keyOf } from "../instance/instance.ts";
import { LOOP_FINISHED, LOOP_ID, LOOP_NEXT } from "../instance/sys-context.ts";
import { metaTypeOf } from "../meta/meta-string.ts";
import { checkExecutor } from "../relation/loaded.ts";
import type { ExecutorSpec } from "../relation/relation.ts";
import { optionalList, optionalObject, optionalText, refuse } from "../shape.ts";
import type { RangeQuery, WorkStore } from "../store/store.ts";
import { parseSettings, type Window, windowOf, windowPartsOf } from "./settings.ts";

/**
 * Puts the contents of stored instances into the content of the upstream, as a JSON list of texts.
 *
 *  L1. Instances are read in the order of their whole keys (meta, id, para, version), each once.
 *  L2. Towards an L target one page is read per pass, and the next pass goes on strictly behind the last key; a page that is not full ends
 *      the loop.
 *  L3. Towards any other target all pages are read at once.
 */

/** What the loader stands on. */
export interface LoaderParts {
  readonly store: Pick<WorkStore, "range">;
  /** For the filters that each instance goes through. */
  readonly resolvers: () => Resolvers;
}

/** The settings of `instance-loader`, resolved. */
interface LoaderSettings {
  readonly keyGt: string;
  readonly keyLt: string;
  readonly pageSize: number;
  readonly windowParts: readonly [number, number] | undefined;
  readonly filters: readonly ExecutorSpec[];
}

const KNOWN = ["key_gt", "key_lt", "page_size", "time_part", "filters"];
/** Rows that are asked for at a time, however long a page is. */
const MAX_ROWS = 1_000;
/** What is read without a loop stands in memory as a whole. */
const MAX_CONTENT_LENGTH = 64 * 1024 * 1024;

/** The filter. @throws config.invalid; instance.invalid – the para has no window; executor.logic – too much without a loop */
export function instanceLoader(parts: LoaderParts): BeforeFilter {
  return async (upstream, request) => {
    const settings = loaderSettings(request.settings);
    const range: Range = {
      settings,
      window: settings.windowParts === undefined ? undefined : windowOf(upstream, settings.windowParts),
      after: upstream.sysContext[LOOP_NEXT] ?? settings.keyGt,
    };
    const isLoop = metaTypeOf(request.to) === "L";
    const { contents, next } = isLoop ? await onePage(parts, range, request) : await allPages(parts, range, request);
    const pass = Number(upstream.sysContext[LOOP_ID] ?? 0) + 1;
    return {
      ...upstream,
      content: JSON.stringify(contents),
      sysContext: {
        ...upstream.sysContext,
        [LOOP_ID]: String(pass),
        ...(next === undefined ? { [LOOP_FINISHED]: "" } : { [LOOP_NEXT]: next }),
      },
    };
  };
}

interface Range {
  readonly settings: LoaderSettings;
  readonly window: Window | undefined;
  /** Strictly behind this key. */
  readonly after: string;
}

interface Page {
  readonly contents: readonly string[];
  /** The last key, if there may be more behind it. */
  readonly next: string | undefined;
}

async function allPages(parts: LoaderParts, range: Range, request: FilterRequest): Promise<Page> {
  const contents: string[] = [];
  let length = 0;
  for (let after: string | undefined = range.after; after !== undefined; ) {
    const page: Page = await onePage(parts, { ...range, after }, request);
    for (const content of page.contents) {
      contents.push(content);
      length += content.length;
    }
    if (length > MAX_CONTENT_LENGTH) {
      throw natureError(
        "executor.logic",
        `instance-loader: more than ${MAX_CONTENT_LENGTH} characters lie between ${range.after} and ${range.settings.keyLt}; load them page by page, with a target of type L`,
      );
    }
    after = page.next;
  }
  return { contents, next: undefined };
}

async function onePage({ store, resolvers }: LoaderParts, range: Range, request: FilterRequest): Promise<Page> {
  const { pageSize, filters } = range.settings;
  const rows = await readRows(store, range, request.signal);
  const contents: string[] = [];
  for (const row of rows) contents.push((await filtered(row, filters, resolvers(), request)).content);
  const last = rows.at(-1);
  return { contents, next: last === undefined || rows.length < pageSize ? undefined : keyOf(last) };
}

async function readRows(
  store: LoaderParts["store"],
  { settings, window, after }: Range,
  signal: AbortSignal,
): Promise<Instance[]> {
  const rows: Instance[] = [];
  for (let keyGt = after; rows.length < settings.pageSize; ) {
    signal.throwIfAborted();
    const limit = Math.min(MAX_ROWS, settings.pageSize - rows.length);
    const query: RangeQuery = {
      keyGt,
      keyLt: settings.keyLt,
      ...(window === undefined ? {} : { createdGeMs: window.beginMs, createdLtMs: window.endMs }),
      limit,
    };
    const found = await store.range(query);
    rows.push(...found);
    const last = found.at(-1);
    if (last === undefined || found.length < limit) break;
    keyGt = keyOf(last);
  }
  return rows;
}

async function filtered(
  row: Instance,
  filters: readonly ExecutorSpec[],
  resolvers: Resolvers,
  request: FilterRequest,
): Promise<Instance> {
  let instance = row;
  for (const spec of filters) {
    const { before } = executorOf(resolvers, spec);
    if (before === undefined) {
      throw natureError("executor.logic", `instance-loader: ${spec.protocol} ${spec.url} is no filter before an executor`);
    }
    instance = await before(instance, { ...request, settings: spec.settings ?? "" });
  }
  return instance;
}

function loaderSettings(text: string): LoaderSettings {
  const given = parseSettings("instance-loader", text, KNOWN);
  const filters = optionalList("instance-loader.filters", given.filters) ?? [];
  return {
    keyGt: required("instance-loader.key_gt", given.key_gt),
    keyLt: required("instance-loader.key_lt", given.key_lt),
    pageSize: intWithin("instance-loader.page_size", given.page_size ?? 100, 1, 65_535),
    windowParts: windowPartsOf("instance-loader.time_part", given.time_part),
    filters: filters.map((one, at) => filterOf(`instance-loader.filters[${at}]`, one)),
  };
}

function required(path: string, value: unknown): string {
  return optionalText(path, value) ?? refuse(path, value, "a key or the beginning of one");
}

/** Nested filters are part of a text that came from outside: protocols may be spelled as Nature spells them. */
function filterOf(path: string, given: unknown): ExecutorSpec {
  const spec = optionalObject(path, given) ?? refuse(path, given, "{ protocol, url, settings }");
  rejectUnknownKeys(path, spec, ["protocol", "url", "settings"]);
  const known: unknown = { ...spec, protocol: protocolOf(spec.protocol, `${path}.protocol`) };
  checkExecutor(path, known);
  return known;
}
