// Who looks at this page, and what that one may do. A token stays in this page and is gone with it.

import { effect, signal } from "/vendor/signals.mjs";
import { get, refusals, token } from "/api.js";
import { html } from "/html.js";
import { open } from "/live.js";
import { say } from "/said.js";

/** The caller as the server knows it; null before that is known. */
export const access = signal(null);
const typed = signal("");
const wrong = signal(null);

/** Whether the server would let the caller do this, so that nothing is offered that it would refuse. */
export const may = (ability) => access.value?.abilities.includes(ability) === true;

/** Whether there is anything that the caller may change. */
export const changes = () => ["release", "drain", "forbid", "freeze"].some(may);

function refuse(why) {
  wrong.value = why;
  token.value = "";
  say(`The token was not taken: ${why}`);
}

async function ask(secret) {
  try {
    const found = await get("/api/v1/access");
    if (secret === token.value) access.value = found;
  } catch (why) {
    if (secret !== token.value) return;
    access.value = null;
    if (secret !== "" && (why.status === 401 || why.status === 403)) refuse(why.message);
  }
}

// With another token, whenever the server is there again, and when a token that was good is refused.
effect(() => {
  const secret = token.value;
  const again = secret !== "" && refusals.value > 0;
  if (open.value || secret !== "" || again) setTimeout(ask, 0, secret);
  else access.value = null;
});

function Given() {
  const known = access.value;
  const scope = known?.tenant ? `, for the tenant ${known.tenant} alone` : "";
  return html`<section aria-labelledby="access-title">
    <h2 id="access-title">Your token</h2>
    <p class="lead">${known ? `${known.user}, ${known.role}${scope}. It may ${known.abilities.join(", ")}.` : "Asking whose it is."}</p>
    <p class="lead">It is sent with every request of this page, kept nowhere, and gone when the page is closed.</p>
    <div class="row"><button type="button" class="quiet" onClick=${() => {
      token.value = "";
    }}>Forget it</button></div>
  </section>`;
}

export function Access() {
  if (token.value !== "") return html`<${Given} />`;
  const submit = (event) => {
    event.preventDefault();
    wrong.value = null;
    const secret = typed.value.trim();
    typed.value = "";
    // Nothing else fits into a header.
    if (/^[!-~]+$/.test(secret)) token.value = secret;
    else refuse("a token is printable ASCII without spaces, as halcyon token new prints it");
  };
  return html`<section aria-labelledby="access-title">
    <h2 id="access-title">Your token</h2>
    <p class="lead">To drain a region or steer a release, or where reading takes a token: of <code>halcyon token new</code>.</p>
    ${wrong.value !== null && html`<p class="problem">The token was not taken: ${wrong.value}</p>`}
    <form onSubmit=${submit}>
      <label for="token">Token</label>
      <div class="row">
        <input id="token" type="password" autocomplete="off" value=${typed} onInput=${(event) => {
          typed.value = event.target.value;
        }} />
        <button type="submit">Use it</button>
      </div>
    </form>
  </section>`;
}
