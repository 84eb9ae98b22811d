import type { ArgumentSpec, CommandSpec, OptionSpec } from "../command.ts";

const META: ArgumentSpec = { usage: "<meta>", summary: "a meta-string: TYPE:key:version", complete: "meta" };
const FROM: ArgumentSpec = { usage: "<from>", summary: "the meta that it leaves", complete: "meta" };
const TO: ArgumentSpec = { usage: "<to>", summary: "the meta that it leads to", complete: "meta" };
const FILE: ArgumentSpec = {
  usage: "<file>",
  summary: "TypeScript that exports flows, JSON, or Nature's rows as JSON or SQL; - for standard input",
  complete: "file",
};
const PRUNE: OptionSpec = { flags: "--prune", summary: "also remove what the node has and the file has not" };
const YES: OptionSpec = { flags: "-y, --yes", summary: "do not ask" };

const metas = () => import("../run/metas.ts");
const relations = () => import("../run/relations.ts");
const plans = () => import("../run/plans.ts");

/** Commands about what is declared on a node. */
export const registryCommands: readonly CommandSpec[] = [
  {
    path: "meta ls",
    summary: "list the metas that are declared on the node",
    examples: [{ line: "meta ls", does: "their states and settings, and what is wrong with them" }],
    load: () => metas().then(({ list }) => ({ run: list })),
  },
  {
    path: "meta get",
    summary: "show one meta, with what needs it",
    arguments: [META],
    examples: [{ line: "meta get B:sale/order:1", does: "everything about it" }],
    load: () => metas().then(({ get }) => ({ run: get })),
  },
  {
    path: "meta put",
    summary: "declare a meta, or change the one that is there",
    details: "What is not given has its default value.",
    arguments: [META, { usage: "[definition]", summary: "states, fields, settings …: JSON, @file, or - for standard input" }],
    options: [
      { flags: "--states <states>", summary: "a state expression, for example 'new|paid'" },
      { flags: "--master <meta>", summary: "the meta whose id its instances share", complete: "meta" },
      { flags: "--description <text>", summary: "for people" },
    ],
    examples: [
      { line: "meta put B:sale/order:1", does: "data without states" },
      { line: "meta put B:sale/state:1 --states 'new|paid' --master B:sale/order:1", does: "data with states" },
    ],
    load: () => metas().then(({ put }) => ({ run: put })),
  },
  {
    path: "meta rm",
    summary: "take a meta out; refused while anything needs it or instances of it are stored",
    arguments: [META],
    options: [YES],
    examples: [{ line: "meta rm B:sale/order:1 --yes", does: "it is declared no more" }],
    load: () => metas().then(({ remove }) => ({ run: remove })),
  },
  {
    path: "meta enable",
    summary: "let a meta count again",
    arguments: [META],
    examples: [{ line: "meta enable B:sale/order:1", does: "its instances are taken again" }],
    load: () => metas().then(({ enable }) => ({ run: enable })),
  },
  {
    path: "meta disable",
    summary: "let a meta count as not declared; refused while anything needs it",
    arguments: [META],
    examples: [{ line: "meta disable B:sale/order:1", does: "what is stored stays" }],
    load: () => metas().then(({ disable }) => ({ run: disable })),
  },
  {
    path: "meta plan",
    summary: "show what would change on the node if a file were declared",
    arguments: [FILE],
    options: [PRUNE],
    examples: [{ line: "meta plan shop.flow.ts", does: "what is added, changed and left alone" }],
    load: () => plans().then(({ plan }) => ({ run: plan })),
  },
  {
    path: "meta apply",
    summary: "declare a file on the node, all of it or nothing",
    arguments: [FILE],
    options: [PRUNE, YES],
    examples: [{ line: "meta apply shop.flow.ts --yes", does: "in force at once, without a restart" }],
    load: () => plans().then(({ apply }) => ({ run: apply })),
  },
  {
    path: "relation ls",
    summary: "list the relations that are declared on the node",
    options: [
      { flags: "--from <meta>", summary: "only those that leave this meta" },
      { flags: "--to <meta>", summary: "only those that lead to this meta", complete: "meta" },
    ],
    examples: [{ line: "relation ls --from B:sale/order:1", does: "what becomes of an order" }],
    load: () => relations().then(({ list }) => ({ run: list })),
  },
  {
    path: "relation get",
    summary: "show one relation",
    arguments: [FROM, TO],
    examples: [{ line: "relation get B:sale/order:1 B:sale/state:1", does: "its settings" }],
    load: () => relations().then(({ get }) => ({ run: get })),
  },
  {
    path: "relation put",
    summary: "declare a relation, or change the one that is there",
    arguments: [FROM, TO, { usage: "[settings]", summary: "its settings: JSON, @file, or - for standard input" }],
    options: [{ flags: "--disabled", summary: "declare it without letting it work" }],
    examples: [
      {
        line: `relation put B:sale/order:1 B:sale/state:1 '{"target":{"addStates":["new"]}}'`,
        does: "each order begins a line of states",
      },
    ],
    load: () => relations().then(({ put }) => ({ run: put })),
  },
  {
    path: "relation rm",
    summary: "take a relation out; work that was accepted goes on",
    arguments: [FROM, TO],
    options: [YES],
    examples: [{ line: "relation rm B:sale/order:1 B:sale/state:1 --yes", does: "from now on nothing comes of it" }],
    load: () => relations().then(({ remove }) => ({ run: remove })),
  },
];
