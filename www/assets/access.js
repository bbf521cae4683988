// A token, for whoever may change something. It stays in this page and is gone with it.

import { signal } from "/vendor/signals.mjs";
import { token } from "/api.js";
import { html } from "/html.js";

const typed = signal("");

export function Access() {
  if (token.value !== "") {
    return html`<section aria-labelledby="access-title">
      <h2 id="access-title">Your token</h2>
      <p class="lead">It is sent with every request of this page, kept nowhere, and gone when the page is closed.</p>
      <button type="button" class="quiet" onClick=${() => {
        token.value = "";
      }}>Forget it</button>
    </section>`;
  }
  const submit = (event) => {
    event.preventDefault();
    token.value = typed.value.trim();
    typed.value = "";
  };
  return html`<section aria-labelledby="access-title">
    <h2 id="access-title">Your token</h2>
    <p class="lead">To steer a release, or where reading takes a token: of <code>halcyon token new</code>.</p>
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
