// What is said to whoever cannot see the page: the one part of it that is read aloud when it changes.

import { signal } from "/vendor/signals.mjs";

/** What came of the last thing that somebody did here. */
export const said = signal("");

export const say = (text) => {
  said.value = text;
};
