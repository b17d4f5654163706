// What the cards do in the browser: play from a moment, turn to a page, copy a path, ask for more like one; and files that
// are dropped or pasted. Listens on the document, since the page is drawn anew with every answer.
if (!window.omnia) {
  const omnia = window.omnia = {};

  // A player plays its file or, where the browser cannot, a clip: what is around one moment, from data-begin on.
  const wanted = new WeakMap();  // player → the moment to play from as soon as it can

  omnia.playFrom = (player, { seek, end }) => {
    const { begin } = player.dataset;
    const offset = Number(seek) - Number(begin ?? 0);
    if (player.readyState > 0 && (begin === undefined || (offset >= 0 && offset < player.duration))) {
      player.currentTime = offset;
      player.play().catch(() => {});
      return;
    }
    wanted.set(player, { seek, end });
    if (begin !== undefined) return playClip(player, { seek, end });
    player.preload = "metadata";
    player.load();
  };

  const playClip = (player, { seek, end }) => {
    const { play, lead } = player.dataset;
    player.dataset.begin = Math.max(0, Number(seek) - Number(lead));
    player.closest(".om-media").classList.remove("om-missing");
    player.preload = "metadata";
    player.src = `${play}&t=${seek}${end ? `&end=${end}` : ""}`;
  };

  // Once for each player: from then on it has a beginning.
  const exchange = (player) => {
    const moment = wanted.get(player) ?? player.dataset;
    if (!player.paused || wanted.has(player)) wanted.set(player, { seek: moment.seek, end: moment.end });
    playClip(player, moment);
  };

  document.addEventListener("loadedmetadata", (event) => {
    const player = event.target;
    const { play, begin } = player.dataset;
    if (play && begin === undefined && player.matches("video") && !player.videoWidth) return exchange(player);
    const moment = wanted.get(player);
    wanted.delete(player);
    if (moment) omnia.playFrom(player, moment);
    else if (begin !== undefined && !player.src.includes("#")) player.currentTime = player.dataset.seek - begin;
  }, true);

  const write = (field, text) => {  // as if it had been typed
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(field, text);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };

  // The cards that can be seen; those of a folded list cannot.
  omnia.cards = () => [...document.querySelectorAll(".om-card")].filter((card) => card.checkVisibility());

  // What scrolls is not the window.
  omnia.toTop = () => document.querySelector("[data-testid=stMain]").scrollTo({ top: 0 });

  // Ask for more like some moments: the field that the page reads them from is one that nobody sees.
  const unseen = () => document.querySelector(".st-key-unseen input");
  omnia.like = (segments) => {
    write(unseen(), segments.join(","));
    omnia.toTop();
  };

  const dropZone = () => document.querySelector(".st-key-ask input[type=file]");

  // Files go to the drop zone, which is drawn last.
  omnia.give = (files, patience = 50) => {
    if (!files.length) return;
    const input = dropZone();
    if (!input) {
      if (patience) setTimeout(() => omnia.give(files, patience - 1), 100);
      return;
    }
    const carrier = new DataTransfer();
    for (const file of files) carrier.items.add(file);
    input.files = carrier.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };

  // Ask by a file and nothing else: what is like no moment makes the page forget what was asked, drop zone and all.
  omnia.askBy = (file) => {
    const old = dropZone();
    omnia.like(["nothing"]);
    const give = (patience) => {
      if (dropZone() !== old && unseen()?.value === "") omnia.give([file]);
      else if (patience) setTimeout(give, 100, patience - 1);
    };
    give(600);
  };

  omnia.copy = async (text, button) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      copySelected(text);
    }
    button.classList.add("om-copied");
    setTimeout(() => button.classList.remove("om-copied"), 1200);
  };

  // A browser has no clipboard for pages over plain HTTP from elsewhere, or refuses it; what is selected it copies.
  const copySelected = (text) => {
    const carrier = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(carrier);
    carrier.select();
    document.execCommand("copy");
    carrier.remove();
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-seek], [data-page], [data-copy], [data-like], .om-paths");
    if (!button) return;
    const card = button.closest(".om-card");
    const { seek, page, copy, like } = button.dataset;
    if (seek !== undefined) {
      const player = card.querySelector("video, audio");
      if (player && player !== button) omnia.playFrom(player, button.dataset);
    } else if (page !== undefined) {
      const image = card.querySelector(".om-zoom img");
      if (image) {
        image.closest(".om-media").classList.remove("om-missing");
        image.src = page;
        image.parentElement.dataset.full = page.replace("side=640", "side=2048");
      }
    } else if (like !== undefined) {
      omnia.like([like]);
    } else if (copy !== undefined) {
      omnia.copy(copy, button);
    } else {
      omnia.copy(omnia.cards().map((one) => one.dataset.path).join("\n"), button);
    }
  });
  // A clip is made before it is taken, so that why there is none is said on the card and not kept as a file.
  document.addEventListener("click", async (event) => {
    const cut = event.target.closest(".om-cut");
    if (!cut || cut.isMade || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (cut.ariaBusy) return;
    cut.ariaBusy = true;
    cut.dataset.why = await refusal(cut.href);
    cut.ariaBusy = null;
    if (cut.dataset.why) return;
    cut.isMade = true;
    cut.click();
    cut.isMade = false;
  });
  document.addEventListener("click", (event) => { if (event.target.closest(".st-key-pages button")) omnia.toTop(); });

  const dragging = (event, is) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    document.body.classList.toggle("om-dragging", is);
    event.preventDefault();
  };
  document.addEventListener("dragover", (event) => dragging(event, true));
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) dragging(event, false); });
  document.addEventListener("drop", (event) => {
    dragging(event, false);
    if (!event.target.closest?.("[data-testid=stFileUploaderDropzone]")) omnia.give([...event.dataTransfer.files]);
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    const writing = event.target.closest?.("input, textarea, [contenteditable]");
    if (writing && event.clipboardData?.types.includes("text/plain")) return;  // cells bring their picture along
    if (files.length) { event.preventDefault(); omnia.give(files); }
  });

  // One player at a time.
  document.addEventListener("play", (event) => {
    document.querySelectorAll("video, audio").forEach((player) => {
      if (player !== event.target) player.pause();
    });
  }, true);

  // What cannot be drawn or played, or is away, says so instead of showing a torn frame; a player has one more try.
  document.addEventListener("error", async (event) => {
    const media = event.target.closest?.(".om-media");
    if (!media) return;
    const { play, begin } = event.target.dataset;
    if (play && begin === undefined) return exchange(event.target);
    media.classList.add("om-missing");
    if (!play) return;
    const told = await refusal(event.target.src);
    if (told) media.dataset.why = told;
  }, true);

  // Why the server does not give something; "" where it does.
  const refusal = async (url) => {
    try {
      const answer = await fetch(url);
      if (!answer.ok) return (await answer.json()).error;
      await answer.body.cancel();
      return "";
    } catch {
      return "the server does not answer";
    }
  };

  // Each pause while somebody types asks, but only the last of these questions is one to go back to.
  const push = history.pushState.bind(history);
  let isTyped = false, isSent = false;  // the last one, in the box
  const besides = (url) => {
    const { searchParams } = new URL(url, location);
    searchParams.delete("q");
    return searchParams.toString();
  };
  history.pushState = (state, unused, url) => {
    if (isTyped && besides(url) === besides(location)) history.replaceState(state, unused, url);
    else push(state, unused, url);
    isTyped = Boolean(document.activeElement?.closest(".st-key-q"));
  };
  document.addEventListener("focusout", () => { isTyped = false; });
  window.addEventListener("popstate", () => { isTyped = isSent = false; });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing && event.target.closest(".st-key-q")) isSent = true;
  });
  document.addEventListener("input", () => {
    if (isSent) isTyped = isSent = false;
  });
}
