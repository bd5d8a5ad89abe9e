// The connection manager in the browser: draws the view that the kernel sends, sends back what the user asks for.
//
// Plain ESM, no bundler, no globals of any front end. The kernel's view is the only state that lasts; what is typed and
// not saved lives here as a draft per connection. A password is read from its field when it is sent, the field emptied
// at once, and what was sent forgotten as soon as the kernel has it; no trait ever holds one.
// All text is set as text. The one exception is the panel of an error, which the kernel sends as HTML made safe by it.
//
// The DOM is made once and changed in place: rebuilding it would take the focus away from whoever works by keyboard.

const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
const COLORS = ["red", "orange", "yellow", "green", "blue", "purple", "gray"];
const KINDS = ["db", "ssh", "sshkey", "sslkey"];
const RESEND_MS = [300, 600, 1200, 2400, 4800];
const PATIENCE_MS = 2500;
const HEARTBEAT_MS = 30000;
const MARKS = { ok: "✓", failed: "✗", running: "…", skipped: "–" };

// name, label, options or kind; `wide` fields take the row
const MAIN = [
  { name: "name", label: "Name", wide: true },
  { name: "host", label: "Host", placeholder: "host, socket directory, or paste a URL" },
  { name: "port", label: "Port", numeric: true },
  { name: "database", label: "Database", wide: true },
  { name: "username", label: "User", wide: true },
  { secret: "db", name: "password", label: "Password", wide: true },
  { name: "ssl_mode", label: "TLS", options: SSL_MODES.map((mode) => [mode, mode]) },
  { name: "read_only", label: "Read-only", options: [["no", "no"], ["yes", "yes"]] },
  { name: "group_id", label: "Group", options: [["", "none"]] },
  { name: "color", label: "Colour", options: [["", "none"], ...COLORS.map((color) => [color, color])] },
];
const SECTIONS = [
  {
    title: "SSH tunnel",
    now: (v) => (v.ssh ? `${v.ssh_username ? v.ssh_username + "@" : ""}${v.ssh_config_alias || v.ssh_host} (${v.ssh})` : "none"),
    fields: [
      { name: "ssh", label: "Method", wide: true, options: [["", "no tunnel"], ["agent", "SSH agent"], ["key", "key file"], ["password", "password"]] },
      { name: "ssh_host", label: "SSH host" },
      { name: "ssh_port", label: "Port", numeric: true },
      { name: "ssh_username", label: "SSH user", wide: true },
      { name: "ssh_key_path", label: "Key file", wide: true, when: (v) => v.ssh === "key" },
      { secret: "sshkey", name: "ssh_passphrase", label: "Passphrase", wide: true, when: (v) => v.ssh === "key" },
      { secret: "ssh", name: "ssh_password", label: "SSH password", wide: true, when: (v) => v.ssh === "password" },
      { name: "ssh_config_alias", label: "Alias", placeholder: "host in ~/.ssh/config" },
      { name: "ssh_local_port", label: "Local port", numeric: true, placeholder: "any" },
    ],
    hide: (v, field) => !v.ssh && field.name !== "ssh",
  },
  {
    title: "TLS files",
    now: (v) => [v.ssl_ca_cert && "CA", v.ssl_client_cert && "certificate", v.ssl_client_key && "key"].filter(Boolean).join(", ") || "none",
    fields: [
      { name: "ssl_ca_cert", label: "CA", wide: true, placeholder: "path on the kernel's machine, or system" },
      { name: "ssl_client_cert", label: "Certificate", wide: true },
      { name: "ssl_client_key", label: "Key", wide: true },
      { secret: "sslkey", name: "ssl_passphrase", label: "Passphrase", wide: true, when: (v) => v.ssl_client_key },
    ],
  },
  {
    title: "Limits and pool",
    now: (v) => [
      v.statement_timeout && `statement ${v.statement_timeout}`, v.lock_timeout && `lock ${v.lock_timeout}`,
      v.connect_timeout && `connect ${v.connect_timeout}`, v.pool_timeout && `pool ${v.pool_timeout}`, v.pool_size && `${v.pool_size} connections`,
    ].filter(Boolean).join(", ") || "defaults",
    fields: [
      { name: "statement_timeout", label: "Statement", placeholder: "no limit; 30s, 2min, 500ms" },
      { name: "lock_timeout", label: "Lock", placeholder: "no limit" },
      { name: "connect_timeout", label: "Connect", placeholder: "10s" },
      { name: "pool_timeout", label: "Pool wait", placeholder: "30s" },
      { name: "pool_size", label: "Pool size", numeric: true, placeholder: "5", wide: true },
    ],
  },
  {
    title: "More",
    now: (v) => [v.application_name, v.history === "no" && "no history", v.parameters && v.parameters.replace(/\n/g, " ")].filter(Boolean).join(", ") || "defaults",
    fields: [
      { name: "application_name", label: "Application", placeholder: "Tusk" },
      { name: "history", label: "History", options: [["yes", "yes"], ["no", "no"]] },
      { name: "parameters", label: "Parameters", area: true, wide: true, placeholder: "further libpq parameters, keyword=value, one a line" },
    ],
  },
];
const FIELDS = [...MAIN, ...SECTIONS.flatMap((section) => section.fields)];
const PLAIN = FIELDS.filter((field) => !field.secret);
const EMPTY = { ...Object.fromEntries(PLAIN.map((f) => [f.name, ""])), host: "localhost", port: "5432", ssl_mode: "prefer", read_only: "no", history: "yes", ssh_port: "22" };
// what an embedded server decides itself
const EMBEDDED = new Set(["host", "port", "database", "username", "ssl_mode", "ssh"]);

// a password is a message on the page's own connection, and as safe as that is
const EXPOSED = location.protocol === "http:" && !/^(.+\.)?localhost$|^127(\.\d+){3}$|^\[::1\]$/.test(location.hostname);

function h(tag, attributes = {}, ...children) {
  const el = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) el.addEventListener(key.slice(2), value);
    else if (value === true) el.setAttribute(key, "");
    else if (value !== false && value != null) el.setAttribute(key, value);
  }
  el.append(...children.filter((child) => child != null));
  return el;
}

