import { type Instance, keyOf, type Locator } from "@metanode/nature";

/** How long the name of a meta is shown. */
const META_WIDTH = 26;

/** The story of an order: one line for each instance, in the order in which they were stored, with what it was made from. */
export class Story {
  readonly #numbers = new Map<string, number>();
  readonly #write: (line: string) => void;

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  /** Says what the reader sees happen from outside. */
  say(text: string): void {
    this.#write(`\n${text}`);
  }

  /** Tells of one stored instance. */
  tell(instance: Instance): void {
    const number = this.#numbers.size + 1;
    this.#numbers.set(keyOf(instance), number);
    const { meta, id, para, version, states, content, from } = instance;
    const name = shortName(meta).padEnd(META_WIDTH);
    const where = [para === "" ? id : para, ...(version === 0 ? [] : [`v${version}`])].join(" ");
    const what = [states.length === 0 ? "" : `{${states.join(", ")}}`, shortText(content)].filter((text) => text !== "");
    this.#write(`${String(number).padStart(3)}. ${name} ${[where, ...what].join("  ")}\n${" ".repeat(5)}${this.#origin(from)}`);
  }

  #origin(from: Locator | undefined): string {
    if (from === undefined) return "from outside";
    const number = this.#numbers.get(keyOf(from));
    return `<- ${number === undefined ? "" : `${number}. `}${shortName(from.meta)}${from.version === 0 ? "" : ` v${from.version}`}`;
  }
}

/** `sale/order` of `B:sale/order:1`, and the whole of what has no name. */
function shortName(meta: string): string {
  return meta.split(":")[1] || meta;
}

function shortText(content: string): string {
  return content.length <= 90 ? content : `${content.slice(0, 89)}…`;
}
