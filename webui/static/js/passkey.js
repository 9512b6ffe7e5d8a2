// Passkeys: a form with data-passkey="get" or "create" asks the server for options (data-options), has the device sign
// them, and sends itself with the answer. Without script, or without passkeys in the browser, the form stays hidden.
const bytes = (text) => {
  const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0));
};

const text = (buffer) => {
  let plain = "";
  for (const byte of new Uint8Array(buffer)) plain += String.fromCharCode(byte);
  return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
};

const withBytes = (options) => {
  const known = (list) => (list || []).map((item) => ({ ...item, id: bytes(item.id) }));
  const ready = { ...options, challenge: bytes(options.challenge) };
  if (options.user) ready.user = { ...options.user, id: bytes(options.user.id) };
  if (options.excludeCredentials) ready.excludeCredentials = known(options.excludeCredentials);
  if (options.allowCredentials) ready.allowCredentials = known(options.allowCredentials);
  return ready;
};

const plain = (credential) => {
  const { response } = credential;
  const answer = { clientDataJSON: text(response.clientDataJSON) };
  if (response.attestationObject) {
    answer.attestationObject = text(response.attestationObject);
    answer.transports = response.getTransports ? response.getTransports() : [];
  } else {
    answer.authenticatorData = text(response.authenticatorData);
    answer.signature = text(response.signature);
    if (response.userHandle) answer.userHandle = text(response.userHandle);
  }
  return {
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    clientExtensionResults: {},
    authenticatorAttachment: credential.authenticatorAttachment || undefined,
    response: answer,
  };
};

async function sign(form) {
  const answer = await fetch(form.dataset.options, {
    method: "POST",
    headers: { "X-CSRFToken": form.elements.csrf_token.value },
  });
  if (answer.redirected) {
    // Somebody has to show first who they are: go there, and come back.
    window.location.assign(answer.url);
    return new Promise(() => {});
  }
  if (!answer.ok) throw new Error(`options: ${answer.status}`);
  const publicKey = withBytes(await answer.json());
  const way = form.dataset.passkey === "create" ? "create" : "get";
  return navigator.credentials[way]({ publicKey });
}

export function passkeys(root) {
  if (!window.PublicKeyCredential || !navigator.credentials) return;
  for (const form of root.querySelectorAll("form[data-passkey]")) {
    const problem = form.querySelector("[data-passkey-problem]");
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (!form.reportValidity()) return;
      const button = form.querySelector("button");
      button.disabled = true;
      if (problem) problem.hidden = true;
      try {
        form.elements.credential.value = JSON.stringify(plain(await sign(form)));
        HTMLFormElement.prototype.submit.call(form);
      } catch {
        // Dismissed, timed out, or no passkey of ours on this device: browsers do not say which.
        button.disabled = false;
        if (problem) problem.hidden = false;
      }
    });
  }
}
