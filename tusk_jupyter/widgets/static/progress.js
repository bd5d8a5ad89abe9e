// The live line in the browser: draws what the kernel says of its statements, and carries the clicks of their buttons.
//
// Plain ESM, no bundler, no globals of any front end. All text is the kernel's, set as text. The DOM is made once per line
// and changed in place: a button that was rebuilt four times a second could neither be clicked nor keep the focus.
//
// Stop is a ladder, because no single way works everywhere. (1) A message with the query's id, repeated: it arrives while
// the cell runs where the front end has given this widget a subshell, and the first one may come before that is there.
// (2) After 1.2 s the notebook server's own interrupt, where there is one; it names the kernel and not the query, so the
// state is looked at again right before. (3) Words. What was asked is kept per query, not per view: the same line may be
// seen twice, and be drawn anew.

const RESEND_MS = 300;
const RESENDS = 4;
const INTERRUPT_MS = 1200;
const PATIENCE_MS = 3000;
const CONFIRM_MS = 10000;
const DOUBLE_CLICK_MS = 500;
const UNHEARD = "The kernel does not hear this button here: use the notebook's own interrupt button.";
const GONE = "The kernel was restarted, or has ended.";

const asked = new Map(); // what a button asked for → { open, note }
const views = new Set(); // what draws

function h(tag, attributes = {}, ...children) {
  const el = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) el.addEventListener(key.slice(2), value);
    else el.setAttribute(key, value);
  }
  el.append(...children);
  return el;
}

