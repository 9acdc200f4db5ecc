// Enlarged figures, and the browser of strips: data out of the page's JSON, filters in the page's address, one card a strip.
(function () {
  "use strict";
  const data = JSON.parse(document.getElementById("strips-data").textContent);
  const by = (id) => document.getElementById(id);
  const is = (event, ...keys) => keys.includes(event.key) && !event.altKey && !event.ctrlKey && !event.metaKey && !event.shiftKey;
  openForPrint();
  viewer();
  if (data.maps.length === 0) { by("strips-none").hidden = false; return; }
  by("browser").hidden = false;

  // ---- figures ----
  function viewer() {
    const box = by("viewer"), holder = by("v-figure"), drawings = [...document.querySelectorAll(".drawing")];
    let at = 0;
    function show(i) {
      at = Math.min(Math.max(i, 0), drawings.length - 1);
      const figure = drawings[at].parentNode;
      holder.replaceChildren(figure.querySelector("svg").cloneNode(true), figure.querySelector("figcaption").cloneNode(true));
      holder.classList.remove("zoomed");
      by("v-state").textContent = `${at + 1} of ${drawings.length}`;
      by("v-back").disabled = at === 0;
      by("v-next").disabled = at === drawings.length - 1;
      history.replaceState(null, "", "#" + figure.id);
      if (!box.open) { box.showModal(); }
      holder.focus();
    }
    const zoom = () => holder.classList.toggle("zoomed");
    drawings.forEach((drawing, i) => {
      drawing.addEventListener("click", (event) => { event.preventDefault(); show(i); });
      drawing.addEventListener("keydown", (event) => { if (is(event, "Enter", " ")) { event.preventDefault(); show(i); } });
    });
    box.addEventListener("close", () => { holder.replaceChildren(); drawings[at].focus(); });
    box.addEventListener("click", (event) => { if (event.target === box) { box.close(); } });
    box.addEventListener("keydown", (event) => {
      if (is(event, "Escape")) { box.close(); }
      // a zoomed drawing is scrolled by its keys
      else if (is(event, "ArrowLeft", "ArrowRight") && !holder.classList.contains("zoomed")) { show(at + (event.key === "ArrowLeft" ? -1 : 1)); }
      else if (is(event, "Enter") && event.target === holder) { zoom(); }
      else { return; }
      event.preventDefault();
    });
    holder.addEventListener("click", (event) => { if (event.target.closest("svg")) { zoom(); } });
    by("v-back").addEventListener("click", () => show(at - 1));
    by("v-next").addEventListener("click", () => show(at + 1));
    by("v-zoom").addEventListener("click", zoom);
    by("v-close").addEventListener("click", () => box.close());
  }

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
  // the map for the class that is asked for; nothing where the run did not keep it
  function mapOf(m) {
    const c = state.map === "" ? m.truth : state.map === "predicted" ? m.predicted : data.classes.indexOf(state.map);
    const text = m.maps[c];
    return typeof text === "string" ? Object.assign({ c }, resized(shares(text), strip(m.strip).y.length))
      : { c, values: new Float32Array(strip(m.strip).y.length).fill(NaN), none: true };
  }
  for (const m of data.maps) {
    m.truth = data.strips[m.strip].truth;
    m.record = data.strips[m.strip].record;
    m.right = m.predicted === m.truth;
    m.confidence = m.p[m.predicted];
  }
  const folds = [...new Set(data.maps.map((m) => m.fold))].filter((fold) => fold !== null).sort((a, b) => a - b).map(String);

  // ---- state: what the controls say, and the place in the list, kept in the address ----
  const several = data.variants.length > 1;
  const fields = { variant: "", fold: "", true: "", predicted: "", result: "", record: "", map: "", sort: "", together: several ? "1" : "", per: "12", at: "1" };
  const selects = ["variant", "fold", "true", "predicted", "result", "map", "sort", "per"];
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
    for (const id of selects) { state[id] = chosen([...by("c-" + id).options].map((o) => o.value), state[id]) || fields[id]; }
    state.at = String(Math.max(1, parseInt(state.at, 10) || 1));
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
      (!state.fold || String(m.fold) === state.fold) &&
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
    // 10 mm are 1 mV, or what suits a strip without a unit
    const scale = GAIN / (s.gain === null ? 1 : s.gain), baseline = finite[finite.length >> 1];
    let high = 0, low = 0;
    for (const v of finite) {
      const mm = (v - baseline) * scale;
      if (Math.abs(mm) <= MOST) { high = Math.max(high, mm); low = Math.min(low, mm); }
    }
    const squares = (need, least) => Math.min(Math.max(Math.ceil(need / 5) * 5, least), MOST);
    const above = squares(high + (s.peaks.length ? 4 : 0.5), 10), below = squares(0.5 - low, 5);
    const width = Math.max(Math.ceil(s.y.length / s.fs * SPEED / 5 - 1e-6) * 5, 50);
    const at = (v) => Math.min(Math.max((baseline - v) * scale, -above), below);
    const cut = finite.filter((v) => (v - baseline) * scale > above || (v - baseline) * scale < -below).length;
    return { above, below, width, at, cut };
  }
  function draw(holder, s, m, map, p, last) {
    const x = (i) => i / s.fs * SPEED, height = p.above + p.below;
    const total = height + (last ? LANE + 7 : 0.5), w = p.width + LEFT + RIGHT;
    // one that is longer than about 10 s scrolls
    const long = Math.max(1, p.width / 300);
    const svg = add(holder, "svg", {
      viewBox: `${-LEFT} ${-p.above} ${w} ${total}`, role: "img",
      style: `width:${round(100 * long)}%;min-width:${Math.round(3.2 * w)}px`,
      "aria-label": `Strip ${s.record}, ${data.variants[m.variant]}: true ${data.classes[m.truth]}, predicted ${data.classes[m.predicted]}.`,
    });
    add(svg, "rect", { x: 0, y: -p.above, width: p.width, height, class: "paper" });
    // the map as a tint of the paper, in runs of one level
    const n = s.y.length, step = Math.max(1, Math.round(s.fs / SPEED / 4));
    for (let i = 0; i < n;) {
      const l = level(map.values[i]);
      let end = i;
      while (end < n && level(map.values[end]) === l) { end += step; }
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
      const l = level(map.values[i]);
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
      class: "card", tabindex: "0", "aria-label": `Strip ${s.record}`, "data-record": s.record, "data-true": data.classes[first.truth], "data-predicted": data.classes[first.predicted],
      "data-confidence": shown(first.confidence, 6), "data-ncc": first.ncc === null ? "" : first.ncc, "data-variant": data.variants[first.variant], "data-fold": first.fold === null ? "" : first.fold,
    };
    const article = add(holder, "article", attributes);
    const top = add(article, "div", { class: "top" });
    const head = add(top, "h3", {}, s.record);
    chip(head, "true", first.truth);
    add(head, "span", { class: "soft" }, `${shown(s.y.length / s.fs, 1)} s, ${s.fs} Hz`);
    if (s.gain !== null) { add(head, "span", { class: "soft" }, `no unit: 10 mm = ${s.gain}`); }
    if (p && p.cut) { add(head, "span", { class: "wrong" }, `${p.cut} samples are cut at the paper's edge`); }
    const parts = maps.map((m, i) => {
      const row = add(article, "div", { class: "one" });
      const same = maps.filter((o) => o.variant === m.variant).length > 1;
      add(row, "b", {}, data.variants[m.variant]);
      add(row, "span", { class: "soft" }, m.run);
      const said = chip(row, "predicted", m.predicted);
      add(said, "span", {}, ` ${shown(m.confidence, 2)} `);
      add(said, "span", { class: m.right ? "right" : "wrong" }, m.right ? "✓ right" : "✗ wrong");
      const map = mapOf(m);
      const ncc = add(row, "span", {}, map.c === m.truth ? "NCC " : "NCC of the true class ");
      add(ncc, "b", {}, m.ncc === null ? "not known" : shown(m.ncc, 2));
      if (state.map || map.none) {
        const of = chip(row, "map for", map.c);
        if (map.none) { add(of, "span", { class: "wrong" }, " is not kept"); }
      }
      if (map.dead) { add(row, "span", { class: "wrong" }, "dead map: all zero"); }
      const others = data.classes.map((c, k) => [c, m.p[k]]).filter(([, v]) => typeof v === "number");
      add(row, "span", { class: "probabilities" }, others.map(([c, v]) => `${c} ${v.toFixed(2)}`).join("  ·  ") + `  ·  ${m.layer}`);
      const sheet = add(article, "div", { class: "sheet" });
      if (!p) { add(sheet, "p", { class: "nothing" }, "The strip has no finite sample."); return null; }
      const name = same ? `${data.variants[m.variant]} (${m.run})` : data.variants[m.variant];
      return Object.assign(draw(sheet, s, m, map, p, i + 1 === maps.length), { map, name, sheet });
    }).filter((part) => part);
    const read = add(top, "p", { class: "read", role: "status" }, "");
    if (parts.length) { pointing(article, s, p, parts, read); }
  }

  // time, amplitude and map under the pointer, or where the arrow keys went
  function pointing(article, s, p, parts, read) {
    let at = 0;
    const show = (i) => {
      at = Math.min(Math.max(i, 0), s.y.length - 1);
      for (const part of parts) {
        part.cursor.setAttribute("x1", at / s.fs * SPEED);
        part.cursor.setAttribute("x2", at / s.fs * SPEED);
        part.cursor.style.visibility = "visible";
      }
      const maps = parts.map((part) => `${parts.length > 1 ? part.name + " " : ""}${shown(part.map.values[at], 2)}`);
      const target = s.g ? shown(s.g[at], 2) : "none";
      read.textContent = `t ${(at / s.fs).toFixed(3)} s   amplitude ${s.y[at] === s.y[at] ? shown(s.y[at], 3) + (s.gain === null ? " mV" : " (no unit)") : "a gap"}   map ${maps.join(", ")}   target ${target}`;
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
      // what is scrolled is scrolled together
      part.sheet.addEventListener("scroll", () => { for (const other of parts) { other.sheet.scrollLeft = part.sheet.scrollLeft; } });
    }
    article.addEventListener("blur", hide);
    article.addEventListener("keydown", (event) => {
      const way = event.shiftKey ? { ArrowLeft: -1, ArrowRight: 1 }[event.key] : undefined;
      // a key that is held goes faster
      if (way) { event.preventDefault(); show(at + way * Math.max(1, Math.round(s.fs * (event.repeat ? 0.1 : 0.02)))); }
    });
  }

  // ---- the page ----
  const options = { variant: data.variants, fold: folds, true: data.classes, predicted: data.classes, map: data.classes };
  for (const id in options) {
    if (id !== "map") { add(by("c-" + id), "option", { value: "" }, id === "variant" || id === "fold" ? `all ${id}s` : "all classes"); }
    for (const name of options[id]) { add(by("c-" + id), "option", { value: name }, name); }
  }
  // what leaves nothing to choose
  const idle = { variant: !several, together: !several, fold: folds.length < 2, map: data.maps.every((m) => m.maps.filter((map) => map).length < 2) };
  for (const id in idle) { by("c-" + id).parentNode.hidden = idle[id]; }
  const counted = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
  const limit = data.maps.length < data.kept ? ` (at most ${data.perClass} right and ${data.perClass} wrong ones of each class and variant; --strips N takes more)` : "";
  by("strips-note").textContent = `${counted(data.strips.length, "strip")}, seen by ${counted(data.variants.length, "variant")}: ${data.maps.length} of the ${data.kept} results that the runs keep${limit}. They are the first right and the first wrong ones of each run, not the best-looking.`;

  let list = [];
  function render() {
    list = cards();
    const per = Number(state.per), at = Math.max(1, Math.min(Number(state.at), list.length)), page = Math.ceil(at / per);
    state.at = String(at);
    for (const id of [...selects, "record"]) { if (by("c-" + id).value !== state[id]) { by("c-" + id).value = state[id]; } }
    by("c-together").checked = state.together === "1";
    const holder = by("cards");
    holder.textContent = "";
    for (const one of list.slice((page - 1) * per, page * per)) { card(holder, one); }
    holder.querySelectorAll(".card").forEach((article, i) => article.addEventListener("focus", () => {
      state.at = String((page - 1) * per + i + 1);
      toAddress();
      place();
    }));
    if (list.length === 0) { add(holder, "p", { class: "nothing" }, "No strip is like this: take a filter away."); }
    place();
  }
  // which strip is the current one
  function place() {
    const at = Number(state.at), per = Number(state.per), pages = Math.max(1, Math.ceil(list.length / per)), page = Math.ceil(at / per);
    by("cards").querySelectorAll(".card").forEach((article, i) => article.classList.toggle("current", (page - 1) * per + i + 1 === at));
    by("c-state").textContent = `${state.together ? "strip" : "map"} ${list.length ? at : 0} of ${list.length}, page ${page} of ${pages}`;
    document.querySelectorAll(".c-back").forEach((b) => { b.disabled = page <= 1; });
    document.querySelectorAll(".c-next").forEach((b) => { b.disabled = page >= pages; });
  }
  function change(key, value) {
    state[key] = value;
    if (key !== "at") { state.at = "1"; }
    toAddress();
    render();
  }
  // to the strip at a place of the list, on whatever page
  function step(to) {
    if (to < 1 || to > list.length) { return; }
    const per = Number(state.per), turned = Math.ceil(to / per) !== Math.ceil(Number(state.at) / per);
    state.at = String(to);
    if (turned) { render(); }
    const article = by("cards").querySelectorAll(".card")[(to - 1) % per];
    article.focus({ preventScroll: true });
    article.scrollIntoView({ block: article.offsetHeight > window.innerHeight ? "start" : "nearest", behavior: "instant" });
  }
  for (const id of selects) { by("c-" + id).addEventListener("change", (event) => change(id, event.target.value)); }
  by("c-record").addEventListener("input", (event) => change("record", event.target.value));
  by("c-together").addEventListener("change", (event) => change("together", event.target.checked ? "1" : ""));
  by("c-reset").addEventListener("click", () => { state = Object.assign({}, fields); toAddress(); render(); });
  by("controls").addEventListener("submit", (event) => event.preventDefault());
  const turn = (pages) => () => {
    const per = Number(state.per);
    change("at", String((Math.ceil(Number(state.at) / per) - 1 + pages) * per + 1));
    by("strips").scrollIntoView();
  };
  document.querySelectorAll(".c-back").forEach((b) => b.addEventListener("click", turn(-1)));
  document.querySelectorAll(".c-next").forEach((b) => b.addEventListener("click", turn(1)));
  document.addEventListener("keydown", (event) => {
    const inside = event.target.closest && event.target.closest(".card");
    const box = by("browser").getBoundingClientRect();
    const seen = event.target === document.body && box.top < window.innerHeight && box.bottom > 0;
    if (event.defaultPrevented || !(inside || seen)) { return; }
    const at = Number(state.at);
    if (is(event, "ArrowLeft", "ArrowRight")) {
      // the first key goes to the current strip, the others on from it
      step(inside ? at + (event.key === "ArrowLeft" ? -1 : 1) : at);
    } else if (inside && is(event, "ArrowUp", "ArrowDown")) {
      const truth = (to) => list[to - 1].first.truth, way = event.key === "ArrowUp" ? -1 : 1;
      let to = at + way;
      while (to >= 1 && to <= list.length && truth(to) === truth(at)) { to += way; }
      // back to the first one of the class before
      while (way < 0 && to > 1 && truth(to - 1) === truth(to)) { to -= 1; }
      step(to);
    } else { return; }
    event.preventDefault();
  });
  window.addEventListener("hashchange", () => { if (fromAddress()) { render(); } });
  const filtered = fromAddress();
  render();
  // the address names filters and no place
  if (filtered) {
    const article = by("cards").querySelector(".card.current");
    (state.at !== "1" && article || by("strips")).scrollIntoView({ behavior: "instant" });
  }

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
