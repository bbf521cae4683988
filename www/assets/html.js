// Elements with what is in them. Text is put in as text, never as markup: what comes from outside is data.

import htm from "/vendor/htm.mjs";
import { h } from "/vendor/preact.mjs";

export const html = htm.bind(h);