function setText(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

function setAttr(el, name, value) {
  if (value == null) el.removeAttribute(name);
  else if (el.getAttribute(name) !== String(value)) el.setAttribute(name, String(value));
}

const linesOf = (model) => model.get("view")?.lines ?? [];
const lineOf = (model, id) => linesOf(model).find((line) => line.id === id);
const holderKey = (id, holder) => `${id} ${holder.pid} ${holder.start}`;
const redraw = () => views.forEach((draw) => draw());

// ---- asking -------------------------------------------------------------------------------------------------------

function post(model, message) {
  try {
    model.send(message);
  } catch {
    // the widget is closed: what it was about has ended
  }
}

// sends a message until it was heard, at most RESENDS times more
function repeat(model, message, heard, unheard) {
  let sent = 0;
  const again = () => {
    if (heard()) return;
    if (sent++ > RESENDS) return unheard?.();
    post(model, message);
    setTimeout(again, RESEND_MS);
  };
  again();
}

function giveUp(key, note) {
  asked.set(key, { open: false, note });
  redraw();
}

function stop(model, id) {
  if (asked.get(id)?.open) return;
  asked.set(id, { open: true, note: "" });
  redraw();
  const heard = () => (lineOf(model, id)?.state ?? "stopping") === "stopping";
  const unheard = () => giveUp(id, model.get("view").unheard || UNHEARD);
  repeat(model, { op: "stop", id }, heard);
  setTimeout(async () => {
    if (heard()) return;
    if (!(await interrupt(model.get("view").kernel, heard))) unheard();
    else setTimeout(() => heard() || unheard(), PATIENCE_MS);
  }, INTERRUPT_MS);
}

// the notebook server's own interrupt, as its stop button asks for it; false where there is no such server
async function interrupt(kernel, heard) {
  try {
    const page = JSON.parse(document.getElementById("jupyter-config-data").textContent);
    const base = new URL(`${page.baseUrl || "/"}/`.replace(/\/+$/, "/"), location.href);
    const url = new URL(`api/kernels/${encodeURIComponent(kernel)}/interrupt`, base);
    if (!kernel || url.origin !== location.origin) return false;
    const headers = { "Content-Type": "application/json" };
    const cookie = /(?:^|;\s*)_xsrf=([^;]*)/.exec(document.cookie);
    if (cookie) headers["X-XSRFToken"] = cookie[1];
    if (page.token) headers.Authorization = `token ${page.token}`;
    if (heard()) return true;
    return (await fetch(url, { method: "POST", headers, body: "{}", credentials: "same-origin" })).ok;
  } catch {
    return false;
  }
}

function relieve(model, id, holder) {
  const key = holderKey(id, holder);
  if (asked.get(key)?.open) return;
  const before = holder.said;
  const now = () => lineOf(model, id)?.holders.find((one) => holderKey(id, one) === key);
  const heard = () => now()?.said !== before;
  const request = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
  const message = { op: "cancel_theirs", id, request, pid: holder.pid, backend_start: holder.start, how: holder.how };
  asked.set(key, { open: true, note: "" });
  redraw();
  const call = holder.how === "terminate" ? "pg_terminate_backend" : "pg_cancel_backend";
  const words = `the kernel does not hear this button here; elsewhere: select ${call}(${holder.pid})`;
  repeat(model, message, () => heard() && (giveUp(key, ""), true), () => giveUp(key, words));
}

// ---- drawing ------------------------------------------------------------------------------------------------------

// one line: its row, what there is to say about its button, and who is in the way
function makeLine(model, id, say) {
  const time = h("span", { class: "t-time" });
  const words = h("span", { class: "t-words" });
  const fill = h("i");
  const bar = h("span", { class: "t-bar", role: "progressbar", "aria-label": "done" }, fill);
  const button = h("button", { type: "button", class: "t-stop", onclick: () => isOpen() || stop(model, id) });
  const note = h("div", { class: "t-note" });
  const more = h("li", { class: "t-more" });
  const list = h("ul", { class: "t-way", "aria-label": "who is in the way" });
  const root = h("div", { class: "t-one", role: "group" }, h("div", { class: "t-row" }, time, words, bar, button), note, list);
  const holders = new Map();
  let stopping = false;

  const isOpen = () => stopping;

  function draw(line, gone) {
    stopping = gone || line.state === "stopping" || Boolean(asked.get(id)?.open);
    setText(time, line.elapsed);
    setText(words, gone ? "" : line.words); // it runs no more, and what became of it is not known
    setAttr(words, "title", gone ? null : line.words);
    bar.className = `t-bar ${line.share != null ? "" : line.waits || gone ? "t-still" : "t-moving"}`;
    fill.style.width = line.share != null ? `${Math.max(1, Math.min(100, 100 * line.share))}%` : "";
    setAttr(root, "aria-label", `statement on ${line.connection}`);
    setAttr(bar, "aria-valuetext", line.words);
    setAttr(bar, "aria-valuenow", line.share != null ? Math.round(100 * line.share) : null);
    setText(button, stopping && !gone ? "Stopping…" : "Stop");
    setAttr(button, "aria-disabled", stopping ? "true" : null);
    button.hidden = gone;
    const said = gone ? GONE : asked.get(id)?.note || "";
    setText(note, said);
    note.hidden = !said;
    drawHolders(line, gone);
    say(id, said || (stopping ? "stopping" : line.aloud));
  }

  function drawHolders(line, gone) {
    const keys = line.holders.map((holder) => holderKey(id, holder));
    for (const [key, one] of holders) {
      if (keys.includes(key)) continue;
      one.root.remove();
      holders.delete(key);
    }
    line.holders.forEach((holder, i) => {
      if (!holders.has(keys[i])) holders.set(keys[i], makeHolder(model, id));
      const one = holders.get(keys[i]);
      one.draw(holder, gone);
      if (list.children[i] !== one.root) list.insertBefore(one.root, list.children[i] ?? null);
    });
    setText(more, line.more);
    if (line.more) list.append(more);
    else more.remove();
    list.hidden = !list.children.length;
  }

  return { root, draw };
}

// a session in the way, with the button that asks the server to stop it; ending one is asked twice
function makeHolder(model, id) {
  const lead = h("span");
  const user = h("b");
  const rest = h("span");
  const query = h("code");
  const said = h("span", { class: "t-said" });
  const no = h("button", { type: "button", onclick: () => (confirm(false), button.focus()) }, "No");
  const button = h("button", { type: "button", onclick: press });
  const root = h("li", { onkeydown: escape }, h("span", { class: "t-who" }, lead, user, rest, query, said), button, no);
  let holder = null;
  let gone = false;
  let since = 0;
  let timer = 0;

  function confirm(on) {
    clearTimeout(timer);
    since = on ? Date.now() : 0;
    if (on) timer = setTimeout(() => confirm(false), CONFIRM_MS);
    draw(holder, gone);
  }

  function escape(event) {
    if (event.key !== "Escape" || !since) return;
    event.stopPropagation();
    confirm(false);
    button.focus();
  }

  function press() {
    if (asked.get(holderKey(id, holder))?.open) return;
    if (holder.how === "terminate" && !since) return confirm(true);
    if (since && Date.now() - since < DOUBLE_CLICK_MS) return;
    confirm(false);
    relieve(model, id, holder);
  }

  function draw(now, isGone) {
    holder = now;
    gone = isGone;
    const ask = asked.get(holderKey(id, holder));
    root.style.setProperty("--level", holder.level);
    setText(lead, holder.lead);
    setText(user, holder.user);
    setText(rest, holder.rest);
    setText(query, holder.query);
    const words = holder.said || ask?.note || "";
    setText(said, words && ` (${words})`);
    const label = since ? `End pid ${holder.pid}: its transaction is rolled back` : holder.how === "terminate" ? "End theirs…" : "Cancel theirs";
    setText(button, ask?.open ? "Asking…" : label);
    setAttr(button, "aria-label", ask?.open || since ? null : `${label.replace("…", "")}: pid ${holder.pid}`);
    setAttr(button, "aria-disabled", ask?.open ? "true" : null);
    button.classList.toggle("t-stop", Boolean(since));
    button.hidden = gone || !holder.how;
    no.hidden = !since;
  }

  return { root, draw };
}

function render({ model, el }) {
  const heard = h("div", { class: "t-hidden-text", role: "status", "aria-live": "polite" });
  const root = h("div", { class: "tusk-run" }, heard);
  const lines = new Map();
  const told = new Map();
  let gone = false;

  // what is new of a line, once: never the figures, which change all the time
  function say(id, words) {
    if (told.get(id) === words) return;
    told.set(id, words);
    setText(heard, words);
  }

  function draw() {
    const now = linesOf(model);
    for (const [id, line] of lines) {
      if (now.some((one) => one.id === id)) continue;
      line.root.remove();
      lines.delete(id);
    }
    now.forEach((line, i) => {
      if (!lines.has(line.id)) lines.set(line.id, makeLine(model, line.id, say));
      const one = lines.get(line.id);
      one.draw(line, gone);
      if (root.children[i + 1] !== one.root) root.insertBefore(one.root, root.children[i + 1] ?? null);
    });
    if (!now.length) setText(heard, "");
    root.classList.toggle("t-none", !now.length);
  }

  function onView() {
    gone = false;
    draw();
  }

  // told when the kernel was restarted or has ended, of which nothing else is heard
  function onGone() {
    gone = true;
    draw();
  }

  model.on("change:view", onView);
  model.on("comm_live_update", onGone);
  views.add(draw);
  el.append(root);
  draw();
  return () => {
    model.off("change:view", onView);
    model.off("comm_live_update", onGone);
    views.delete(draw);
  };
}

export default { render };
