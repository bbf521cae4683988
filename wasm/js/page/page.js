// What people ask, over the module. Every answer and every message is the module's.

import * as glue from "./halcyon_bg.js";
import { coreOf, HalcyonError, owned, parsed, text } from "./edge.js";
import { encode, encoder } from "./value.js";

function attempt(call) {
  try {
    return call();
  } catch (thrown) {
    throw typeof thrown === "string" ? new HalcyonError(thrown) : thrown;
  }
}

const bytes = (table) => encode(parsed(table));
const utf8 = (value) => encoder.encode(value);

/** A value as the command line prints it: one line of ASCII. */
export const json = (value) =>
  JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (unit) => "\\u" + unit.charCodeAt(0).toString(16).padStart(4, "0"),
  );

export const explain = (router, tenant) =>
  attempt(() => glue.explain(coreOf(router), utf8(text(tenant)), Date.now()));

export const simulate = (from, to) =>
  attempt(() => glue.simulate(bytes(from), bytes(to), Date.now()));

const raw = (journal) => (journal instanceof Uint8Array ? journal : utf8(text(journal, "bad_journal")));

export const verify = (journal, expectedHead) =>
  attempt(() => glue.verify(raw(journal), expectedHead == null ? undefined : utf8(text(expectedHead, "bad_head"))));

export class Journal {
  #at;

  constructor(journal) {
    const at = glue.replay(raw(journal));
    owned(this, glue.dropReplay, at);
    this.#at = at;
    const lines = glue.lines(at);
    this.lines = lines === "" ? [] : lines.slice(0, -1).split("\n");
    this.tornTail = glue.torn(at);
    this.error = glue.error(at) ?? null;
  }

  get records() {
    return this.lines.map((line) => JSON.parse(line));
  }

  status({ driver = false } = {}) {
    return attempt(() => glue.status(this.#at, driver));
  }

  offers({ role = "", killSwitch = false } = {}) {
    return attempt(() => glue.offers(this.#at, utf8(role), killSwitch));
  }

  forecast(command, argument = "", { role = "", killSwitch = false, at = Date.now() } = {}) {
    return attempt(() =>
      glue.forecast(this.#at, utf8(text(command, "bad_command")), utf8(argument), utf8(role), killSwitch, at),
    );
  }
}
