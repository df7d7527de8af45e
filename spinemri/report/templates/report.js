"use strict";
(() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const words = data.words;
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const SVG = "http://www.w3.org/2000/svg";

  function svg(name, attributes, parent, text) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    if (parent) parent.append(made);
    return made;
  }

  document.documentElement.classList.add("js");

  /* Patient geometry: points are LPS mm; a place in a stack is [column, row, slice number from 0]. */

  const add = (a, b, times = 1) => a.map((value, n) => value + times * b[n]);
  const dot = (a, b) => a.reduce((sum, value, n) => sum + value * b[n], 0);
  const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  const norm = (a) => Math.sqrt(dot(a, a));

  const stacks = data.series.map((series) => {
    const { right, down, across } = series.frame;
    const volume = dot(cross(right, down), across);
    const inverse = [cross(down, across), cross(across, right), cross(right, down)].map((row) => row.map((v) => v / volume));
    const normal = cross(right, down);
    return { ...series, inverse, normal: normal.map((v) => v / norm(normal)), thickness: norm(across) };
  });

  const toStack = (stack, point) => stack.inverse.map((row) => dot(row, add(point, stack.frame.origin, -1)));

  function toPatient(stack, [column, row, slice]) {
    const { origin, right, down, across } = stack.frame;
    return add(add(add(origin, right, column), down, row), across, slice);
  }

  function nearestSlice(stack, number) {
    let best = 0;
    stack.slices.forEach((slice, n) => {
      if (Math.abs(slice.number - 1 - number) < Math.abs(stack.slices[best].number - 1 - number)) best = n;
    });
    return best;
  }

  /* What is looked at: one point per frame of reference, since frames are not linked with each other. */

  const state = { points: {}, zoom: 1, overlay: true, other: true, day: "", opacity: 0.8, lines: "key", contrast: 0, bright: 0, level: "" };
  let panes = [];

  const places = data.places;
  const pointOf = (stack) => (state.points[stack.linked] ??= centreOf(stack));

  function centreOf(stack) {
    const bodies = (data.bodies ?? data.levels).map((name) => places[name]).filter((place) => stacks[place.series]?.linked === stack.linked);
    if (bodies.length) return bodies[Math.floor(bodies.length / 2)].point;
    return toPatient(stack, [stack.size[0] / 2, stack.size[1] / 2, (stack.total - 1) / 2]);
  }

  /* Examinations of other days lie in frames of their own: the registration of the nearest vertebra leads from one to
     the other, over a third one where two were not registered themselves. */

  const links = data.links ?? [];

  function linkNear(from, to, point) {
    let best = null;
    for (const link of links) {
      if (link.from !== from || link.to !== to) continue;
      const away = norm(add(link.at, point, -1));
      if (!best || away < best.away) best = { ...link, away };
    }
    return best;
  }

  function carry(from) {
    const known = new Set([from]);
    for (const frame of known) {
      for (const to of new Set(links.filter((link) => link.from === frame).map((link) => link.to))) {
        if (known.has(to)) continue;
        known.add(to);
        const link = linkNear(frame, to, state.points[frame]);
        state.points[to] = add(link.matrix.map((row) => dot(row, state.points[frame])), link.offset);
      }
    }
  }

  function goTo(name) {
    const place = places[name];
    if (!place || !stacks.length) return;
    state.points[stacks[place.series].linked] = place.point;
    carry(stacks[place.series].linked);
    choose(place.level);
    draw();
  }

  function choose(level) {
    state.level = level;
    for (const row of $$("[data-level]")) {
      row.classList.toggle("chosen", row.dataset.level === level);
      const link = $("a.level", row);
      if (link && row.dataset.level === level) link.setAttribute("aria-current", "true");
      else if (link) link.removeAttribute("aria-current");
    }
    const row = $(`.vertebra[data-level="${level}"]`);
    const status = $("#view-status");
    if (!row) return;
    const found = $$(".found a", row).map((item) => item.textContent.trim()).join("; ");
    const name = document.createElement("b");
    name.textContent = level;
    status.replaceChildren(name, found);
  }

  function levelNear(point, linked) {
    let best = ["", 60];
    for (const name of data.bodies ?? data.levels) {
      const place = places[name];
      if (stacks[place.series]?.linked !== linked) continue;
      const away = norm(add(place.point, point, -1));
      if (away < best[1]) best = [place.level, away];
    }
    return best[0];
  }

  function moveTo(stack, point) {
    state.points[stack.linked] = point;
    carry(stack.linked);
    const level = levelNear(point, stack.linked);
    if (level && level !== state.level) choose(level);
    draw();
  }

  function step(pane, by) {
    const stack = stacks[pane.series];
    const place = toStack(stack, pointOf(stack));
    const next = clamp(nearestSlice(stack, place[2]) + by, 0, stack.slices.length - 1);
    moveTo(stack, toPatient(stack, [place[0], place[1], stack.slices[next].number - 1]));
  }

  function stepLevel(by) {
    const now = data.levels.indexOf(state.level);
    const next = data.levels[clamp(now + by, 0, data.levels.length - 1)];
    if (next) goTo(next);
  }

  /* Drawing */

  const NEAR_MM = 3; // heights of one body may lie in neighbouring slices of a tilted stack: they are drawn together
  const ROOM_MM = 0.3; // per pixel: lines that stand side by side have room for their lengths only when enlarged

  function windowOf(stack) {
    const [low, high] = stack.window;
    const width = (high - low) * 2 ** (-state.contrast / 50);
    const centre = (low + high) / 2 - ((high - low) * state.bright) / 100;
    return [centre - width / 2, centre + width / 2];
  }

  function boxOf(pane, stack) {
    const width = stack.size[0] * stack.pixel_mm[0], height = stack.size[1] * stack.pixel_mm[1];
    const ratio = (pane.stage.clientWidth || 1) / (pane.stage.clientHeight || 1);
    const whole = width / height > ratio ? [width, width / ratio] : [height * ratio, height];
    const size = whole.map((side) => side / state.zoom);
    const place = toStack(stack, state.look?.[stack.linked] ?? pointOf(stack));
    const middle = [place[0] * stack.pixel_mm[0], place[1] * stack.pixel_mm[1]];
    const at = [width, height].map((side, n) => {
      if (size[n] >= side) return (side - size[n]) / 2;
      return clamp(middle[n] - size[n] / 2, 0, side - size[n]);
    });
    return [at[0] - stack.pixel_mm[0] / 2, at[1] - stack.pixel_mm[1] / 2, size[0], size[1]];
  }

  function draw() {
    panes.forEach(drawPane);
  }

  function drawPane(pane) {
    const stack = stacks[pane.series];
    const [mx, my] = stack.pixel_mm;
    const place = toStack(stack, pointOf(stack));
    const index = nearestSlice(stack, place[2]);
    const slice = stack.slices[index];
    const box = boxOf(pane, stack);
    const mmPerPixel = box[2] / (pane.stage.clientWidth || 1);
    pane.box = box;
    pane.canvas.setAttribute("viewBox", box.map((value) => value.toFixed(2)).join(" "));
    const [low, high] = windowOf(stack);
    const slope = 255 / Math.max(high - low, 1);
    for (const channel of pane.channels) {
      channel.setAttribute("slope", slope.toFixed(4));
      channel.setAttribute("intercept", (-low / Math.max(high - low, 1)).toFixed(4));
    }
    const shape = { x: -mx / 2, y: -my / 2, width: stack.size[0] * mx, height: stack.size[1] * my };
    for (const [key, value] of Object.entries({ ...shape, href: slice.image })) pane.image.setAttribute(key, value);
    pane.layer.replaceChildren();
    pane.layer.setAttribute("opacity", state.opacity);
    if (state.overlay) drawOverlay(pane, stack, slice, mmPerPixel);
    drawLines(pane, stack, slice, mmPerPixel);
    drawMarks(pane, stack, place, slice, mmPerPixel);
    for (const side of ["left", "right", "top", "bottom"]) $(`.letter.${side}`, pane.node).textContent = stack.edges[side];
    const scale = (stack.grey[1] - stack.grey[0]) / 255;
    const shown = { width: Math.round((high - low) * scale), centre: Math.round(stack.grey[0] + ((low + high) / 2) * scale) };
    $(".info.grey", pane.node).textContent = fill(words.viewer.grey, shown);
    $(".info.apart", pane.node).textContent = warningFor(pane, stack);
    const position = { series: stack.title, number: slice.number, count: stack.total };
    $(".count", pane.node).textContent = fill(words.viewer.count, position);
    pane.stage.setAttribute("aria-label", fill(words.viewer.position, position));
    pane.range.max = stack.slices.length - 1;
    pane.range.value = index;
    pane.range.setAttribute("aria-valuetext", fill(words.viewer.count, position));
    for (const near of [index - 1, index + 1]) if (stack.slices[near]) new Image().src = stack.slices[near].image;
  }

  /** Why the series of this pane may not lie where that of the first one does. */
  function warningFor(pane, stack) {
    if (pane === panes[0]) return "";
    const first = stacks[panes[0].series];
    if (first.linked !== stack.linked) {
      const link = linkNear(first.linked, stack.linked, pointOf(first));
      return link ? fill(words.viewer.matched, link) : words.viewer.unlinked;
    }
    const pair = [pane.series, panes[0].series];
    const shift = data.shifts.find((one) => one.level === state.level && pair.every((series) => series in one.texts));
    return shift ? shift.texts[pane.series] : "";
  }

  function drawOverlay(pane, stack, slice, mmPerPixel) {
    const tenth = stack.pixel_mm.map((mm) => mm / 10);
    const group = svg("g", { transform: `scale(${tenth[0]} ${tenth[1]})` }, pane.layer);
    for (const [number, path] of slice.outlines) {
      const known = data.structures[number];
      if (known.kind.includes("other-day") && !laidOver(pane, known)) continue;
      const drawn = svg("path", { d: path, class: known.kind, stroke: known.colour, fill: known.colour }, group);
      svg("title", {}, drawn, known.name);
    }
    for (const [number, x, y] of slice.names) {
      const known = data.structures[number];
      const at = { x: x * stack.pixel_mm[0], y: y * stack.pixel_mm[1], dy: "0.35em", fill: known.colour, class: "name" };
      svg("text", { ...at, "font-size": 12.5 * mmPerPixel }, pane.layer, known.place);
    }
  }

  /** Whether an outline of another day is shown: that of the chosen day, else of a day that another pane shows. */
  function laidOver(pane, known) {
    if (!state.other) return false;
    if (!$("#view-day")) return true;
    const days = state.day === "" ? panes.filter((one) => one !== pane).map((one) => stacks[one.series].day) : [state.day];
    return days.some((day) => known.kind.split(" ").includes(`day-${day}`));
  }

  function shownLine(line) {
    if (state.lines === "none") return false;
    if (state.lines === "key") return line.key;
    return state.lines === "all" || line.levels.includes(state.level);
  }

  function drawLines(pane, stack, slice, mmPerPixel) {
    const here = data.lines.filter((line) => line.series === pane.series && shownLine(line));
    for (const line of here) {
      const ends = line.points.map((point) => toStack(stack, point));
      const depth = ends.reduce((sum, end) => sum + end[2], 0) / ends.length;
      const nearest = nearestSlice(stack, depth) === nearestSlice(stack, slice.number - 1);
      if (!nearest && Math.abs(depth - slice.number + 1) * stack.thickness > NEAR_MM) continue;
      const flat = ends.map((end) => [end[0] * stack.pixel_mm[0], end[1] * stack.pixel_mm[1]]);
      const group = svg("g", { class: "length-line" }, pane.layer);
      svg("title", {}, group, line.title);
      for (let n = 0; n + 1 < flat.length; n += 2) {
        for (const layer of ["under", "over"]) {
          svg("line", { class: layer, x1: flat[n][0], y1: flat[n][1], x2: flat[n + 1][0], y2: flat[n + 1][1] }, group);
        }
      }
      const upright = Math.abs(flat[1][1] - flat[0][1]) > Math.abs(flat[1][0] - flat[0][0]);
      if (state.lines !== "all" && (!upright || mmPerPixel < ROOM_MM)) {
        const [x, y] = flat.reduce((best, end) => ((upright ? end[1] < best[1] : end[0] > best[0]) ? end : best));
        const size = 11 * mmPerPixel;
        const at = upright ? { x, y: y - size * 0.5, "text-anchor": "middle" } : { x: x + size * 0.4, y, dy: "0.35em" };
        svg("text", { class: "length", "font-size": size, ...at }, group, line.text);
      }
    }
  }

  function drawMarks(pane, stack, place, slice, mmPerPixel) {
    const [mx, my] = stack.pixel_mm;
    const x = place[0] * mx, y = place[1] * my, gap = 7 * mmPerPixel, end = 15 * mmPerPixel;
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      svg("line", { class: "cross", x1: x + dx * gap, y1: y + dy * gap, x2: x + dx * end, y2: y + dy * end }, pane.layer);
    }
    for (const other of panes) {
      const plane = stacks[other.series];
      if (other === pane || plane.linked !== stack.linked || Math.abs(dot(plane.normal, stack.normal)) > 0.9) continue;
      drawPlane(pane, stack, slice, plane);
    }
  }

  /** The line in which the slice that another pane shows cuts this one. */
  function drawPlane(pane, stack, slice, plane) {
    const through = toStack(plane, pointOf(plane));
    const shown = plane.slices[nearestSlice(plane, through[2])].number - 1;
    const corner = add(toPatient(stack, [0, 0, slice.number - 1]), toPatient(plane, [0, 0, shown]), -1);
    const a = dot(stack.frame.right, plane.normal), b = dot(stack.frame.down, plane.normal), c = dot(corner, plane.normal);
    const [width, height] = stack.size, [mx, my] = stack.pixel_mm;
    const ends = Math.abs(b) > Math.abs(a) ? [[0, -c / b], [width, -(c + a * width) / b]] : [[-c / a, 0], [-(c + b * height) / a, height]];
    const line = { x1: ends[0][0] * mx, y1: ends[0][1] * my, x2: ends[1][0] * mx, y2: ends[1][1] * my };
    svg("line", { class: "plane", ...line }, pane.layer);
  }

  /* Panes */

  function makePane(series, n) {
    const node = document.importNode($("#pane").content, true).firstElementChild;
    const canvas = $("svg", node);
    const filter = svg("filter", { id: `grey-${n}`, "color-interpolation-filters": "sRGB", x: "0", y: "0", width: "1", height: "1" }, svg("defs", {}, canvas));
    const transfer = svg("feComponentTransfer", {}, filter);
    const channels = ["feFuncR", "feFuncG", "feFuncB"].map((name) => svg(name, { type: "linear" }, transfer));
    const image = svg("image", { preserveAspectRatio: "none", filter: `url(#grey-${n})` }, canvas);
    const pane = { series, node, canvas, channels, image, layer: svg("g", {}, canvas), stage: $(".stage", node), range: $(".slice", node), box: [0, 0, 1, 1] };
    const which = $(".which", node);
    stacks.forEach((stack, at) => which.append(new Option(stack.title, at, false, at === series)));
    which.addEventListener("change", () => { pane.series = Number(which.value); layOut(); });
    pane.range.addEventListener("input", () => {
      const stack = stacks[pane.series];
      step(pane, Number(pane.range.value) - nearestSlice(stack, toStack(stack, pointOf(stack))[2]));
    });
    pane.stage.addEventListener("keydown", (event) => onKey(event, pane));
    pane.stage.addEventListener("wheel", (event) => onWheel(event, pane), { passive: false });
    listenToPointers(pane);
    return pane;
  }

  const KEYS = {
    ArrowLeft: (pane) => step(pane, -1),
    ArrowRight: (pane) => step(pane, 1),
    ArrowUp: () => stepLevel(-1),
    ArrowDown: () => stepLevel(1),
    "+": () => zoomTo(state.zoom * 1.25),
    "=": () => zoomTo(state.zoom * 1.25),
    "-": () => zoomTo(state.zoom / 1.25),
    0: () => reset(),
    o: () => toggleOverlay(),
    d: () => toggleOther(),
  };

  function onKey(event, pane) {
    const act = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act(pane);
  }

  function onWheel(event, pane) {
    if (document.activeElement !== pane.stage) return;
    event.preventDefault();
    if (event.ctrlKey) zoomTo(state.zoom * 2 ** (-event.deltaY / 200));
    else step(pane, Math.sign(event.deltaY));
  }

  function zoomTo(zoom) {
    state.zoom = clamp(zoom, 1, 8);
    if (state.zoom === 1) state.look = undefined;
    for (const pane of panes) pane.stage.style.touchAction = state.zoom > 1 ? "none" : "pan-y";
    draw();
  }

  function toggleOverlay() {
    state.overlay = !state.overlay;
    $("#view-overlay").checked = state.overlay;
    draw();
  }

  function toggleOther() {
    if (!$("#view-other")) return;
    state.other = !state.other;
    $("#view-other").checked = state.other;
    draw();
  }

  function reset() {
    Object.assign(state, { contrast: 0, bright: 0, look: undefined });
    $("#view-window").value = $("#view-level").value = 0;
    zoomTo(1);
  }

  /** A click or tap moves every series there; a drag sets the window, moves a zoomed image, or (touch) leafs. */
  function listenToPointers(pane) {
    const down = new Map();
    let moved = 0, spread = 0, leafed = 0;
    const gap = () => { const [a, b] = [...down.values()]; return Math.hypot(a.x - b.x, a.y - b.y); };
    pane.stage.addEventListener("pointerdown", (event) => {
      if (event.button > 0) return;
      down.set(event.pointerId, { x: event.clientX, y: event.clientY });
      pane.stage.setPointerCapture(event.pointerId);
      if (down.size === 1) moved = leafed = 0;
      if (down.size === 2) spread = gap();
    });
    pane.stage.addEventListener("pointermove", (event) => {
      const last = down.get(event.pointerId);
      if (!last) return;
      const dx = event.clientX - last.x, dy = event.clientY - last.y;
      down.set(event.pointerId, { x: event.clientX, y: event.clientY });
      moved += Math.hypot(dx, dy);
      if (down.size === 2) {
        const now = gap();
        zoomTo((state.zoom * now) / Math.max(spread, 1));
        spread = now;
      } else if (moved > 4) drag(event, dx, dy);
    });
    const drag = (event, dx, dy) => {
      const stack = stacks[pane.series];
      if (state.zoom > 1 && !event.shiftKey) {
        const mm = pane.box[2] / pane.stage.clientWidth;
        const from = toStack(stack, state.look?.[stack.linked] ?? pointOf(stack));
        const to = [from[0] - (dx * mm) / stack.pixel_mm[0], from[1] - (dy * mm) / stack.pixel_mm[1], from[2]];
        to[0] = clamp(to[0], 0, stack.size[0]);
        to[1] = clamp(to[1], 0, stack.size[1]);
        state.look = { ...state.look, [stack.linked]: toPatient(stack, to) };
        draw();
      } else if (event.pointerType === "touch") {
        leafed += dx;
        if (Math.abs(leafed) > 18) { step(pane, Math.sign(leafed)); leafed = 0; }
      } else {
        $("#view-window").value = state.contrast = clamp(state.contrast + dx / 2, -100, 100);
        $("#view-level").value = state.bright = clamp(state.bright - dy / 2, -100, 100);
        draw();
      }
    };
    const up = (event) => {
      const was = down.delete(event.pointerId);
      if (!was || event.type === "pointercancel" || moved > 4 || down.size) return;
      const stack = stacks[pane.series], at = pane.stage.getBoundingClientRect(), box = pane.box;
      const x = box[0] + ((event.clientX - at.left) / at.width) * box[2], y = box[1] + ((event.clientY - at.top) / at.height) * box[3];
      const place = [x / stack.pixel_mm[0], y / stack.pixel_mm[1]];
      if (place.some((value, n) => value < -0.5 || value > stack.size[n] - 0.5)) return;
      const slice = stack.slices[nearestSlice(stack, toStack(stack, pointOf(stack))[2])].number - 1;
      moveTo(stack, toPatient(stack, [...place, slice]));
    };
    pane.stage.addEventListener("pointerup", up);
    pane.stage.addEventListener("pointercancel", up);
  }

  function layOut() {
    const wide = $(".panes").clientWidth;
    const count = data.first?.length ?? clamp(Math.floor(wide / 250), 1, Math.min(3, stacks.length));
    if (count !== panes.length) {
      const shown = panes.length ? panes.map((pane) => pane.series) : data.first ?? [];
      const rest = stacks.map((_, n) => n).filter((n) => !shown.includes(n));
      const series = [...shown, ...rest].slice(0, count);
      panes = series.map(makePane);
      $(".panes").replaceChildren(...panes.map((pane) => pane.node));
    }
    const heights = panes.map(({ series, stage }) => {
      const { size, pixel_mm } = stacks[series];
      return (stage.clientWidth * size[1] * pixel_mm[1]) / (size[0] * pixel_mm[0]);
    });
    const most = Math.min(720, window.innerHeight * (count === 1 ? 0.62 : 0.76));
    $(".panes").style.setProperty("--stage", `${clamp(Math.max(...heights), Math.min(320, most), most)}px`);
    draw();
  }

  function startViewer() {
    if (!stacks.length || stacks.some((stack) => !stack.slices.length)) return;
    $("#viewer").hidden = false;
    const inputs = {
      "#view-overlay": (input) => { state.overlay = input.checked; },
      "#view-other": (input) => { state.other = input.checked; },
      "#view-day": (input) => { state.day = input.value; },
      "#view-opacity": (input) => { state.opacity = input.value / 100; },
      "#view-lines": (input) => { state.lines = input.value; },
      "#view-window": (input) => { state.contrast = Number(input.value); },
      "#view-level": (input) => { state.bright = Number(input.value); },
    };
    for (const [selector, set] of Object.entries(inputs)) {
      const input = $(selector);
      if (!input) continue;
      set(input);
      input.addEventListener("input", () => { set(input); draw(); });
    }
    $("#zoom-in").addEventListener("click", () => zoomTo(state.zoom * 1.25));
    $("#zoom-out").addEventListener("click", () => zoomTo(state.zoom / 1.25));
    $("#view-reset").addEventListener("click", reset);
    layOut();
    window.addEventListener("resize", layOut);
    goTo(places[data.start] ? data.start : data.levels[Math.floor(data.levels.length / 2)]);
  }

  /* Anything that names a place moves the viewer there; what only shows it keeps the page at the viewer. */
  document.addEventListener("click", (event) => {
    const source = event.target.closest("[data-place]");
    if (!source) return;
    goTo(source.dataset.place);
    if (!source.hasAttribute("data-view") || $("#viewer").hidden) return;
    event.preventDefault();
    const at = $(".panes").getBoundingClientRect();
    if (at.top < 0 || at.bottom > window.innerHeight) $("#viewer").scrollIntoView({ block: "nearest" });
  });

  /* Tables */

  function valueOf(row, column) {
    const cell = row.cells[column];
    const text = (cell?.textContent ?? "").trim().replace("−", "-");
    const number = /^-?\d+(\.\d+)?/.exec(text);
    return { text, number: number ? Number(number[0]) : null, empty: text === "" || text === "–" };
  }

  function sortBy(table, heading, column) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    rows.forEach((row, n) => { row.dataset.order ??= n; });
    const down = heading.getAttribute("aria-sort") === "ascending";
    for (const other of $$("th", table.tHead)) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const order = (row) => Number(row.dataset.order);
    const compare = (a, b) => {
      if (column === 0) return (order(a) - order(b)) * (down ? -1 : 1);
      const [x, y] = [valueOf(a, column), valueOf(b, column)];
      if (x.empty || y.empty) return x.empty - y.empty || order(a) - order(b);
      const difference = x.number !== null && y.number !== null ? x.number - y.number : x.text.localeCompare(y.text);
      return difference * (down ? -1 : 1) || order(a) - order(b);
    };
    body.append(...rows.sort(compare));
  }

  for (const table of $$("main table")) {
    const headings = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.title = fill(words.sort, { column: heading.textContent.trim().replace(/\s+/g, " ") });
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => sortBy(table, heading, column));
    });
  }

  /* Review */

  const review = $("#review-section");
  const times = new Map();
  let unsaved = false;

  function verdictOf(item) {
    return $("input[type=radio]:checked", item)?.value ?? "";
  }

  function refresh(item) {
    const verdict = verdictOf(item);
    item.classList.toggle("done", verdict !== "");
    $(".fix", item).hidden = verdict === "" || verdict === "accept";
    const right = $(".right-level", item);
    if (right) right.hidden = verdict !== "correct";
  }

  function judged(item) {
    times.set(item, new Date().toISOString());
    unsaved = true;
    refresh(item);
    count();
  }

  function count() {
    for (const tally of $$("[data-tally]")) {
      const items = $$(`fieldset[data-target="${tally.dataset.tally}"]`);
      const given = items.map(verdictOf);
      const number = (verdict) => given.filter((one) => one === verdict).length;
      const told = { total: items.length, done: given.filter(Boolean).length, accepted: number("accept"), rejected: number("reject"), corrected: number("correct") };
      tally.textContent = fill(words.review.count, told);
    }
  }

  function decisionOf(item) {
    const decision = { target: item.dataset.target, id: item.dataset.id, verdict: verdictOf(item), time: times.get(item) };
    const level = $(".right-level select", item)?.value;
    const text = $(".fix input", item).value.trim();
    if (decision.verdict === "correct" && level) decision.level = level;
    if (decision.verdict !== "accept" && text) decision.text = text;
    return decision;
  }

  function say(text, wrong = false) {
    const status = $("#review-status");
    status.textContent = text;
    status.classList.toggle("wrong", wrong);
  }

  function exportReview() {
    const done = $$("fieldset[data-target]", review).filter(verdictOf);
    for (const item of done) {
      const decision = decisionOf(item);
      const whole = decision.level || (decision.text && decision.target !== "level");
      if (decision.verdict !== "correct" || whole) continue;
      item.closest("details").open = true;
      item.scrollIntoView({ block: "center" });
      $(".fix select, .fix input", item).focus();
      say(fill(words.review.incomplete, { title: item.dataset.title }), true);
      return;
    }
    const document_ = { ...data.review, reviewer: $("#reviewer").value.trim(), comment: $("#review-comment").value.trim(), decisions: done.map(decisionOf) };
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(document_, null, 2) + "\n"], { type: "application/json" }));
    link.download = "review.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    unsaved = false;
    say(fill(words.review.exported, { file: link.download }));
  }

  function startReview() {
    review.hidden = false;
    for (const item of $$("fieldset[data-target]", review)) {
      item.addEventListener("input", () => judged(item));
      for (const radio of $$("input[type=radio]", item)) {
        radio.addEventListener("click", () => {
          if (item.dataset.last === radio.value) { radio.checked = false; judged(item); }
          item.dataset.last = verdictOf(item);
        });
      }
      refresh(item);
    }
    for (const button of $$("[data-accept]", review)) {
      button.addEventListener("click", () => {
        for (const item of $$(`fieldset[data-target="${button.dataset.accept}"]`, review)) {
          if (verdictOf(item)) continue;
          $("input[value=accept]", item).checked = true;
          item.dataset.last = "accept";
          judged(item);
        }
      });
    }
    $("#review-export").addEventListener("click", exportReview);
    $("#review-clear").addEventListener("click", () => {
      if (!window.confirm(words.review.remove_ask)) return;
      for (const input of $$("input[type=radio]", review)) input.checked = false;
      for (const item of $$("fieldset[data-target]", review)) { item.dataset.last = ""; refresh(item); }
      unsaved = false;
      count();
      say("");
    });
    window.addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });
    count();
  }

  if (review) startReview();
  startViewer();
})();
