// The page without a mouse: / asks, arrows walk over the cards, enter opens, space plays, x marks, m asks for more like
// what is marked or looked at. What is marked can be copied together.
if (!window.omnia.marked) {
  const marked = window.omnia.marked = new Map();  // segment → path
  const cards = () => [...document.querySelectorAll(".om-card")].filter((card) => card.getClientRects().length);

  const bar = Object.assign(document.createElement("div"), { className: "om-marked", hidden: true });
  const count = document.createElement("b");
  const button = (label, act) => {
    const made = Object.assign(document.createElement("button"), { textContent: label });
    made.addEventListener("click", () => act(made));
    return made;
  };
  const clear = () => { marked.clear(); show(); };
  bar.append(
    count,
    button("Copy paths", (made) => window.omnia.copy([...marked.values()].join("\n"), made)),
    button("More like these", () => { const segments = [...marked.keys()]; clear(); window.omnia.like(segments); }),
    button("Clear", clear),
  );
  document.body.append(bar);

  const show = () => {
    bar.hidden = !marked.size;
    count.textContent = `${marked.size} marked`;
    for (const card of cards()) {
      const is = marked.has(card.dataset.segment);
      card.classList.toggle("om-is-marked", is);
      card.querySelector(".om-pick")?.setAttribute("aria-pressed", is);
    }
  };
  const mark = (card) => {
    const { segment, path } = card.dataset;
    if (!marked.delete(segment)) marked.set(segment, path);
    show();
  };
  document.addEventListener("click", (event) => {
    const pick = event.target.closest(".om-pick");
    if (pick) mark(pick.closest(".om-card"));
  });
  let waiting = false;
  new MutationObserver(() => {  // cards that are drawn anew keep their marks
    if (waiting || !marked.size) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; show(); });
  }).observe(document.body, { childList: true, subtree: true });

  // The nearest card whose middle lies in a direction.
  const next = (from, way) => {
    const middle = (card) => {
      const box = card.getBoundingClientRect();
      return [box.left + box.width / 2, box.top + box.height / 2];
    };
    const [x, y] = middle(from);
    let best = null, least = Infinity;
    for (const card of cards()) {
      const [dx, dy] = middle(card).map((value, side) => value - [x, y][side]);
      const [ahead, aside] = way[0] ? [dx * way[0], Math.abs(dy)] : [dy * way[1], Math.abs(dx)];
      if (ahead > 1 && ahead + 3 * aside < least) [best, least] = [card, ahead + 3 * aside];
    }
    return best;
  };

  const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const typing = event.target.closest?.("input, textarea, select, [contenteditable], video, audio, [role=slider]");
    if (event.key === "Escape" && typing) return event.target.blur();
    if (typing && !(event.key === "ArrowDown" && event.target.closest(".st-key-q"))) return;
    const card = document.activeElement?.closest?.(".om-card");
    const done = act(event, card);
    if (done) event.preventDefault();
  });

  const act = ({ key, target }, card) => {
    if (key === "/") {
      document.querySelector(".st-key-q input")?.select();
      return true;
    }
    if (WAYS[key]) {
      const to = card ? next(card, WAYS[key]) : key.startsWith("ArrowUp") ? null : cards()[0];
      to?.focus();
      to?.scrollIntoView({ block: "nearest", behavior: "smooth" });
      return Boolean(to);
    }
    if (key === "m" && marked.size) {
      window.omnia.like([...marked.keys()]);
      clear();
      return true;
    }
    if (!card || (target !== card && (key === "Enter" || key === " "))) return false;
    if (key === "x") mark(card);
    else if (key === "m") window.omnia.like([card.dataset.segment]);
    else if (key === " ") {
      const player = card.querySelector("video, audio");
      if (!player) return false;
      if (player.paused) player.play().catch(() => {}); else player.pause();
    } else if (key === "Enter") (card.querySelector(".om-zoom") ?? card.querySelector(".om-open")).click();
    else return false;
    return true;
  };
}
