// The sign-up form's proof of work: a number whose SHA-256 with the server's challenge begins with enough zero bits.
const BATCH = 512;

const zeroBits = (digest) => {
  const bytes = new Uint8Array(digest);
  let bits = 0;
  for (const byte of bytes) {
    if (byte === 0) {
      bits += 8;
      continue;
    }
    return bits + Math.clz32(byte) - 24;
  }
  return bits;
};

async function solve(challenge) {
  const wanted = Number(challenge.split(".")[1]);
  const encoder = new TextEncoder();
  for (let first = 0; ; first += BATCH) {
    const digests = await Promise.all(
      Array.from({ length: BATCH }, (_, index) => crypto.subtle.digest("SHA-256", encoder.encode(`${challenge}:${first + index}`))),
    );
    const found = digests.findIndex((digest) => zeroBits(digest) >= wanted);
    if (found >= 0) return `${challenge}:${first + found}`;
  }
}

export function work(root) {
  if (!window.crypto?.subtle) return;
  for (const place of root.querySelectorAll("[data-work]")) {
    const form = place.closest("form");
    const field = place.querySelector("input");
    const told = place.querySelector("[data-working]");
    let solving = null;
    const start = () => {
      solving ??= solve(place.dataset.work).then((answer) => {
        field.value = answer;
      });
      return solving;
    };
    form.addEventListener("focusin", start, { once: true });
    form.addEventListener("submit", async (event) => {
      if (field.value) return;
      event.preventDefault();
      told.hidden = false;
      await start();
      form.requestSubmit(event.submitter);
    });
  }
}