function setText(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

function setAttr(el, name, value) {
  if (value == null) el.removeAttribute(name);
  else if (el.getAttribute(name) !== String(value)) el.setAttribute(name, String(value));
}

// "TLSv1.3 (cipher), verified", "none: why", "encrypted, verified" → what the line of the step says
function tlsStep(detail) {
  const version = /^TLSv([\d.]+)/.exec(detail);
  return version ? `TLS ${version[1]}` : detail.startsWith("none") ? `TLS ${detail}` : "TLS";
}

function newId() {
  return `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}`;
}

// postgresql://user:password@host:port/database?sslmode=… as people have it in their notes
function parseUrl(text) {
  const found = /^\s*postgres(?:ql)?(?:\+\w+)?:\/\/(?:(.*)@)?(\[[^\]]*\]|[^/?:@]*)(?::(\d+))?(?:\/([^?]*))?(?:\?(.*))?\s*$/.exec(text);
  if (!found) return null;
  try {
    const [, who = "", host, port, database, query = ""] = found;
    const [user, ...rest] = who.split(":");
    const parameters = new Map(query.split("&").filter(Boolean).map((pair) => {
      const [key, ...value] = pair.split("=");
      return [decodeURIComponent(key), decodeURIComponent(value.join("="))];
    }));
    const password = parameters.get("password") ?? (rest.length ? decodeURIComponent(rest.join(":")) : "");
    const mode = parameters.get("sslmode");
    const columns = { sslrootcert: "ssl_ca_cert", sslcert: "ssl_client_cert", sslkey: "ssl_client_key", application_name: "application_name" };
    const values = {};
    for (const [keyword, column] of Object.entries(columns)) {
      if (parameters.has(keyword)) values[column] = parameters.get(keyword);
      parameters.delete(keyword);
    }
    parameters.delete("password");
    parameters.delete("sslmode");
    if (host) values.host = host.replace(/^\[|\]$/g, "");
    if (port) values.port = port;
    if (database) values.database = decodeURIComponent(database);
    if (user) values.username = decodeURIComponent(user);
    if (mode) values.ssl_mode = mode;
    if (parameters.size) values.parameters = [...parameters].map(([k, v]) => `${k}='${v.replace(/\\/g, "\\\\").replace(/'/g, "\\'")}'`).join("\n");
    return { values, password };
  } catch {
    return null;
  }
}

// ---- messages: sent until acknowledged, done once -----------------------------------------------------------------

function courier(model, view, onSilence, onGone) {
  const open = new Map();
  let silent = 0;

  function receive(message) {
    const request = open.get(message?.id);
    if (!request) return;
    if (message.op === "ack") {
      if (!request.acknowledged) {
        request.acknowledged = true;
        request.content = null; // with the password that may be in it
        clearTimeout(request.timer);
        clearTimeout(request.patience);
        silent = 0;
        onSilence(false);
        if (request.oneWay) open.delete(message.id);
        request.onAck?.();
      }
    } else if (message.op === "done") {
      open.delete(message.id);
      clearTimeout(request.timer);
      clearTimeout(request.patience);
      request.done?.(message);
    } else request.progress?.(message);
  }

  function send(op, content = {}, { done, progress, onAck, oneWay = false } = {}) {
    const id = newId();
    const request = { content: { ...content, op, id, view }, done, progress, onAck, oneWay, acknowledged: false };
    open.set(id, request);
    let tries = 0;
    const post = () => {
      if (request.acknowledged || !open.has(id)) return;
      try {
        // a copy: the kernel's side of an in-browser kernel may take the password out of what it is given
        model.send(structuredClone(request.content));
      } catch {
        // the kernel was restarted, or ended: its widgets cannot be sent anything any more
        giveUp();
        onGone();
        return;
      }
      if (tries < RESEND_MS.length) request.timer = setTimeout(post, RESEND_MS[tries++]);
      else request.content = null;
    };
    request.patience = setTimeout(() => { silent += 1; onSilence(true); }, PATIENCE_MS);
    post();
    return id;
  }

  function giveUp() {
    for (const request of open.values()) {
      clearTimeout(request.timer);
      clearTimeout(request.patience);
    }
    open.clear();
  }

  function close() {
    giveUp();
    try {
      model.send({ op: "bye", id: newId(), view });
    } catch {
      // the kernel went first
    }
  }

  return { send, receive, close };
}

// ---- the whole ----------------------------------------------------------------------------------------------------

