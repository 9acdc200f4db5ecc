// The browser of strips: data out of the page's JSON, filters in the page's address, one card a strip.
(function () {
  "use strict";
  const data = JSON.parse(document.getElementById("strips-data").textContent);
  const by = (id) => document.getElementById(id);
  if (data.maps.length === 0) { by("strips-none").hidden = false; openForPrint(); return; }
  by("browser").hidden = false;

  // ---- data ----
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  function numbers(text, unit) {
    const view = new DataView(bytes(text).buffer);
    return Float32Array.from({ length: view.byteLength / 2 }, (_, i) => {
      const v = view.getInt16(2 * i, true);
      return v === -32768 ? NaN : v * unit;
    });
  }
  const shares = (text) => text === null ? null : Float32Array.from(bytes(text), (v) => v === 255 ? NaN : v / 254);

  // the map at every sample: linear between the centres of its bins, its maximum 1
  function resized(map, length) {
    const out = new Float32Array(length), scale = map.length / length;
    let top = 0;
    for (let i = 0; i < length; i++) {
      const x = Math.min(Math.max((i + 0.5) * scale - 0.5, 0), map.length - 1);
      const low = Math.floor(x), high = Math.min(low + 1, map.length - 1);
      out[i] = map[low] * (1 - x + low) + map[high] * (x - low);
      if (out[i] > top) { top = out[i]; }
    }
    return { values: out.map((v) => top > 0 ? v / top : v === v ? 0 : NaN), dead: !(top > 0) };
  }
  function strip(i) {
    const s = data.strips[i];
    if (!s.y) { s.y = numbers(s.signal, s.unit); s.g = shares(s.target); }
    return s;
  }
  function drawn(m) {
    if (!m.values) { Object.assign(m, resized(numbers(m.map, m.unit), strip(m.strip).y.length)); }
    return m;
  }
  for (const m of data.maps) {
    m.truth = data.strips[m.strip].truth;
    m.record = data.strips[m.strip].record;
    m.right = m.predicted === m.truth;
    m.confidence = m.p[m.predicted];
  }

  // ---- state: what the controls say, kept in the address ----
  const several = data.variants.length > 1;
  const fields = { variant: "", true: "", predicted: "", result: "", sort: "", record: "", together: several ? "1" : "", per: "12", page: "1" };
  let state = Object.assign({}, fields);
  // a class by its name, or by how it begins: AF for AFIB/AFL
  function chosen(names, wanted) {
    const low = wanted.toLowerCase();
    return names.find((n) => n === wanted) || names.find((n) => n.toLowerCase() === low) ||
      (low && names.find((n) => n.toLowerCase().startsWith(low))) || "";
  }
  function fromAddress() {
    const given = new URLSearchParams(location.hash.slice(1));
    state = Object.assign({}, fields);
    let any = false;
    for (const [key, value] of given) {
      if (key in fields) { state[key] = value; any = true; }
    }
    if (given.has("pred")) { state.predicted = given.get("pred"); }
    state.variant = chosen(data.variants, state.variant);
    state.true = chosen(data.classes, state.true);
    state.predicted = chosen(data.classes, state.predicted);
    for (const id of ["result", "sort", "per"]) {
      if (![...by("c-" + id).options].some((o) => o.value === state[id])) { state[id] = fields[id]; }
    }
    state.page = String(Math.max(1, parseInt(state.page, 10) || 1));
    state.together = several && state.together !== "0" && state.together !== "" ? "1" : "";
    return any;
  }
  function toAddress() {
    const changed = Object.keys(fields).filter((key) => state[key] !== fields[key]);
    const text = new URLSearchParams(changed.map((key) => [key, state[key] === "" ? "0" : state[key]])).toString();
    history.replaceState(null, "", "#" + (text || "strips"));
  }

  // ---- choosing ----
  function matching() {
    const record = state.record.toLowerCase();
    const found = data.maps.filter((m) =>
      (!state.variant || data.variants[m.variant] === state.variant) &&
      (!state.true || data.classes[m.truth] === state.true) &&
      (!state.predicted || data.classes[m.predicted] === state.predicted) &&
      (!state.result || m.right === (state.result === "right")) &&
      (!record || m.record.toLowerCase().includes(record)));
    const key = state.sort.split("-")[0], sign = state.sort.endsWith("-low") ? 1 : -1;
    const order = (a, b) => a.truth - b.truth || a.strip - b.strip || a.variant - b.variant;
    const known = (v) => typeof v === "number";
    // what has no number comes last, whichever way
    found.sort((a, b) => !key ? order(a, b)
      : known(b[key]) - known(a[key]) || (known(a[key]) ? sign * (a[key] - b[key]) : 0) || order(a, b));
    return found;
  }
  // cards: maps that are shown together; a strip stands where the first of its matching maps stands
  function cards() {
    const found = matching();
    if (!state.together) { return found.map((m) => ({ first: m, maps: [m] })); }
    const known = new Map();
    for (const m of found) { if (!known.has(m.strip)) { known.set(m.strip, m); } }
    return [...known].map(([i, first]) => ({ first, maps: data.maps.filter((m) => m.strip === i) }));
  }

  // ---- drawing, in mm of paper ----
  const NS = "http://www.w3.org/2000/svg";
  function add(parent, name, attributes, text) {
    const element = parent.namespaceURI === NS || name === "svg" ? document.createElementNS(NS, name) : document.createElement(name);
    for (const key in attributes || {}) { element.setAttribute(key, attributes[key]); }
    if (text !== undefined) { element.textContent = text; }
    parent.appendChild(element);
    return element;
  }
  const SPEED = 25, GAIN = 10, MOST = 40, LEFT = 5, RIGHT = 2.5, LANE = 6;
  const round = (v) => Math.round(v * 100) / 100;
  const levels = data.ramp.length - 1;
  const level = (v) => v === v ? Math.round(Math.min(Math.max(v, 0), 1) * levels) : -1;
  const colour = (l) => l < 0 ? "#b4b4b4" : data.ramp[l];

  // paper: median at the baseline, whole large squares above and below
  function paper(s) {
    const finite = s.y.filter((v) => v === v).sort();
    if (finite.length === 0) { return null; }
    const baseline = finite[finite.length >> 1];
    let high = 0, low = 0;
    for (const v of finite) {
      const mm = (v - baseline) * GAIN;
      if (Math.abs(mm) <= MOST) { high = Math.max(high, mm); low = Math.min(low, mm); }
    }
    const squares = (need, least) => Math.min(Math.max(Math.ceil(need / 5) * 5, least), MOST);
    const above = squares(high + (s.peaks.length ? 4 : 0.5), 10), below = squares(0.5 - low, 5);
    const width = Math.max(Math.ceil(s.y.length / s.fs * SPEED / 5 - 1e-6) * 5, 50);
    const at = (v) => Math.min(Math.max((baseline - v) * GAIN, -above), below);
    const cut = finite.filter((v) => (v - baseline) * GAIN > above || (v - baseline) * GAIN < -below).length;
    return { above, below, width, at, cut };
  }
  function draw(holder, s, m, p, last) {
    const x = (i) => i / s.fs * SPEED, height = p.above + p.below;
    const total = height + (last ? LANE + 7 : 0.5), w = p.width + LEFT + RIGHT;
    // one that is longer than about 10 s scrolls
    const long = Math.max(1, p.width / 300);
    const svg = add(holder, "svg", {
      viewBox: `${-LEFT} ${-p.above} ${w} ${total}`, tabindex: "0", role: "img",
      style: `width:${round(100 * long)}%;min-width:${Math.round(3.2 * w)}px`,
      "aria-label": `Strip ${s.record}, ${data.variants[m.variant]}: true ${data.classes[m.truth]}, predicted ${data.classes[m.predicted]}. Arrow keys read values.`,
    });
    add(svg, "rect", { x: 0, y: -p.above, width: p.width, height, class: "paper" });
    // the map as a tint of the paper, in runs of one level
    const n = s.y.length, step = Math.max(1, Math.round(s.fs / SPEED / 4));
    for (let i = 0; i < n;) {
      const l = level(m.values[i]);
      let end = i;
      while (end < n && level(m.values[end]) === l) { end += step; }
      end = Math.min(end, n);
      if (l > 0) { add(svg, "rect", { x: round(x(i)), y: -p.above, width: round(x(end) - x(i)), height, fill: colour(l), opacity: round(0.5 * l / levels) }); }
      i = end;
    }
    const lines = (every, skip) => {
      let d = "";
      for (let k = 0; k <= p.width; k += every) { if (!skip || k % skip) { d += `M${k} ${-p.above}V${p.below}`; } }
      for (let k = -p.above; k <= p.below; k += every) { if (!skip || k % skip) { d += `M0 ${k}H${p.width}`; } }
      return d;
    };
    add(svg, "path", { d: lines(1, 5), class: "g1" });
    add(svg, "path", { d: lines(5, 0), class: "g5" });
    // the trace: a dark rim, and on it one path a colour
    const paths = new Map();
    let rim = "", pen = -2, before = -2;
    for (let i = 0; i < n; i++) {
      if (s.y[i] !== s.y[i]) { pen = -2; continue; }
      const here = `${round(x(i))} ${round(p.at(s.y[i]))}`;
      rim += (pen === -2 ? `M${here}h0` : `L${here}`);
      const l = level(m.values[i]);
      const joined = pen === -2 ? `M${here}h0` : (l === before ? "" : `M${pen}`) + `L${here}`;
      paths.set(l, (paths.get(l) || "") + joined);
      pen = here;
      before = l;
    }
    add(svg, "path", { d: rim, class: "rim" });
    for (const [l, d] of paths) { add(svg, "path", { d, class: "trace", stroke: colour(l) }); }
    // R peaks above what they mark
    for (const peak of s.peaks) {
      const around = s.y.subarray(Math.max(0, peak - s.fs * 0.04), peak + s.fs * 0.04 + 1).filter((v) => v === v);
      const top = around.length ? p.at(Math.max(...around)) : 0;
      add(svg, "path", { d: `M${round(x(peak) - 0.9)} ${round(Math.max(top - 2.6, -p.above + 0.3))}h1.8l-.9 1.6z`, class: s.expert ? "peak" : "peak found" });
    }
    if (last) { foot(svg, s, p, x); }
    const cursor = add(svg, "line", { y1: -p.above, y2: total - p.above - (last ? 6 : 0), class: "cursor" });
    return { svg, cursor };
  }
  // target and time below the paper
  function foot(svg, s, p, x) {
    const top = p.below + 1, bottom = top + LANE - 1;
    if (s.g) {
      let d = `M0 ${bottom}`;
      s.g.forEach((v, i) => { d += `L${round(x(i))} ${round(bottom - (v === v ? v : 0) * (LANE - 1))}`; });
      add(svg, "path", { d: d + `V${bottom}z`, class: "target" });
      add(svg, "text", { x: -1, y: bottom - 1.4, class: "axis", "text-anchor": "end" }, "G");
    } else {
      add(svg, "text", { x: 1, y: bottom - 1.2, class: "axis" }, "no valid guidance target (fewer than 3 beats)");
    }
    add(svg, "path", { d: `M0 ${bottom}H${p.width}`, class: "lane" });
    const end = s.y.length / s.fs;
    for (let t = 0; t <= end + 1e-6; t++) {
      add(svg, "path", { d: `M${t * SPEED} ${bottom}v1`, class: "lane" });
      add(svg, "text", { x: t * SPEED, y: bottom + 3.8, class: "axis", "text-anchor": t === 0 ? "start" : "middle" }, t === 0 ? "0 s" : String(t));
    }
  }

  function chip(parent, label, c) {
    const span = add(parent, "span", {}, label + " ");
    add(span, "b", { class: "chip", style: `--c:${data.colors[c] || "#888"}` }, data.classes[c] === undefined ? "unknown" : data.classes[c]);
    return span;
  }
  const shown = (v, digits) => typeof v === "number" && v === v ? v.toFixed(digits) : "not known";

  function card(holder, { first, maps }) {
    const s = strip(first.strip), p = paper(s);
    const attributes = {
      class: "card", "data-record": s.record, "data-true": data.classes[first.truth], "data-predicted": data.classes[first.predicted],
      "data-confidence": shown(first.confidence, 6), "data-ncc": first.ncc === null ? "" : first.ncc, "data-variant": data.variants[first.variant],
    };
    const article = add(holder, "article", attributes);
    const top = add(article, "div", { class: "top" });
    const head = add(top, "h3", {}, s.record);
    chip(head, "true", first.truth);
    add(head, "span", { class: "soft" }, `${shown(s.y.length / s.fs, 1)} s, ${s.fs} Hz`);
    if (p && p.cut) { add(head, "span", { class: "wrong" }, `${p.cut} samples are cut at the paper's edge`); }
    const parts = maps.map((m, i) => {
      const row = add(article, "div", { class: "one" });
      const same = maps.filter((o) => o.variant === m.variant).length > 1;
      add(row, "b", {}, data.variants[m.variant]);
      add(row, "span", { class: "soft" }, m.run);
      const said = chip(row, "predicted", m.predicted);
      add(said, "span", {}, ` ${shown(m.confidence, 2)} `);
      add(said, "span", { class: m.right ? "right" : "wrong" }, m.right ? "✓ right" : "✗ wrong");
      const ncc = add(row, "span", {}, "NCC ");
      add(ncc, "b", {}, m.ncc === null ? "not known" : shown(m.ncc, 2));
      drawn(m);
      if (m.dead) { add(row, "span", { class: "wrong" }, "dead map: all zero"); }
      const others = data.classes.map((c, k) => [c, m.p[k]]).filter(([, v]) => typeof v === "number");
      add(row, "span", { class: "probabilities" }, others.map(([c, v]) => `${c} ${v.toFixed(2)}`).join("  ·  ") + `  ·  ${m.layer}`);
      const sheet = add(article, "div", { class: "sheet" });
      if (!p) { add(sheet, "p", { class: "nothing" }, "The strip has no finite sample."); return null; }
      const name = same ? `${data.variants[m.variant]} (${m.run})` : data.variants[m.variant];
      return Object.assign(draw(sheet, s, m, p, i + 1 === maps.length), { m, name, sheet });
    }).filter((part) => part);
    const read = add(top, "p", { class: "read", role: "status" }, "");
    if (parts.length) { pointing(s, p, parts, read); }
  }

  // time, amplitude and map under the pointer, or where the arrow keys went
  function pointing(s, p, parts, read) {
    let at = 0;
    const show = (i) => {
      at = Math.min(Math.max(i, 0), s.y.length - 1);
      for (const part of parts) {
        part.cursor.setAttribute("x1", at / s.fs * SPEED);
        part.cursor.setAttribute("x2", at / s.fs * SPEED);
        part.cursor.style.visibility = "visible";
      }
      const maps = parts.map((part) => `${parts.length > 1 ? part.name + " " : ""}${shown(part.m.values[at], 2)}`);
      const target = s.g ? shown(s.g[at], 2) : "none";
      read.textContent = `t ${(at / s.fs).toFixed(3)} s   amplitude ${s.y[at] === s.y[at] ? s.y[at].toFixed(3) + " mV" : "a gap"}   map ${maps.join(", ")}   target ${target}`;
    };
    const hide = () => {
      for (const part of parts) { part.cursor.style.visibility = "hidden"; }
      read.textContent = "";
    };
    for (const part of parts) {
      const svg = part.svg;
      const move = (event) => {
        const box = svg.getBoundingClientRect();
        const mm = (event.clientX - box.left) / box.width * (p.width + LEFT + RIGHT) - LEFT;
        if (mm < 0 || mm / SPEED * s.fs > s.y.length - 0.5) { hide(); } else { show(Math.round(mm / SPEED * s.fs)); }
      };
      svg.addEventListener("pointermove", move);
      svg.addEventListener("pointerdown", move);
      svg.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") { hide(); } });
      svg.addEventListener("blur", hide);
      svg.addEventListener("keydown", (event) => {
        const far = Math.max(1, Math.round(s.fs * (event.shiftKey ? 0.2 : 0.02)));
        const next = { ArrowLeft: at - far, ArrowRight: at + far, Home: 0, End: s.y.length - 1 }[event.key];
        if (next !== undefined) { event.preventDefault(); show(next); }
      });
      // what is scrolled is scrolled together
      part.sheet.addEventListener("scroll", () => { for (const other of parts) { other.sheet.scrollLeft = part.sheet.scrollLeft; } });
    }
  }

  // ---- the page ----
  function options(id, all, names) {
    const select = by(id);
    add(select, "option", { value: "" }, all);
    for (const name of names) { add(select, "option", { value: name }, name); }
  }
  options("c-variant", "all variants", data.variants);
  options("c-true", "all classes", data.classes);
  options("c-predicted", "all classes", data.classes);
  by("l-together").hidden = !several;
  by("c-variant").parentNode.hidden = !several;
  const counted = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
  const limit = data.maps.length < data.kept ? ` (at most ${data.perClass} of each class and variant; --strips N takes more)` : "";
  by("strips-told").textContent = `${counted(data.strips.length, "strip")} with ${counted(data.maps.length, "map")}: ${data.maps.length} of the ${data.kept} maps that the runs keep${limit}. They are the first records of each true class, whatever the networks made of them.`;

  function render() {
    const all = cards(), per = Number(state.per), pages = Math.max(1, Math.ceil(all.length / per));
    const page = Math.min(Number(state.page), pages);
    state.page = String(page);
    for (const id of ["variant", "true", "predicted", "result", "sort", "record", "per"]) {
      if (by("c-" + id).value !== state[id]) { by("c-" + id).value = state[id]; }
    }
    by("c-together").checked = state.together === "1";
    const holder = by("cards");
    holder.textContent = "";
    for (const one of all.slice((page - 1) * per, page * per)) { card(holder, one); }
    if (all.length === 0) { add(holder, "p", { class: "nothing" }, "No strip is like this: take a filter away."); }
    by("c-state").textContent = `${counted(all.length, state.together ? "strip" : "map")}, page ${page} of ${pages}`;
    document.querySelectorAll(".c-back").forEach((b) => { b.disabled = page <= 1; });
    document.querySelectorAll(".c-next").forEach((b) => { b.disabled = page >= pages; });
  }
  function change(key, value) {
    state[key] = value;
    if (key !== "page") { state.page = "1"; }
    toAddress();
    render();
  }
  for (const id of ["variant", "true", "predicted", "result", "sort", "per"]) {
    by("c-" + id).addEventListener("change", (event) => change(id, event.target.value));
  }
  by("c-record").addEventListener("input", (event) => change("record", event.target.value));
  by("c-together").addEventListener("change", (event) => change("together", event.target.checked ? "1" : ""));
  by("c-reset").addEventListener("click", () => { state = Object.assign({}, fields); toAddress(); render(); });
  by("controls").addEventListener("submit", (event) => event.preventDefault());
  const turn = (by_pages) => () => {
    change("page", String(Number(state.page) + by_pages));
    by("strips").scrollIntoView();
  };
  document.querySelectorAll(".c-back").forEach((b) => b.addEventListener("click", turn(-1)));
  document.querySelectorAll(".c-next").forEach((b) => b.addEventListener("click", turn(1)));
  window.addEventListener("hashchange", () => { if (fromAddress()) { render(); } });
  const filtered = fromAddress();
  render();
  // the address names filters and no place
  if (filtered) { by("strips").scrollIntoView({ behavior: "instant" }); }
  openForPrint();

  // what is folded away is printed too
  function openForPrint() {
    let opened = [];
    window.addEventListener("beforeprint", () => {
      opened = [...document.querySelectorAll("details:not([open])")];
      opened.forEach((d) => { d.open = true; });
    });
    window.addEventListener("afterprint", () => opened.forEach((d) => { d.open = false; }));
  }
})();
