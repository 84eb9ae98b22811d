import {
  createColumnHelper,
  createSortedRowModel,
  rowSortingFeature,
  sortFns,
  tableFeatures,
  useTable,
} from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useMemo, useRef } from "react";

const features = tableFeatures({ rowSortingFeature, sortedRowModel: createSortedRowModel(), sortFns });

/** A column: a value to sort by, and what is drawn for it. */
export interface Column<T> {
  readonly id: string;
  readonly header: string;
  readonly value: (row: T) => string | number;
  readonly cell?: (row: T) => ReactNode;
}

/** The height of a row, in pixels. */
const ROW_HEIGHT = 37;
/** From this many rows on only those in view are drawn. */
const VIRTUAL_FROM = 80;
const ARROWS = { asc: " ↑", desc: " ↓", none: "" } as const;

/**
 * A table that sorts by its headings. However many rows it is given, only those in view are in the document.
 * @param props.onReachEnd Asks for the next page when the last rows come into view.
 */
export function DataTable<T>(props: {
  label: string;
  rows: readonly T[];
  columns: readonly Column<T>[];
  keyOf: (row: T) => string;
  selected?: string | undefined;
  onReachEnd?: (() => void) | undefined;
}) {
  const { label, rows, columns, keyOf, selected, onReachEnd } = props;
  const frame = useRef<HTMLElement>(null);
  const definitions = useMemo(() => columnsOf(columns), [columns]);
  const data = rows as T[];
  const table = useTable({ features, columns: definitions, data, getRowId: keyOf } as never) as unknown as Sortable<T>;
  const all = table.getRowModel().rows;
  const isVirtual = all.length >= VIRTUAL_FROM;
  const virtual = useVirtualizer({
    count: isVirtual ? all.length : 0,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
    onChange: ({ range }) => {
      if (range !== null && range.endIndex >= all.length - 20) onReachEnd?.();
    },
  });
  const items = virtual.getVirtualItems();
  const shown = isVirtual ? items.map(({ index }) => all[index]).filter((row) => row !== undefined) : all;
  const before = isVirtual ? (items[0]?.start ?? 0) : 0;
  const after = isVirtual ? virtual.getTotalSize() - (items.at(-1)?.end ?? 0) : 0;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: whoever has no mouse scrolls it by keys
    <section className="table-frame" ref={frame} tabIndex={0} aria-label={label}>
      <table className="table" aria-rowcount={all.length + 1}>
        <thead>
          <tr>
            {table.getHeaderGroups()[0]?.headers.map(({ id, column }) => (
              <th key={id} scope="col" aria-sort={sortOf(column.getIsSorted())}>
                <button type="button" onClick={column.getToggleSortingHandler()}>
                  {column.columnDef.header as string}
                  <span aria-hidden="true">{ARROWS[column.getIsSorted() || "none"]}</span>
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {before > 0 ? <Gap height={before} width={columns.length} /> : null}
          {shown.map((row) => (
            <tr key={row.id} aria-selected={row.id === selected || undefined}>
              {columns.map(({ id, value, cell }) => (
                <td key={id} title={String(value(row.original))}>
                  {cell === undefined ? value(row.original) : cell(row.original)}
                </td>
              ))}
            </tr>
          ))}
          {after > 0 ? <Gap height={after} width={columns.length} /> : null}
        </tbody>
      </table>
    </section>
  );
}

/** What is used of a table here; the library's own types name every feature that it could have. */
interface Sortable<T> {
  getRowModel(): { rows: readonly { readonly id: string; readonly original: T }[] };
  getHeaderGroups(): readonly {
    readonly headers: readonly {
      readonly id: string;
      readonly column: {
        readonly columnDef: { readonly header?: unknown };
        getIsSorted(): false | "asc" | "desc";
        getToggleSortingHandler(): (event: unknown) => void;
      };
    }[];
  }[];
}

function columnsOf<T>(columns: readonly Column<T>[]): unknown {
  const helper = createColumnHelper<typeof features, object>();
  return helper.columns(
    columns.map(({ id, header, value }) =>
      helper.accessor((row) => value(row as T), { id, header, sortFn: "alphanumeric" }),
    ) as never,
  );
}

function sortOf(sorted: false | "asc" | "desc"): "ascending" | "descending" | "none" {
  return sorted === "asc" ? "ascending" : sorted === "desc" ? "descending" : "none";
}

function Gap({ height, width }: { height: number; width: number }) {
  return (
    <tr>
      <td className="pad" colSpan={width} style={{ height }} />
    </tr>
  );
}