function render({ model, el }) {
  // every widget loads this module anew, so a counter would give two managers the same ids
  const place = newId();
  const uid = (name) => `tusk-mgr-${place}-${name}`;
  let view = model.get("view") || {};
  let live = false;
  let selected = null; // {type: "connection" | "new" | "group" | "newgroup", id}
  let confirming = null; // {request to send again, opener}
  const collapsed = new Set();
  const drafts = new Map(); // key → {values, typed, forget}
  const outcomes = new Map(); // key → {note, warnings, steps, error, problems}
  const kept = new Map(); // id → kinds of passwords that are stored
  const pending = new Map(); // key → what is being done, in words
  let keychain = null;

  // -- records

  const rows = () => view.connections || [];
  const groups = () => view.groups || [];
  const row = (id) => rows().find((one) => one.id === id);
  const group = (id) => groups().find((one) => one.id === id);
  const key = () => (selected ? `${selected.type}:${selected.id || ""}` : "");
  const baseline = () => ({ ...EMPTY, ...(selected?.type === "connection" ? row(selected.id)?.form : {}) });
  const isForm = () => selected?.type === "connection" || selected?.type === "new";
  function draft(create = false) {
    if (create && !drafts.has(key())) drafts.set(key(), { values: {}, typed: {}, forget: new Set() });
    return drafts.get(key()) || { values: {}, typed: {}, forget: new Set() };
  }
  const values = () => ({ ...baseline(), ...draft().values });
  function isDirty() {
    const { values: changed, typed, forget } = draft();
    return Object.keys(changed).length > 0 || Object.keys(typed).length > 0 || forget.size > 0;
  }

  // -- elements: list

  const search = h("input", { type: "text", placeholder: "Search", "aria-label": "Search connections", autocomplete: "off", spellcheck: "false", role: "searchbox" });
  const tree = h("div", { class: "t-tree", role: "tree", "aria-label": "Connections" });
  const none = h("div", { class: "t-none", hidden: true });
  const newConnection = h("button", { type: "button", class: "t-main" }, "New connection");
  const newGroup = h("button", { type: "button" }, "New group");
  const list = h("div", { class: "t-list" }, h("div", { class: "t-search" }, search), tree, none, h("div", { class: "t-new" }, newConnection, newGroup));

  // -- elements: form

  const title = h("b");
  const facts = h("div", { class: "t-head" }, title);
  const factSpans = ["state", "server", "pool", "transaction"].map((name) => h("span", { "data-fact": name }));
  facts.append(...factSpans);
  const inputs = new Map(); // field name → control
  const parts = new Map(); // field name → {label, cell, problem, hint}
  const keep = h("input", { type: "checkbox", id: uid("keep"), checked: true });
  const keepLabel = h("label", { for: uid("keep") }, keep, h("span"));
  const sections = SECTIONS.map((section) => {
    const now = h("span", { class: "t-now" });
    const grid = h("div", { class: "t-grid" }, ...section.fields.flatMap(fieldElements));
    const details = h("details", {}, h("summary", {}, h("span", {}, section.title), now), grid);
    return { section, details, now };
  });
  const form = h("div", { class: "t-grid", role: "form", "aria-label": "Connection" }, ...MAIN.flatMap(fieldElements), ...sections.map((one) => one.details));

  function fieldElements(field) {
    const id = uid(field.name);
    const common = { id, "data-field": field.name, autocomplete: "off", spellcheck: "false", placeholder: field.placeholder };
    let control;
    if (field.options) control = h("select", { id, "data-field": field.name }, ...field.options.map(([value, text]) => h("option", { value }, text)));
    else if (field.area) control = h("textarea", { ...common, rows: 3 });
    else if (field.secret) control = h("input", { ...common, type: "password", autocomplete: "new-password", "data-lpignore": "true", "data-1p-ignore": true });
    else control = h("input", { ...common, type: "text", inputmode: field.numeric ? "numeric" : null });
    const label = h("label", { for: id }, field.label);
    const problem = h("div", { class: "t-problem", id: `${id}-problem`, hidden: true });
    const cell = h("div", { class: field.wide ? "t-wide" : field.numeric ? "t-narrow" : "" }, control, problem);
    const part = { label, cell, problem };
    if (field.secret) {
      part.hint = h("div", { class: "t-hint", id: `${id}-hint` });
      part.where = h("span");
      part.forget = h("button", { type: "button", class: "t-link", onclick: () => forget(field) }, "Forget it");
      part.hint.append(...(field.secret === "db" ? [keepLabel] : []), part.where, part.forget);
      if (EXPOSED) part.hint.append(h("span", { class: "t-warn" }, `sent unencrypted: this page came over http from ${location.hostname}`));
      cell.append(part.hint);
    }
    inputs.set(field.name, control);
    parts.set(field.name, part);
    return [label, cell];
  }

  // -- elements: group form, outcome, buttons

  const groupName = h("input", { type: "text", id: uid("g-name"), autocomplete: "off", spellcheck: "false" });
  const groupParent = h("select", { id: uid("g-parent_id") });
  const groupColor = h("select", { id: uid("g-color") }, ...[["", "none"], ...COLORS.map((c) => [c, c])].map(([value, text]) => h("option", { value }, text)));
  const groupProblems = {};
  const groupForm = h("div", { class: "t-grid", role: "form", "aria-label": "Group", hidden: true },
    ...[["name", "Name", groupName], ["parent_id", "Inside", groupParent], ["color", "Colour", groupColor]].flatMap(([name, text, control]) => {
      groupProblems[name] = h("div", { class: "t-problem", id: `${control.id}-problem`, hidden: true });
      return [h("label", { for: control.id }, text), h("div", { class: "t-wide" }, control, groupProblems[name])];
    }));

  const steps = h("ol", { class: "t-steps", "aria-label": "Steps of the test" });
  const note = h("div", { class: "t-note", hidden: true });
  const warnings = h("div", { class: "t-warning", role: "alert", hidden: true });
  const errorBox = h("div", { class: "t-failure", role: "alert", hidden: true });
  const confirmText = h("span", { id: uid("confirm") });
  const confirmYes = h("button", { type: "button", class: "t-stop" });
  const confirmNo = h("button", { type: "button" }, "Cancel");
  const confirmBox = h("div", { class: "t-confirm", role: "alertdialog", "aria-labelledby": uid("confirm"), hidden: true }, confirmText, confirmYes, confirmNo);
  const said = h("div", { class: "t-hidden-text", "aria-live": "polite", role: "status" });
  const button = (name, text, kind, act) => [name, h("button", { type: "button", class: kind, "data-act": name, onclick: (event) => {
    if (event.currentTarget.getAttribute("aria-disabled") !== "true") act(event.currentTarget);
  } }, text)];
  const buttons = new Map([
    button("connect", "Connect", "t-main", () => connect()),
    button("disconnect", "Disconnect", "", (opener) => act("disconnect", {}, "disconnecting", opener)),
    button("use", "Use in cells", "t-main", () => act("use", {}, "changing")),
    button("test", "Test", "", () => test()),
    button("save", "Save", "", () => save()),
    button("revert", "Revert", "", () => revert()),
    ["gap", h("span", { class: "t-gap" })],
    button("up", "Move up", "", () => act("group_move", { direction: "up" }, "moving")),
    button("down", "Move down", "", () => act("group_move", { direction: "down" }, "moving")),
    button("duplicate", "Duplicate", "", () => act("duplicate", {}, "copying")),
    button("delete", "Delete", "t-stop", (opener) => act(selected?.type === "group" ? "group_delete" : "delete", {}, "deleting", opener)),
  ]);
  const bar = h("div", { class: "t-bar", role: "group", "aria-label": "Actions" }, ...buttons.values());
  const empty = h("div", { class: "t-none" }, "Choose a connection, or make a new one.");
  const pane = h("div", { class: "t-pane" }, facts, form, groupForm, empty, steps, note, warnings, errorBox, confirmBox, bar);
  const banner = h("div", { class: "t-banner", role: "status", hidden: true });
  const body = h("div", { class: "t-body" }, list, pane);
  const root = h("div", { class: "tusk-mgr t-static", role: "region", "aria-label": "Connection manager" }, banner, body, said);

  const post = courier(model, newId(), (silent) => {
    banner.hidden = !silent;
    setText(banner, !silent ? "" : live
      ? "The kernel does not answer: a cell is running, and what you ask for is done after it. If the kernel was restarted, run this cell again."
      : "Not connected to a kernel: run this cell to use the connection manager.");
  }, () => {
    live = false;
    pending.clear();
    root.classList.add("t-static");
    banner.hidden = false;
    setText(banner, "The kernel was restarted or ended: run this cell again to use the connection manager.");
  });

  function say(text) {
    // the same text twice is news as well
    said.textContent = "";
    said.append(text);
  }

  // -- drawing: list

  const items = new Map(); // key → element

  function wanted() {
    const word = search.value.trim().toLowerCase();
    const hit = (one) => !word || [one.name, one.address, group(one.group_id)?.name].some((text) => text?.toLowerCase().includes(word));
    const known = new Set(groups().map((one) => one.id));
    const saved = rows().filter((one) => one.saved && hit(one));
    const found = [];
    const shownBelow = (id) => saved.some((one) => one.group_id === id) || groups().some((one) => one.parent_id === id && shownBelow(one.id));
    const connection = (one, depth) => found.push({ type: "connection", id: one.id, depth, record: one });
    saved.filter((one) => !known.has(one.group_id)).forEach((one) => connection(one, 0));
    const walk = (parent, depth) => {
      for (const one of groups().filter((g) => (known.has(g.parent_id) ? g.parent_id : null) === parent)) {
        if (word && !shownBelow(one.id)) continue;
        const open = word ? true : !collapsed.has(one.id);
        found.push({ type: "group", id: one.id, depth, record: one, open });
        if (!open) continue;
        saved.filter((c) => c.group_id === one.id).forEach((c) => connection(c, depth + 1));
        walk(one.id, depth + 1);
      }
    };
    walk(null, 0);
    const others = rows().filter((one) => !one.saved && hit(one));
    if (others.length) {
      found.push({ type: "label", id: "open", depth: 0, record: { name: "Open, not saved" } });
      others.forEach((one) => connection(one, 0));
    }
    return found;
  }

  function drawList() {
    const shown = wanted();
    const focused = tree.contains(root.ownerDocument.activeElement) ? root.ownerDocument.activeElement : null;
    const gone = new Set(items.keys());
    let before = null;
    let tabbable = null;
    for (const item of shown) {
      const name = `${item.type}:${item.id}`;
      gone.delete(name);
      if (!items.has(name)) items.set(name, itemElement(item));
      const element = items.get(name);
      drawItem(element, item);
      if (item.type !== "label" && (!tabbable || key() === name)) tabbable = element;
      const place = before ? before.nextSibling : tree.firstChild;
      if (place !== element) tree.insertBefore(element, place);
      before = element;
    }
    for (const name of gone) {
      items.get(name).remove();
      items.delete(name);
    }
    for (const element of items.values()) setAttr(element, "tabindex", element === tabbable ? 0 : -1);
    if (focused && focused !== root.ownerDocument.activeElement) (focused.isConnected ? focused : tabbable)?.focus();
    none.hidden = shown.length > 0;
    setText(none, search.value ? "nothing of that name" : "nothing is saved yet");
  }

  function itemElement(item) {
    const element = h("div", { class: "t-item", "data-key": `${item.type}:${item.id}` });
    if (item.type === "label") {
      element.append(h("span", { class: "t-label" }));
      element.classList.add("t-group");
      element.setAttribute("role", "presentation");
      return element;
    }
    element.setAttribute("role", "treeitem");
    if (item.type === "group") element.append(h("span", { class: "t-caret", "aria-hidden": "true" }));
    else element.append(h("span", { class: "t-dot", "aria-hidden": "true" }));
    element.append(h("span", { class: "t-hue", "aria-hidden": "true" }), h("span", { class: "t-label" }), h("small"), h("span", { class: "t-hidden-text" }));
    return element;
  }

  function drawItem(element, { type, id, depth, record, open }) {
    element.style.setProperty("--depth", depth);
    setText(element.querySelector(".t-label"), record.name);
    if (type === "label") return;
    setAttr(element, "aria-level", depth + 1);
    setAttr(element, "aria-selected", key() === `${type}:${id}`);
    setAttr(element, "data-hue", record.color || "");
    const small = element.querySelector("small");
    const spoken = element.querySelector(".t-hidden-text");
    if (type === "group") {
      element.classList.add("t-group");
      setAttr(element, "aria-expanded", open);
      setText(element.querySelector(".t-caret"), open ? "▾" : "▸");
      setText(spoken, record.color ? `group, ${record.color}` : "group");
      return;
    }
    element.classList.toggle("t-current", Boolean(record.current && live));
    setAttr(element, "title", record.address);
    element.querySelector(".t-dot").className = `t-dot t-${record.state}`;
    const edited = drafts.has(`connection:${id}`) && Object.keys(drafts.get(`connection:${id}`).values).length > 0;
    setText(small, edited ? "edited" : record.small);
    setAttr(small, "aria-hidden", "true");
    small.className = live && !edited && record.tone !== "quiet" ? `t-${record.tone}` : "";
    setText(spoken, [live ? record.words : "", record.read_only ? "read-only" : "", record.color || "", edited ? "edited, not saved" : ""].filter(Boolean).join(", "));
  }

  // -- drawing: form

  function draw() {
    drawList();
    const type = selected?.type;
    const record = type === "connection" ? row(selected.id) : null;
    facts.hidden = !selected;
    empty.hidden = Boolean(selected);
    form.hidden = !isForm();
    groupForm.hidden = !(type === "group" || type === "newgroup");
    drawHead(record);
    if (isForm()) drawForm(record);
    if (!groupForm.hidden) drawGroupForm();
    drawOutcome(record);
    drawButtons(record);
  }

  function drawHead(record) {
    const names = { new: "New connection", newgroup: "New group", group: group(selected?.id)?.name };
    setText(title, record ? record.name : names[selected?.type] || "");
    setAttr(facts, "data-hue", (isForm() ? values().color : group(selected?.id)?.color) || "");
    const [state, server, pool, transaction] = factSpans;
    const busy = pending.get(key());
    setText(state, busy ? `${busy} …` : record ? [record.state === "error" ? record.words : record.state, record.current ? "cells run on it" : "", record.saved ? "" : "not saved"].filter(Boolean).join(" · ") : "");
    state.className = record?.state === "error" && !busy ? "t-bad" : record?.state === "connected" ? "t-ok" : "";
    setText(server, record?.server || "");
    setText(pool, record?.pool ? `pool ${record.pool.size} of ${record.pool.max_size} · ${record.pool.available} available · ${record.pool.waiting} waiting` : "");
    setText(transaction, record?.transaction || "");
    transaction.className = "t-warn";
  }

  function drawForm(record) {
    const now = values();
    const found = new Map(outcomes.get(key())?.problems || []);
    const embedded = Boolean(record?.embedded);
    drawGroupOptions(inputs.get("group_id"), now.group_id);
    for (const field of FIELDS) {
      const control = inputs.get(field.name);
      const part = parts.get(field.name);
      const section = SECTIONS.find((one) => one.fields.includes(field));
      const hidden = (field.when && !field.when(now)) || section?.hide?.(now, field) || (embedded && field.secret === "db");
      part.cell.hidden = part.label.hidden = Boolean(hidden);
      control.disabled = embedded && EMBEDDED.has(field.name);
      if (!field.secret && control.value !== now[field.name]) control.value = now[field.name];
      const problem = found.get(field.name);
      part.problem.hidden = !problem;
      setText(part.problem, problem || "");
      setAttr(control, "aria-invalid", problem ? "true" : null);
      setAttr(control, "aria-describedby", [problem && part.problem.id, field.secret && part.hint.id].filter(Boolean).join(" ") || null);
      if (field.secret) drawSecret(field, control, part, record);
    }
    for (const { section, details, now: summary } of sections) {
      setText(summary, section.now(now));
      if (section.fields.some((field) => found.has(field.name))) details.open = true;
    }
  }

  function drawSecret(field, control, part, record) {
    const { typed, forget: forgotten } = draft();
    const stored = record && kept.get(record.id)?.includes(field.secret) && !forgotten.has(field.secret);
    const where = keychain && !keychain.ok ? "this kernel's memory" : "the keychain";
    setAttr(control, "placeholder", typed[field.secret] ? "typed, not saved yet" : stored ? `stored in ${where}` : forgotten.has(field.secret) ? "forgotten when you save" : "");
    part.forget.hidden = !(stored || typed[field.secret]);
    setText(part.forget, typed[field.secret] ? "Clear it" : "Forget it");
    if (field.secret === "db") setText(keepLabel.querySelector("span"), `keep in ${where}`);
    const fleeting = field.secret === "db" && keychain && !keychain.ok;
    setText(part.where, fleeting ? "gone when the kernel ends" : "");
    setAttr(part.where, "title", fleeting ? keychain.reason : null);
  }

  function drawGroupOptions(control, value, without = null) {
    const inside = (id) => { for (let at = group(id); at; at = group(at.parent_id)) if (at.id === without) return true; return false; };
    const options = [["", "none"], ...groups().filter((one) => !without || !inside(one.id)).map((one) => [one.id, " ".repeat(2 * one.depth) + one.name])];
    const signature = JSON.stringify(options);
    if (control.dataset.options !== signature) {
      control.replaceChildren(...options.map(([id, text]) => h("option", { value: id }, text)));
      control.dataset.options = signature;
    }
    control.value = options.some(([id]) => id === value) ? value : "";
  }

  function drawGroupForm() {
    const record = group(selected.id) || { name: "", parent_id: selected.parent || "", color: "" };
    const changed = draft().values;
    const now = { name: record.name, parent_id: record.parent_id || "", color: record.color || "", ...changed };
    if (groupName.value !== now.name) groupName.value = now.name;
    drawGroupOptions(groupParent, now.parent_id, selected.id || null);
    groupColor.value = now.color;
    const found = new Map(outcomes.get(key())?.problems || []);
    for (const [name, control] of [["name", groupName], ["parent_id", groupParent], ["color", groupColor]]) {
      groupProblems[name].hidden = !found.has(name);
      setText(groupProblems[name], found.get(name) || "");
      setAttr(control, "aria-invalid", found.has(name) ? "true" : null);
      setAttr(control, "aria-describedby", found.has(name) ? groupProblems[name].id : null);
    }
  }

  function drawOutcome(record) {
    const outcome = outcomes.get(key()) || {};
    // what a target does not need (no SSH, no TLS on a socket) is no step of it
    const walked = (outcome.steps || []).filter(([, state]) => state !== "skipped");
    steps.hidden = !walked.length;
    const text = ([name, state, detail]) => `${MARKS[state] || ""} ${name === "TLS" && state === "ok" ? tlsStep(detail) : name}`;
    if (steps.dataset.drawn !== JSON.stringify(walked)) {
      steps.dataset.drawn = JSON.stringify(walked);
      steps.replaceChildren(...walked.map((step) => h("li", { class: `t-${step[1]}`, title: step[2] }, text(step), h("span", { class: "t-hidden-text" }, ` ${step[1]}: ${step[2]}`))));
    }
    note.hidden = !outcome.note;
    setText(note, outcome.note || "");
    warnings.hidden = !outcome.warnings?.length;
    setText(warnings, (outcome.warnings || []).join(" "));
    // a failure is shown once: the answer's, else what the kernel knows of the connection
    const html = outcome.error || (!pending.has(key()) && record?.state === "error" && record.error) || "";
    errorBox.hidden = !html;
    if (errorBox.dataset.html !== html) {
      errorBox.dataset.html = html;
      errorBox.innerHTML = html;
    }
    confirmBox.hidden = !confirming;
  }

  function drawButtons(record) {
    const type = selected?.type;
    const connected = record?.state === "connected" || (record?.state === "error" && record?.small === "lost");
    const dirty = isDirty();
    const show = {
      connect: isForm() && !connected,
      disconnect: connected,
      use: connected && !record.current,
      test: isForm(),
      save: Boolean(selected) && (type !== "connection" || !record?.saved || dirty),
      revert: dirty,
      gap: true,
      up: type === "group",
      down: type === "group",
      duplicate: type === "connection" && record?.saved,
      delete: (type === "connection" && record?.saved) || type === "group",
    };
    const focused = bar.contains(root.ownerDocument.activeElement);
    for (const [name, element] of buttons) {
      element.hidden = !show[name];
      if (name !== "gap") setAttr(element, "aria-disabled", pending.has(key()) ? "true" : null);
    }
    setText(buttons.get("connect"), dirty || type === "new" ? "Save and connect" : "Connect");
    buttons.get("save").classList.toggle("t-main", type === "group" || type === "newgroup");
    bar.hidden = !selected;
    // the button that was pressed may be gone now
    if (focused && !bar.contains(root.ownerDocument.activeElement)) focusFirstButton();
    else if (focused && root.ownerDocument.activeElement.hidden) focusFirstButton();
  }

  function focusFirstButton() {
    [...buttons.values()].find((element) => element.tagName === "BUTTON" && !element.hidden)?.focus();
  }

  // -- selecting

  function select(next, { focus = false } = {}) {
    confirming = null;
    const moved = `${next?.type}:${next?.id || ""}` !== key();
    selected = next;
    if (moved) {
      for (const field of FIELDS) if (field.secret) inputs.get(field.name).value = "";
      for (const { details } of sections) details.open = false;
      keep.checked = true;
      if (isForm() && live) askSecrets(next.id || "");
    }
    draw();
    if (focus) items.get(key())?.focus();
  }

  function askSecrets(id) {
    post.send("secrets", { target: id }, {
      done: (answer) => {
        if (!answer.ok) return;
        if (id) kept.set(id, answer.kept);
        keychain = answer.keychain;
        draw();
      },
    });
  }

  // -- typing

  function onInput(event) {
    const name = event.target.dataset.field;
    if (!name) return;
    const mine = draft(true);
    const field = FIELDS.find((one) => one.name === name);
    if (field.secret) {
      // what is in the field is taken when it is sent; here only that there is something
      drawButtons(selected.type === "connection" ? row(selected.id) : null);
      if (event.target.value) mine.forget.delete(field.secret);
    } else {
      mine.values[name] = event.target.value;
      if (mine.values[name] === baseline()[name]) delete mine.values[name];
    }
    if (name === "host") takeUrl(event.target, mine);
    const outcome = outcomes.get(key());
    if (outcome?.problems) outcome.problems = outcome.problems.filter(([one]) => one !== name);
    draw();
  }

  function takeUrl(control, mine) {
    const found = parseUrl(control.value);
    if (!found) return;
    control.value = "";
    delete mine.values.host;
    for (const [name, value] of Object.entries(found.values)) if (value !== baseline()[name]) mine.values[name] = value;
    if (!values().name && found.values.database) mine.values.name = found.values.database;
    if (found.password) mine.typed.db = found.password;
    say("the URL is taken apart into the fields");
  }

  function onGroupInput(event) {
    const name = { [groupName.id]: "name", [groupParent.id]: "parent_id", [groupColor.id]: "color" }[event.target.id];
    const record = group(selected.id) || { name: "", parent_id: selected.parent || "", color: "" };
    const mine = draft(true);
    mine.values[name] = event.target.value;
    if (mine.values[name] === (record[name] || "")) delete mine.values[name];
    draw();
  }

  function forget(field) {
    const mine = draft(true);
    inputs.get(field.name).value = "";
    if (mine.typed[field.secret]) delete mine.typed[field.secret];
    else mine.forget.add(field.secret);
    draw();
    inputs.get(field.name).focus();
  }

  function revert() {
    drafts.delete(key());
    outcomes.delete(key());
    for (const field of FIELDS) if (field.secret) inputs.get(field.name).value = "";
    if (selected?.type === "new" || selected?.type === "newgroup") select(firstChoice(), { focus: true });
    else draw();
  }

  // what is typed leaves the DOM here, whatever becomes of it
  function takeTyped() {
    const mine = draft(true);
    for (const field of FIELDS.filter((one) => one.secret)) {
      const control = inputs.get(field.name);
      if (control.value) mine.typed[field.secret] = control.value;
      control.value = "";
    }
    return { ...Object.fromEntries([...mine.forget].map((kind) => [kind, null])), ...mine.typed };
  }

  const hasTyped = () => FIELDS.some((field) => field.secret && inputs.get(field.name).value);

  // -- acting

  function begin(words) {
    pending.set(key(), words);
    outcomes.delete(key());
    confirming = null;
    return key();
  }

  function act(op, content, words, opener = null) {
    if (!selected || pending.has(key())) return;
    const at = begin(words);
    const target = selected.id || "";
    post.send(op, { target, ...content }, { done: (answer) => done(at, answer, { op, content, words, opener }) });
    draw();
  }

  function send(op, words, content, again = null) {
    const at = begin(words);
    post.send(op, { target: selected.id || "", ...content }, {
      done: (answer) => done(at, answer, { op, content: {}, words, again, opener: buttons.get(op) }),
      progress: (message) => progress(at, message),
    });
    draw();
  }

  function changed() {
    const known = Object.keys(EMPTY);
    return Object.fromEntries(Object.entries(values()).filter(([name]) => known.includes(name)));
  }

  // trust: the fingerprint of a host key that the user has just accepted
  function connect(trust = "") {
    if (pending.has(key()) || !isForm()) return;
    const secrets = takeTyped();
    const { values: edited, forget: forgotten } = draft();
    const others = Object.keys(secrets).some((kind) => kind !== "db");
    const record = selected.type === "connection" ? row(selected.id) : null;
    const mustSave = !record?.saved || Object.keys(edited).length > 0 || forgotten.size > 0 || others;
    send("connect", "connecting", { ...(mustSave ? { form: changed() } : {}), secrets, keep: keep.checked, trust }, connect);
  }

  function test(trust = "") {
    if (pending.has(key()) || !isForm()) return;
    send("test", "testing", { form: changed(), secrets: takeTyped(), trust }, test);
  }

  function save() {
    if (pending.has(key()) || !selected) return;
    if (isForm()) return send("save", "saving", { form: changed(), secrets: takeTyped(), keep: keep.checked });
    const record = group(selected.id) || { name: "", parent_id: selected.parent || "", color: "" };
    const mine = { name: record.name, parent_id: record.parent_id || "", color: record.color || "", ...draft().values };
    send("group_save", "saving", { form: mine });
  }

  function progress(at, message) {
    if (message.op === "steps") {
      outcomes.set(at, { ...outcomes.get(at), steps: message.steps });
      const last = message.steps[message.steps.length - 1];
      if (at === key() && last) say(`${last[0]} ${last[1]}`);
    } else if (message.op === "saved") settle(at, message.target);
    if (at === key()) draw();
  }

  // what was a draft is saved now: its row is the one that the kernel made
  function settle(at, target) {
    const typed = drafts.get(at)?.typed.db;
    drafts.delete(at);
    if (!at.startsWith("new") || at !== key()) return;
    selected = { type: "connection", id: target };
    // the password is kept once it has proved to be right; until then it may have to be sent again
    if (typed) draft(true).typed.db = typed;
    pending.set(key(), pending.get(at) || "connecting");
    pending.delete(at);
  }

  function done(at, answer, asked) {
    const here = at === key() || (answer.target && key() === `connection:${answer.target}`);
    pending.delete(at);
    if (answer.target) pending.delete(`connection:${answer.target}`);
    const places = [at, `connection:${answer.target}`];
    // a password that was refused is typed again, not sent again
    if (answer.asks || answer.kind === "authentication") for (const one of places) if (drafts.has(one)) delete drafts.get(one).typed.db;
    if (answer.ok && ["save", "group_save"].includes(asked.op)) drafts.delete(at);
    if (answer.ok && asked.op === "connect") for (const one of places) drafts.delete(one);
    if (answer.ok && ["save", "duplicate", "group_save"].includes(asked.op) && here) choose(asked.op === "group_save" ? "group" : "connection", answer.target);
    else if (asked.op === "connect" && at.startsWith("new") && answer.target && here) choose("connection", answer.target);
    if (answer.ok && asked.op.endsWith("delete") && here) select(firstChoice(), { focus: true });
    const place = here ? key() : at;
    const problems = answer.asks ? [["password", "the server asks for a password"]] : answer.problems || [];
    if (answer.kind === "authentication") problems.push(["password", "the server refused the login"]);
    outcomes.set(place, { note: answer.note, warnings: answer.warnings, steps: answer.steps, error: answer.error, problems });
    confirming = here && answer.confirm ? { ...asked, op: answer.confirm, text: answer.text } : null;
    if (confirming) {
      setText(confirmText, answer.text);
      if (answer.trust) confirming.trust = answer.trust;
      setText(confirmYes, { disconnect: "Disconnect anyway", delete: "Delete", group_delete: "Delete", trust: "Trust this host" }[answer.confirm] || "Yes");
    }
    if (here && answer.target && ["save", "connect"].includes(asked.op)) askSecrets(answer.target);
    draw();
    if (answer.note || problems.length) say([answer.note, ...problems.map(([, text]) => text), ...(answer.warnings || [])].filter(Boolean).join("; "));
    if (!here) return;
    if (confirming) confirmNo.focus();
    else if (problems.length) focusField(problems[0][0]);
  }

  function choose(type, id) {
    selected = { type, id };
    for (let at = group(type === "group" ? id : row(id)?.group_id); at; at = group(at.parent_id)) if (at.id !== id) collapsed.delete(at.id);
  }

  function focusField(name) {
    const control = isForm() ? inputs.get(name) : { name: groupName, parent_id: groupParent, color: groupColor }[name];
    if (!control) return;
    const details = control.closest("details");
    if (details) details.open = true;
    control.focus();
  }

  function confirm() {
    const { op, content, words, opener, again, trust } = confirming;
    // the box goes, and must not take the focus with it
    if (opener?.isConnected && !opener.hidden) opener.focus();
    else focusFirstButton();
    confirming = null;
    if (trust) again(trust);
    else act(op, { ...content, sure: true }, words);
  }

  function cancelConfirm() {
    const opener = confirming?.opener;
    confirming = null;
    draw();
    (opener && !opener.hidden ? opener : items.get(key()))?.focus();
  }

  function firstChoice() {
    const one = rows().find((candidate) => candidate.current) || rows().find((candidate) => candidate.saved) || rows()[0];
    return one ? { type: "connection", id: one.id } : { type: "new" };
  }

  // -- events

  tree.addEventListener("mousedown", (event) => {
    const element = event.target.closest(".t-item[role=treeitem]");
    if (!element || event.button !== 0) return;
    const [type, id] = split(element.dataset.key);
    if (type === "group" && event.target.closest(".t-caret")) toggle(id);
    select({ type, id });
    element.focus();
    event.preventDefault();
  });
  tree.addEventListener("dblclick", (event) => {
    const element = event.target.closest(".t-item[role=treeitem]");
    if (element) enter(...split(element.dataset.key));
  });
  tree.addEventListener("keydown", onTreeKey);
  search.addEventListener("input", drawList);
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "Enter") {
      [...tree.querySelectorAll("[role=treeitem]")].find((item) => item.dataset.key.startsWith("connection:"))?.focus();
      const [type, id] = split(root.ownerDocument.activeElement.dataset.key || ":");
      if (id) select({ type, id }, { focus: true });
      event.preventDefault();
    } else if (event.key === "Escape" && search.value) {
      search.value = "";
      drawList();
      event.stopPropagation();
    }
  });
  newConnection.addEventListener("click", () => {
    const about = selected?.type === "group" ? selected.id : row(selected?.id)?.group_id;
    select({ type: "new" });
    if (about && !draft().values.group_id) draft(true).values.group_id = about;
    draw();
    inputs.get("name").focus();
  });
  newGroup.addEventListener("click", () => {
    select({ type: "newgroup", parent: "" });
    groupName.focus();
  });
  form.addEventListener("input", onInput);
  form.addEventListener("change", (event) => { if (event.target.tagName === "SELECT") onInput(event); });
  groupForm.addEventListener("input", onGroupInput);
  confirmYes.addEventListener("click", confirm);
  confirmNo.addEventListener("click", cancelConfirm);
  pane.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input:not([type=checkbox])");
    if (event.key === "Enter" && typing && !event.isComposing) {
      event.preventDefault();
      if (!isForm()) save();
      else if (!buttons.get("connect").hidden) connect();
      else if (!buttons.get("save").hidden) save();
    } else if (event.key === "Escape") {
      event.stopPropagation();
      if (confirming) cancelConfirm();
      else if (isDirty() || hasTyped() || selected?.type === "new" || selected?.type === "newgroup") revert();
      else items.get(key())?.focus();
    }
  });
  root.addEventListener("keydown", (event) => {
    if (event.key !== "s" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    if (selected && !buttons.get("save").hidden) save();
  });
  // JupyterLab's shortcuts are caught on their way down, and looked for at the focused element before its parents: only
  // this attribute keeps them out, and only on the element itself (b would add a cell while a connection has the focus)
  root.addEventListener("focusin", (event) => event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
  // other front ends listen on their way up
  for (const name of ["keydown", "keypress", "keyup", "paste", "copy", "cut", "dblclick"]) root.addEventListener(name, (event) => event.stopPropagation());

  const split = (name) => [name.slice(0, name.indexOf(":")), name.slice(name.indexOf(":") + 1)];

  function toggle(id, open = collapsed.has(id)) {
    if (open) collapsed.delete(id);
    else collapsed.add(id);
  }

  function enter(type, id) {
    if (type === "group") {
      toggle(id);
      draw();
    } else if (row(id)?.state === "connected") act("use", {}, "changing");
    else connect();
  }

  function onTreeKey(event) {
    const element = event.target.closest("[role=treeitem]");
    if (!element) return;
    const [type, id] = split(element.dataset.key);
    const all = [...tree.querySelectorAll("[role=treeitem]")];
    const at = all.indexOf(element);
    const go = (item) => { if (item) { const [t, i] = split(item.dataset.key); select({ type: t, id: i }, { focus: true }); } };
    const level = (item) => Number(item.getAttribute("aria-level"));
    const isOpen = element.getAttribute("aria-expanded") === "true";
    if (event.altKey && type === "group" && ["ArrowUp", "ArrowDown"].includes(event.key)) act("group_move", { direction: event.key === "ArrowUp" ? "up" : "down" }, "moving");
    else if (event.ctrlKey || event.metaKey || event.altKey) return;
    else if (event.key === "ArrowDown") go(all[at + 1]);
    else if (event.key === "ArrowUp") (at === 0 ? search : { focus: () => go(all[at - 1]) }).focus();
    else if (event.key === "Home") go(all[0]);
    else if (event.key === "End") go(all[all.length - 1]);
    else if (event.key === "ArrowRight" && type === "group") { if (isOpen) { if (all[at + 1] && level(all[at + 1]) > level(element)) go(all[at + 1]); } else { toggle(id, true); draw(); } }
    else if (event.key === "ArrowLeft" && type === "group" && isOpen) { toggle(id, false); draw(); }
    else if (event.key === "ArrowLeft") go(all.slice(0, at).reverse().find((item) => level(item) < level(element)));
    else if (event.key === "Enter") enter(type, id);
    else if (event.key === " ") { if (type === "group") { toggle(id); draw(); } }
    else if (event.key === "F2") (type === "group" ? groupName : inputs.get("name")).focus();
    else if (event.key === "Delete" && !buttons.get("delete").hidden) act(type === "group" ? "group_delete" : "delete", {}, "deleting", element);
    else if (event.key.length === 1 && event.key !== " ") {
      const typed = event.key.toLowerCase();
      go([...all.slice(at + 1), ...all.slice(0, at)].find((item) => item.querySelector(".t-label").textContent.toLowerCase().startsWith(typed)));
    } else return;
    event.preventDefault();
  }

  // -- the kernel's side

  function onView() {
    const before = new Map(rows().map((one) => [one.id, one]));
    view = model.get("view") || {};
    for (const one of rows()) {
      const was = before.get(one.id);
      if (live && was && was.words !== one.words) say(`${one.name}: ${one.words}`);
    }
    if (selected?.type === "connection" && !row(selected.id) && !pending.has(key())) select(firstChoice());
    else if (selected?.type === "group" && !group(selected.id) && !pending.has(key())) select(firstChoice());
    else draw();
  }

  function wake() {
    if (live) return;
    live = true;
    root.classList.remove("t-static");
    select(selected || firstChoice());
    if (isForm()) askSecrets(selected.id || "");
  }

  const hello = () => post.send("hello", {}, { oneWay: true, onAck: wake });
  const onCustom = (message) => post.receive(message);
  model.on("change:view", onView);
  model.on("comm_live_update", hello);
  model.on("msg:custom", onCustom);
  // what another cell, or another kernel, saved meanwhile is seen when somebody looks
  let looked = 0;
  root.addEventListener("focusin", (event) => {
    if (root.contains(event.relatedTarget) || Date.now() - looked < 2000) return;
    looked = Date.now();
    if (live) post.send("refresh", {}, { oneWay: true });
  });
  const heartbeat = setInterval(hello, HEARTBEAT_MS);
  el.append(root);
  draw();
  hello();

  return () => {
    clearInterval(heartbeat);
    model.off("change:view", onView);
    model.off("comm_live_update", hello);
    model.off("msg:custom", onCustom);
    post.close();
  };
}

export default { render };
