// A browser: questions are fetched, answers are posted.
import init, * as api from "./edge/browser.js";
import { answers } from "./questions.mjs";

let said;
try {
  await init();
  said = answers(api, await (await fetch("/questions.json")).json());
} catch (error) {
  said = { failed: String(error?.stack ?? error) };
}
await fetch("/answers", { method: "POST", body: JSON.stringify(said) });
